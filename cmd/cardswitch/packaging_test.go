package main

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	cardswitch "cardswitch/switch"
)

// A renamed metric would leave the dashboard empty and an alert silent, and nobody would see it.
func TestPackagingNamesMetricsThatExist(t *testing.T) {
	known := metricNames(t)
	used := regexp.MustCompile(`cardswitch_[a-z0-9_]+`)
	for _, file := range []string{"grafana-dashboard.json", "alerts.yaml"} {
		text, err := os.ReadFile("packaging/" + file)
		if err != nil {
			t.Fatal(err)
		}
		names := used.FindAllString(string(text), -1)
		if len(names) < 10 {
			t.Errorf("%s: only %d metrics", file, len(names))
		}
		for _, name := range names {
			if !slices.Contains(known, name) {
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
	}
}

// metricNames are all series that a switch publishes before it has done anything.
func metricNames(t *testing.T) []string {
	dir, err := os.MkdirTemp("", "cs") // a socket's name must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	config, err := demoConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range config.Centers { // what not every center has
		if c := &config.Centers[i]; c.Role == cardswitch.RoleIssuer {
			c.Negative = new(cardswitch.NegativeConfig)
		}
	}
	config.Drills.Calendar = []cardswitch.DrillRule{{Kind: "node", Days: 1}}
	config.Complete()
	n, err := newNode(t.Context(), config,
		cardswitch.Deps{Log: slog.New(slog.DiscardHandler)}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.close() })
	families, err := n.active.Load().admin.Metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, family := range families {
		name := family.GetName()
		names = append(names, name)
		if len(family.Metric) > 0 && family.Metric[0].Histogram != nil {
			names = append(names, name+"_bucket", name+"_sum", name+"_count")
		}
	}
	return names
}

func TestPackagingCanBeRead(t *testing.T) {
	dashboard, err := os.ReadFile("packaging/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct{ Panels []struct{ Title string } }
	if err := json.Unmarshal(dashboard, &d); err != nil || len(d.Panels) == 0 {
		t.Errorf("dashboard: %d panels, %v", len(d.Panels), err)
	}
	alerts, err := os.ReadFile("packaging/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations struct{ Summary, Action string }
			}
		}
	}
	if err := yaml.Unmarshal(alerts, &a); err != nil || len(a.Groups) != 1 {
		t.Fatal(err)
	}
	commands := newRootCommand()
	named := regexp.MustCompile(`cardswitch ([a-z]+) ([a-z]+)`)
	for _, rule := range a.Groups[0].Rules {
		if rule.Expr == "" || rule.Annotations.Summary == "" || rule.Annotations.Action == "" {
			t.Errorf("%s: every alert says what it means and what to do", rule.Alert)
		}
		// What an operator is told to type at night must exist.
		for _, match := range named.FindAllStringSubmatch(rule.Annotations.Action, -1) {
			command, rest, err := commands.Find(match[1:])
			if err != nil || len(rest) > 0 || command.Name() != match[2] {
				t.Errorf("%s: there is no command %q", rule.Alert, strings.Join(match[1:], " "))
			}
		}
	}
	if unit, err := os.ReadFile(filepath.Join("packaging", "cardswitch.service")); err != nil ||
		!strings.Contains(string(unit), "ExecStart=/usr/bin/cardswitch start --config") {
		t.Errorf("the unit doesn't start the switch: %v", err)
	}
}

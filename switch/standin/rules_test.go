package standin

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestFaultsOfRuleFiles(t *testing.T) {
	const good = "rules:\n" +
		"  - {name: a, ranges: [\"353011\"], most: 10, limits: [{days: 1, count: 1}]}\n"
	for _, c := range []struct{ text, fault string }{
		{"", "rules: there are none"},
		{"rules: [", "rules.yaml"},
		{good + "---\n" + good, "more than one document"},
		{"rule: []", "field rule not found"},
		{strings.Replace(good, "name: a, ", "", 1), "name"},
		{good + strings.TrimPrefix(good, "rules:\n"), "none or taken"},
		{strings.Replace(good, `"353011"`, "", 1), "ranges: there are none"},
		{strings.Replace(good, `353011`, "3530", 1), "4 digits"},
		{strings.Replace(good, `"353011"`, `"353011", "353011"`, 1), "meets"},
		{strings.Replace(good, "most: 10", "most: 0", 1), "most"},
		{strings.Replace(good, "most: 10", "most: 10, floor: 11", 1), "not less than floor"},
		{strings.Replace(good, "limits: [{days: 1, count: 1}]", "limits: []", 1), "limits"},
		{strings.Replace(good, "days: 1", "days: 32", 1), "32 is out of range"},
		{strings.Replace(good, "count: 1", "count: 0", 1), "bounds nothing"},
		{strings.Replace(good, "most: 10", "most: 10, expiry: yes", 1), "expiry"},
		{strings.Replace(good, "most: 10", `most: 10, categories: ["541"]`, 1), "DE 26"},
		{strings.Replace(good, "most: 10", `most: 10, transactions: ["0"]`, 1), "DE 3"},
		{strings.Replace(good, "most: 10", `most: 10, entry: ["22"]`, 1), "DE 22"},
		{"currency: yen\n" + good, "currency"},
	} {
		_, err := Parse("rules.yaml", []byte(c.text), Place{Zone: time.UTC})
		if err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s\ngot %v, want %q", c.text, err, c.fault)
		}
	}
	if _, err := Parse("rules.yaml", []byte(good), Place{Zone: time.UTC}); err != nil {
		t.Error(err)
	}
}

// Whatever a rule file says, what is read of it bounds what it approves.
func FuzzParse(f *testing.F) {
	f.Add([]byte(tableRules))
	f.Add([]byte("rules: [{name: x, ranges: [\"353011-353019\"], excluded: true}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse("x", text, Place{Home: 392, Zone: time.UTC})
		if err != nil {
			return
		}
		for i, rule := range r.rules {
			if !rule.excluded && (rule.most == 0 || len(rule.limits) == 0) {
				t.Fatalf("rule %d bounds nothing", i)
			}
		}
	})
}

// The rule file that the README shows is one.
func TestRulesOfTheReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(readme), "    currency: \"392\"")
	text, _, ended := strings.Cut(text, "\nA card in the issuer's negative list")
	if !found || !ended {
		t.Fatal("the README shows none")
	}
	text = strings.ReplaceAll("    currency: \"392\""+text, "\n    ", "\n")
	r, err := Parse("README.md", []byte(strings.TrimPrefix(text, "    ")), Place{Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	if names := r.Names(); len(names) != 2 || names[0] != "usual" || r.Days() != 7 {
		t.Errorf("rules %v over %d days", names, r.Days())
	}
}

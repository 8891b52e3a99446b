package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/link/warm"
)

func newStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say how the switch is; exit 3 if it isn't serving",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			var state string
			err := show(command, "/v1/status", nil,
				func(command *cobra.Command, s cardswitch.Status) error {
					state = s.State
					return printStatus(command, &s)
				})
			if err == nil && state != "" && state != "serving" {
				return &failure{Code: exitUnhealthy}
			}
			return err
		},
	}
}

func printStatus(command *cobra.Command, s *cardswitch.Status) error {
	t := newTable(command)
	t.row("node", s.Node)
	state := s.State
	if s.Reason != "" {
		state += ": " + s.Reason
	}
	t.row("state", state)
	t.row("up for", ago(time.Now(), s.Started))
	t.row("requests", s.Counts.Requests)
	t.row("approved", s.Counts.Approved)
	t.row("declined", s.Counts.Declined)
	t.row("refused", s.Counts.Refused)
	t.row("timed out", s.Counts.TimedOut)
	t.row("reversals owed", s.Counts.Reversals)
	t.row("open", s.Open)
	t.row("held for their card", s.Held)
	t.row("to deliver", s.Owed)
	t.row("on the work list", s.Shelved)
	if len(s.StandIn) > 0 {
		t.row("stand-in for", strings.Join(s.StandIn, " "))
	}
	if len(s.Drills) > 0 {
		t.row("drills overdue", strings.Join(s.Drills, " "))
	}
	t.row("latency", fmt.Sprintf("p50 %s  p99 %s  p99.9 %s", micros(s.Latency.P50),
		micros(s.Latency.P99), micros(s.Latency.P999)))
	t.row("journal", fmt.Sprintf("record %d, last commit %s, %d MB free",
		s.Journal.LastSeq, micros(s.Journal.CommitUS), s.Journal.FreeMB))
	if len(s.Warm) > 0 {
		t.row("links kept ready", warmText(s.Warm))
	}
	return t.flush()
}

// warmText says of the connections that a standby keeps ready how many there are, since when, and
// which are missing.
func warmText(list []warm.Status) string {
	var newest time.Time
	ready, signedOn, missing := 0, 0, ""
	for i := range list {
		s := &list[i]
		if !s.Ready {
			missing += fmt.Sprintf("; %s is missing for %s", s.Link, ago(time.Now(), s.Since))
			if s.LastError != "" {
				missing += ": " + s.LastError
			}
			continue
		}
		if s.SignedOn {
			signedOn++
		}
		if ready++; s.Since.After(newest) {
			newest = s.Since
		}
	}
	text := fmt.Sprintf("%d of %d", ready, len(list))
	if signedOn > 0 {
		text += fmt.Sprintf(", %d signed on", signedOn)
	}
	if ready > 0 {
		text += fmt.Sprintf(", the newest for %s", ago(time.Now(), newest))
	}
	return text + missing
}

func micros(us int64) string { return (time.Duration(us) * time.Microsecond).String() }

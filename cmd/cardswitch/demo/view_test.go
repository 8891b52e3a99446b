package demo

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"cardswitch/conformance/count"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

var update = flag.Bool("update", false, "write the golden files anew")

// moment is a town in which something is wrong in most places.
func moment() *Snapshot {
	s := &Snapshot{Socket: "/tmp/demo/admin.sock"}
	links := []admin.LinkLine{
		{Center: "hq-aoyama", Role: "merchant", Link: "a", State: "signed-on", Best: true,
			Connections: 2, InFlight: 3, FramesIn: 100, FramesOut: 100},
		{Center: "issuer-sakura", Role: "issuer", Link: "primary", State: "down"},
		{Center: "issuer-sakura", Role: "issuer", Link: "standby", State: "signed-on", Best: true,
			Connections: 1, InFlight: 3},
		{Center: "issuer-fuji", Role: "issuer", Link: "primary", State: "signed-on", Sick: true},
	}
	queues := []cardswitch.QueueStatus{{Center: "issuer-sakura", Depth: 120}, {Center: "issuer-fuji"}}
	status := cardswitch.Status{Node: "demo", State: "serving", Shelved: 1,
		Counts: cardswitch.Counts{Requests: 1000, Approved: 900, Declined: 60, TimedOut: 2,
			Reversals: 2, Late: 1},
		Latency: cardswitch.Latency{P50: 950, P99: 42_300, P999: 3_145_728, Max: 3_200_000},
		Journal: cardswitch.JournalStatus{CommitUS: 310}}
	for n := range 70 {
		now := status
		now.Counts.Requests = uint64(1000 + n*n/4)
		links[0].FramesIn += uint64(n)
		s.Next(time.Duration(n+1)*time.Second, now, append([]admin.LinkLine(nil), links...), queues)
	}
	at := time.Date(2026, 4, 1, 9, 0, 0, 0, time.Local)
	for n, action := range []string{"000", "116", "911", "000"} {
		s.Saw(admin.Line{Seq: uint64(4000 + n), Kind: "closed", MTI: "1200", Center: "hq-aoyama",
			Dest: "issuer-sakura", PAN: "352812******0007", Amount: 1_234_567, Action: action,
			At: at.Add(time.Duration(n) * time.Millisecond), US: 21_862, Reason: 201,
			ReasonText: "issuer answered"})
	}
	s.Saw(admin.Line{Seq: 9, Kind: "event", Text: "not for the picture"})
	s.Happened(61*time.Second, "cut the primary link of issuer-sakura")
	s.Money = &count.Report{Receipts: count.Sum{Sales: 812, SalesAmount: 4_628_058},
		Switch:  count.Sum{Sales: 812, SalesAmount: 4_628_058, Returns: 3, ReturnsAmount: 999},
		Issuers: count.Sum{Sales: 811, SalesAmount: 4_627_000}}
	return s
}

func TestView(t *testing.T) {
	for _, size := range []struct {
		name          string
		width, height int
	}{{"wide", 120, 44}, {"small", 80, 24}} {
		text := View(moment(), size.width, size.height)
		lines := strings.Split(text, "\n")
		if len(lines) > size.height {
			t.Errorf("%s: %d lines in a window of %d", size.name, len(lines), size.height)
		}
		for _, line := range lines {
			if lipgloss.Width(line) > size.width {
				t.Errorf("%s: too wide: %s", size.name, line)
			}
		}
		file := "testdata/view-" + size.name + ".golden"
		got := ansi.Strip(text) + "\n"
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", size.name, diff)
		}
	}
}

func TestPlain(t *testing.T) {
	var b strings.Builder
	p := NewPlain(&b)
	s := moment()
	p.Event(s.Events[0])
	p.Show(s)
	want := "01:01  cut the primary link of issuer-sakura\n" +
		"01:10    34.0/s  links 3/4  requests 2190  approved 900  declined 60  timed out 2  " +
		"reversed 2  to deliver 0  p50 950µs  p99 42.3ms\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

// A snapshot shows the newest and forgets the rest, however long the demo runs.
func TestSnapshotIsBounded(t *testing.T) {
	s := &Snapshot{}
	for n := range 1000 {
		s.Next(time.Duration(n)*time.Second, cardswitch.Status{}, nil, nil)
		s.Saw(admin.Line{Seq: uint64(n), Kind: "settled"})
		s.Happened(0, "x")
	}
	if len(s.Rates) != ratesKept || len(s.Last) != lastKept || len(s.Events) != eventsKept {
		t.Errorf("kept %d rates, %d lines, %d events", len(s.Rates), len(s.Last), len(s.Events))
	}
	if newest := s.Last[lastKept-1].Seq; newest != 999 {
		t.Errorf("the newest is %d", newest)
	}
}

func TestYen(t *testing.T) {
	for amount, want := range map[int64]string{
		0: "¥0", 999: "¥999", 1000: "¥1,000", 1234567: "¥1,234,567", -1234: "¥-1,234",
	} {
		if got := yen(amount); got != want {
			t.Errorf("%d is %s", amount, got)
		}
	}
}

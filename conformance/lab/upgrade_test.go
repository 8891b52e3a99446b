package lab

import (
	"testing"
	"time"

	"cardswitch/conformance/count"
	"cardswitch/conformance/envelope"
)

// TestPlanOfAnUpgrade: there is none without an older program, and that is for nothing else.
func TestPlanOfAnUpgrade(t *testing.T) {
	for _, c := range []struct {
		only []string
		old  string
		good bool
	}{
		{nil, "", true},
		{[]string{"upgrade"}, "older", true},
		{[]string{"kill", "upgrade"}, "older", true},
		{[]string{"upgrade"}, "", false},
		{[]string{"kill"}, "older", false},
		{nil, "older", false},
	} {
		plan, err := Plan(1, c.only)
		if err != nil {
			t.Fatal(err)
		}
		config := Config{Rate: 100, Old: c.old, Plan: plan}
		if err := config.Validate(); (err == nil) != c.good {
			t.Errorf("only %v, old %q: %v", c.only, c.old, err)
		}
	}
}

// TestAnUpgradeDeclinesNothing: one decline is a fault of an upgrade, not of a kill.
func TestAnUpgradeDeclinesNothing(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	declined := []answer{{at: at.Add(time.Second), took: time.Millisecond}}
	for kind, clean := range map[Kind]bool{Kill: true, Upgrade: false} {
		r := &Report{Count: new(count.Report), Terms: envelope.TermCounts{Messages: 1}}
		r.add(measureUntil(kind, at, at.Add(2*time.Second), declined))
		if r.Clean() != clean {
			t.Errorf("%s with a decline: clean is %t", kind, r.Clean())
		}
	}
}

// TestAnOlderTermIsAFault: one message of it is, and so is a run in which no term was heard.
func TestAnOlderTermIsAFault(t *testing.T) {
	for heard, clean := range map[envelope.TermCounts]bool{{Messages: 9}: true,
		{Messages: 9, Older: 1}: false, {}: false, {Messages: 9, Refused: 1, Late: 1}: true} {
		if r := (&Report{Count: new(count.Report), Terms: heard}); r.Clean() != clean {
			t.Errorf("%+v: clean is %t", heard, r.Clean())
		}
	}
}

package lab

import (
	"testing"
	"time"

	"cardswitch/conformance/count"
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
		r := &Report{Count: new(count.Report)}
		r.add(measureUntil(kind, at, at.Add(2*time.Second), declined))
		if r.Clean() != clean {
			t.Errorf("%s with a decline: clean is %t", kind, r.Clean())
		}
	}
}

package torture_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cardswitch/conformance/torture"
)

func scene() torture.Scene {
	return torture.Scene{Kinds: torture.Kinds(), Partners: []string{"bank", "shop"},
		Issuers: []string{"bank"}, Links: []string{"shop", "bank/l0", "bank/l1"}}
}

func TestTheSameSeedHurtsTheSame(t *testing.T) {
	a, b := torture.Plan(7, time.Minute, scene()), torture.Plan(7, time.Minute, scene())
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(a, torture.Plan(8, time.Minute, scene())) {
		t.Error("another seed hurts the same")
	}
}

// Whatever the seed: in order, in time, everything hurt that there is, and the switch never twice
// at once.
func TestEveryPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		d := time.Duration(rapid.IntRange(40, 600).Draw(t, "seconds")) * time.Second
		seen := map[torture.Kind]bool{}
		var last, free time.Duration
		for _, f := range torture.Plan(seed, d, scene()) {
			seen[f.Kind] = true
			if f.At < last || f.At >= d || f.For < 0 {
				t.Fatalf("%v comes after %s, of %s", f, last, d)
			}
			last = f.At
			switch f.Kind {
			case torture.Kill, torture.Twice, torture.Restart, torture.Stop, torture.Torn,
				torture.Full:
				if f.At < free || f.Target != "" {
					t.Fatalf("%v, but the switch is busy until %s", f, free)
				}
				free = f.At + f.For
			case torture.Slow, torture.Reload:
			default:
				if f.Target == "" {
					t.Fatalf("%v has no target", f)
				}
			}
		}
		for _, k := range torture.Kinds() {
			if !seen[k] {
				t.Errorf("no %s in %s", k, d)
			}
		}
	})
}

func TestConfigRefuses(t *testing.T) {
	good := torture.Config{Duration: time.Minute, Rate: 100}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []torture.Config{
		{Duration: time.Second, Rate: 100}, {Duration: time.Minute},
		{Duration: time.Minute, Rate: 1, Kinds: []torture.Kind{"hug"}},
		{Duration: time.Minute, Rate: 1, Lie: "white"},
	} {
		if err := c.Validate(); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

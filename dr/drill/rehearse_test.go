package drill

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// farTwin is a cluster with a node at another site.
func farTwin() *twin {
	c := newTwin()
	c.state.Members = append(c.state.Members, Member{Node: 4, Role: roleLearner, Connected: true,
		InSync: true})
	c.rehearsed = Rehearsed{Last: 90, Lacks: 3, Ready: 700 * time.Millisecond, InDoubt: 5, Keys: 9,
		Doubts:  []Doubt{{7, Approved}, {9, Declined}, {11, StillOpen}, {13, Approved}},
		Removed: true, Steps: []Step{{"promoted in", time.Millisecond}}}
	return c
}

func TestRehearsal(t *testing.T) {
	for name, one := range map[string]struct {
		spoil   func(*twin)
		dry     bool
		want    Outcome
		because string
	}{
		"all is well":    {func(*twin) {}, false, Passed, ""},
		"only looked":    {func(*twin) {}, true, Ready, "nothing was touched"},
		"it can't":       {func(c *twin) { c.refuses = errors.New("no") }, false, Failed, "no"},
		"a fault":        {func(c *twin) { c.rehearsed.Fault = "no key" }, false, Failed, "no key"},
		"what stays":     {func(c *twin) { c.rehearsed.Removed = false }, false, Failed, "still in"},
		"it isn't there": {func(c *twin) { c.state.Members[3].Connected = false }, false, Refused, ""},
		"it lags":        {func(c *twin) { c.state.Members[3].Behind = time.Minute }, false, Refused, ""},
	} {
		c := farTwin()
		one.spoil(c)
		r := try(t, c, Order{Kind: Site, DryRun: one.dry})
		if r.Outcome != one.want || !strings.Contains(r.Because, one.because) {
			t.Errorf("%s: %s %s", name, r.Outcome, r.Because)
		}
		if touched := one.want != Ready && one.want != Refused; touched != (len(c.hurts) > 0) {
			t.Errorf("%s: %v", name, c.hurts)
		}
		if len(r.Advice) == 0 {
			t.Errorf("%s: no advice", name)
		}
	}
	r := try(t, farTwin(), Order{Kind: Site})
	var page bytes.Buffer
	if err := r.WriteHTML(&page); err != nil || !strings.Contains(page.String(), "700ms") ||
		!strings.Contains(page.String(), "transactions 7, 13") {
		t.Error(err, page.String())
	}
	if s := r.Summary(); s.Gap != 700*time.Millisecond || r.Rehearsed[0].Node != 4 {
		t.Errorf("%+v", s)
	}
	rule := []Rule{{Site, 24 * time.Hour}}
	if d := Calendar(rule, []Summary{r.Summary()}, time.Now()); d[0].LastID != r.ID {
		t.Errorf("%+v", d)
	}
	looked := try(t, farTwin(), Order{Kind: Site, DryRun: true})
	if d := Calendar(rule, []Summary{looked.Summary()}, time.Now()); d[0].LastID != "" {
		t.Errorf("it was only looked: %+v", d)
	}
}

func TestARehearsalIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		c, o := farTwin(), Order{Kind: Site, Why: "test"}
		if err := o.Complete(); err != nil {
			t.Fatal(err)
		}
		r := Run(ctx, c, o, func(Event) {})
		if r.Outcome != Aborted || len(c.healed) != 1 || c.healed[0] != r.ID {
			t.Errorf("%s, healed %v", r.Outcome, c.healed)
		}
	})
}

package wire

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestPrograms: nodes tell each other which levels of a journal they can read, one from before says
// nothing of it; once the journal is of a level that one can't read, neither end takes the other,
// and both say why.
func TestPrograms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTown(t)
		var level atomic.Uint32
		level.Store(1)
		as := func(reads uint8) func(*Config) {
			return func(c *Config) {
				c.Program = Program{reads, "of level " + string('0'+rune(reads))}
				c.Level = func() uint8 { return uint8(level.Load()) }
			}
		}
		a, b := o.node(1, as(2)), o.node(2, as(3))
		old := o.node(3, func(c *Config) { c.Program, c.Level = Program{}, nil })
		reads := func(want uint8) {
			t.Helper()
			time.Sleep(5 * time.Second)
			if got := a.Reads([]uint64{1, 2, 3}); got != want {
				t.Errorf("all can read level %d, not %d", got, want)
			}
		}
		reads(1)
		if s := a.Status(); s[0].Program != (Program{3, "of level 3"}) || s[1].Program != unnamed {
			t.Errorf("the others are %+v", s)
		}
		old.Close()
		reads(0)
		level.Store(2)
		old = o.node(3, func(c *Config) { c.Program, c.Level = Program{}, nil })
		reads(0)
		if old.Send(1, []byte("in")) || a.Send(3, []byte("out")) || !a.Send(2, []byte("between")) {
			t.Error("connected")
		}
		for _, n := range []*node{a, old} {
			if !n.said("up to level 1, the cluster's is of level 2; upgrade it") {
				t.Errorf("it isn't told why: %s", n.log.String())
			}
		}
		old.Close()
		o.node(3, as(2))
		reads(2)
		if got := a.Reads([]uint64{1, 2, 3, 4}); got != 0 {
			t.Errorf("one that never came can read level %d", got)
		}
		if !b.Send(3, []byte("in")) {
			t.Error("the upgraded node isn't connected")
		}
	})
}

// TestProgramText: a program is read as it was written; what can't be one is one from before.
func TestProgramText(t *testing.T) {
	for _, c := range []struct{ p, want Program }{
		{Program{1, ""}, Program{1, ""}},
		{Program{7, "v1.2 (ab12)"}, Program{7, "v1.2 (ab12)"}},
		{Program{2, strings.Repeat("x", 2*mostName)}, Program{2, strings.Repeat("x", mostName)}},
		{Program{2, "\xff"}, Program{2, "?"}},
		{Program{0, "none"}, unnamed},
	} {
		if got := parseProgram(c.p.append(nil)); got != c.want {
			t.Errorf("%+v came back as %+v", c.p, got)
		}
	}
	if got := parseProgram(make([]byte, 1000)); got != unnamed {
		t.Errorf("rubbish is %+v", got)
	}
}

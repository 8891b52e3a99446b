package envelope

import (
	"bytes"
	"testing"
)

// saying is an end that says a term and heeds those of the other one.
func saying(term uint64, heard *Terms) Options {
	o := options()
	o.Terms, o.Term = heard, term
	return o
}

// Ends of this version and of an older one take each other's sessions, whoever dials.
func TestTermsOfBothVersions(t *testing.T) {
	says := func(term uint64) Options { return saying(term, new(Terms)) }
	for name, c := range map[string]struct {
		i, a     Options
		ofI, ofA uint64
	}{
		"both":         {says(5), says(6), 5, 6},
		"no cluster":   {says(0), says(6), 0, 6},
		"an older one": {options(), says(6), 0, 0},
		"to an older":  {says(5), options(), 5, 0},
		"both older":   {options(), options(), 0, 0},
	} {
		x, y, err := shake(c.i, c.a, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if y.State().Term != c.ofI || x.State().Term != c.ofA {
			t.Errorf("%s: terms %d and %d", name, y.State().Term, x.State().Term)
		}
		takes(t, y, sealed(t, x, "there"), "there")
		takes(t, x, sealed(t, y, "and back"), "and back")
	}
}

// A lower term is refused at either end with the alert that says nothing, and only when it is
// proven; what was proven is the highest, and nothing else.
func TestALowerTermIsRefused(t *testing.T) {
	heard := new(Terms)
	if _, _, err := shake(saying(6, new(Terms)), saying(0, heard), nil); err != nil {
		t.Fatal(err)
	}
	_, y, err := shake(saying(5, new(Terms)), saying(0, heard), nil)
	if err == nil || y.Standing() {
		t.Errorf("an acceptor takes term 5 after 6: %v", err)
	}
	if x, _, err := shake(saying(0, heard), saying(5, new(Terms)), nil); err == nil || x.Standing() {
		t.Errorf("an initiator takes term 5 after 6: %v", err)
	}
	_, _, err = shake(saying(9, new(Terms)), saying(0, heard), func(n int, frame []byte) []byte {
		if n == 3 {
			frame = bytes.Clone(frame)
			frame[len(frame)-1]++
		}
		return frame
	})
	if c := heard.Counts(); err == nil || c.Highest != 6 || c.Refused != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, term := range []uint64{6, 0, 7} {
		if _, _, err := shake(saying(term, new(Terms)), saying(0, heard), nil); err != nil {
			t.Errorf("term %d: %v", term, err)
		}
	}
	heard.Forget()
	if _, _, err := shake(saying(2, new(Terms)), saying(0, heard), nil); err != nil {
		t.Errorf("once the terms are forgotten: %v", err)
	}
}

// A session of a higher term ends those of lower ones, and those that said none: what comes over
// them is refused, and counted, and nothing is sealed for them but the alert.
func TestAHigherTermEndsOthers(t *testing.T) {
	heard := new(Terms)
	over := make(chan uint64, 10)
	of := func(peer Options) (x, y *Session) {
		o := saying(0, heard)
		o.Over = func() { over <- peer.Term }
		x, y, err := shake(peer, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		return x, y
	}
	silent, toSilent := of(options())
	old, toOld := of(saying(5, new(Terms)))
	if got := <-over; got != 0 || toOld.options.Terms.over(toOld) {
		t.Fatalf("term %d is over", got)
	}
	takes(t, toOld, sealed(t, old, "in time"), "in time")
	underWay := sealed(t, old, "late")
	next, toNext := of(saying(6, new(Terms)))
	if got := <-over; got != 5 {
		t.Fatalf("term %d is over", got)
	}
	takes(t, toNext, sealed(t, next, "new"), "new")
	if _, err := toOld.Seal([]byte("answer")); err != ErrNotStanding {
		t.Errorf("an answer for the old term: %v", err)
	}
	for s, frame := range map[*Session][]byte{
		toOld: underWay, toSilent: sealed(t, silent, "late, too")} {
		if e, err := s.Receive(frame); err == nil || e.Message != nil || len(e.Send) != 1 {
			t.Errorf("%v, %v", e, err)
		}
	}
	want := TermCounts{Highest: 6, Messages: 2, Ended: 2, Late: 2}
	if c := heard.Counts(); c != want {
		t.Errorf("%+v, not %+v", c, want)
	}
}

// The count of older messages is of what was taken, whoever let it through.
func TestOlderMessagesAreCounted(t *testing.T) {
	heard := new(Terms)
	for _, s := range []*Session{{term: 5, since: 6}, {term: 6, since: 6}, {term: 5, since: 6},
		{since: 6}} {
		if err := heard.take(s, true); err != nil {
			t.Fatal(err)
		}
	}
	if c := heard.Counts(); c.Older != 1 || c.Messages != 3 {
		t.Errorf("%+v", c)
	}
}

// A standby's session is ended by no term of others until it has said its own, once; from then on
// it is like any other.
func TestAStandbySaysItsTermLater(t *testing.T) {
	heard := new(Terms)
	waits := func() (x, y *Session) {
		i, a := saying(0, new(Terms)), saying(0, heard)
		i.Standby, a.Standby = true, true
		a.Over = func() {}
		x, y, err := shake(i, a, nil)
		if err != nil || !x.State().Waits || !y.State().Waits {
			t.Fatalf("%v, %+v", err, y.State())
		}
		return x, y
	}
	raise := func(x, y *Session, term uint64) error {
		frame, err := x.Raise(term)
		if err != nil {
			t.Fatal(err)
		}
		_, err = y.Receive(frame)
		return err
	}
	x, y := waits()
	x2, y2 := waits()
	old, toOld, err := shake(saying(6, new(Terms)), saying(0, heard), nil)
	if err != nil {
		t.Fatal(err)
	}
	takes(t, y, sealed(t, x, "sign-on"), "sign-on")
	for _, s := range [][2]*Session{{x, y}, {x2, y2}} {
		if err := raise(s[0], s[1], 7); err != nil || s[1].State().Term != 7 {
			t.Fatalf("%v, %+v", err, s[1].State())
		}
		takes(t, s[1], sealed(t, s[0], "question"), "question")
	}
	if _, err := toOld.Receive(sealed(t, old, "late")); err == nil {
		t.Error("one of term 6 is taken after 7")
	}
	if _, err := x.Raise(8); err == nil {
		t.Error("a second term")
	}
	late, toLate := waits()
	if err := raise(late, toLate, 6); err == nil {
		t.Error("term 6 is taken after 7")
	}
	none, toNone := waits()
	if err := raise(none, toNone, 0); err == nil {
		t.Error("no term is taken for one")
	}
	if c := heard.Counts(); c.Highest != 7 || c.Older != 0 {
		t.Errorf("%+v", c)
	}
}

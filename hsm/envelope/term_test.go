package envelope

import (
	"bytes"
	"encoding/binary"
	"sync"
	"testing"
)

// end is what one side of a handshake does about terms.
type end struct {
	asks  bool // an end of an older version does not
	term  uint64
	heard uint64 // the peer's highest, before
}

func (e end) policy() Policy {
	if !e.asks {
		return Policy{}
	}
	p := Policy{Terms: new(Terms), Term: e.term}
	p.Terms.Admit(e.heard)
	return p
}

func TestTermsAreSaid(t *testing.T) {
	says := func(term uint64) end { return end{asks: true, term: term} }
	heard := func(term uint64) end { return end{asks: true, heard: term} }
	old, none := end{}, says(0)
	for name, c := range map[string]struct {
		i, a                   end
		termOfI, termOfA       uint64 // as the other side has it
		refusedByI, refusedByA bool
	}{
		"neither asks":                   {i: old, a: old},
		"an old acceptor":                {i: says(5), a: old, termOfI: 5},
		"an old initiator":               {i: old, a: says(5)},
		"an old acceptor after a term":   {i: heard(9), a: old},
		"an old initiator after a term":  {i: old, a: heard(9)},
		"no cluster on either side":      {i: none, a: none},
		"the initiator is a cluster":     {i: says(5), a: none, termOfI: 5},
		"the acceptor is a cluster":      {i: none, a: says(6), termOfA: 6},
		"both are":                       {i: says(5), a: says(6), termOfI: 5, termOfA: 6},
		"the same term again":            {i: says(5), a: heard(5), termOfI: 5},
		"a higher one":                   {i: says(5), a: heard(4), termOfI: 5},
		"the highest there is":           {i: says(1<<64 - 1), a: heard(4), termOfI: 1<<64 - 1},
		"a lower one of the initiator":   {i: says(4), a: heard(5), refusedByA: true},
		"a lower one of the acceptor":    {i: heard(5), a: says(4), refusedByI: true},
		"no cluster any more, initiator": {i: none, a: heard(5)},
		"no cluster any more, acceptor":  {i: heard(5), a: none},
	} {
		t.Run(name, func(t *testing.T) {
			pi, pa := c.i.policy(), c.a.policy()
			i, a := open(t, pi, pa)
			errI, errA := shake(i, a, straight)
			switch {
			case c.refusedByI:
				shut(t, i, errI, OldTerm)
				shut(t, a, errA, Alerted)
				return
			case c.refusedByA:
				shut(t, a, errA, OldTerm)
				return
			}
			must(t, errI)
			must(t, errA)
			if got := a.Session().Term(); got != c.termOfI {
				t.Errorf("the acceptor has term %d", got)
			}
			if got := i.Session().Term(); got != c.termOfA {
				t.Errorf("the initiator has term %d", got)
			}
			if c.a.asks && pa.Terms.Highest() != max(c.a.heard, c.termOfI) ||
				c.i.asks && pi.Terms.Highest() != max(c.i.heard, c.termOfA) {
				t.Error("the highest term isn't what was proven")
			}
			if i.Session().Heeded() != (c.i.asks && c.a.asks) || a.Session().Heeded() != c.i.asks {
				t.Errorf("heeded: %v, %v", i.Session().Heeded(), a.Session().Heeded())
			}
			passes(t, i.Session(), a.Session(), "there")
			passes(t, a.Session(), i.Session(), "and back")
		})
	}
}

// Who is refused for its term gets the alert that everyone gets.
func TestAnOldTermIsToldNothing(t *testing.T) {
	i, a := open(t, end{asks: true, term: 4}.policy(), end{asks: true, heard: 5}.policy())
	out, err := a.Receive(i.Hello())
	must(t, err)
	_, err = i.Receive(out[0])
	must(t, err)
	finished, err := i.Receive(out[1])
	must(t, err)
	out, err = a.Receive(finished[0])
	if CauseOf(err) != OldTerm || len(out) != 1 || !bytes.Equal(out[0], alert(acceptor)) {
		t.Fatalf("%x, %v", out, err)
	}
	// The initiator's session stands: it takes the alert for the end.
	refuses(t, i.Session(), out[0], Alerted)
}

// A term counts when its sender has proven to have the key, and said it itself.
func TestATermIsProvenFirst(t *testing.T) {
	asked := func() Policy { return end{asks: true, term: 7, heard: 5}.policy() }
	for stage := range 4 {
		pi, pa := asked(), asked()
		i, a := open(t, pi, pa)
		shake(i, a, func(n int, frame []byte) []byte {
			if n == stage {
				return flipped(frame, 8*len(frame)-1) // of a hello that is the term
			}
			return frame
		})
		if got := pa.Terms.Highest(); got != 5 {
			t.Errorf("frame %d changed: the acceptor knows of term %d", stage, got)
		}
		// The initiator has what it wants before its own proof is refused.
		if got := pi.Terms.Highest(); stage < 3 && got != 5 {
			t.Errorf("frame %d changed: the initiator knows of term %d", stage, got)
		}
	}
}

// An answer that says a term that nobody asked for is refused.
func TestATermNobodyAskedFor(t *testing.T) {
	i, a := open(t, Policy{}, Policy{})
	errI, errA := shake(i, a, func(n int, frame []byte) []byte {
		if n == 1 {
			return (&options{term: new(uint64(5))}).append(bytes.Clone(frame))
		}
		return frame
	})
	shut(t, i, errI, BadHello)
	shut(t, a, errA, Alerted)
}

// Once a higher term is proven on any connection, no frame of a lower one is opened any more, the
// ones under way included.
func TestAHigherTermEndsLowerOnes(t *testing.T) {
	for name, c := range map[string]struct {
		before, after uint64
		over          bool
	}{
		"higher":            {5, 6, true},
		"equal":             {5, 5, false},
		"none before":       {0, 6, true},
		"none after":        {5, 0, false},
		"none at all":       {0, 0, false},
		"none before, same": {0, 5, true},
	} {
		t.Run(name, func(t *testing.T) {
			terms := new(Terms)
			of := func(term uint64) (peer, us *Session) {
				return pair(t, Policy{Terms: new(Terms), Term: term}, Policy{Terms: terms})
			}
			old, toOld := of(c.before)
			passes(t, old, toOld, "before")
			underWay := seal(t, old, "under way")
			next, toNext := of(c.after)
			if toOld.Over() != c.over || toNext.Over() || old.Over() {
				t.Fatalf("over: %v, the new one %v", toOld.Over(), toNext.Over())
			}
			passes(t, next, toNext, "after")
			if !c.over {
				passes(t, toOld, old, "and back")
				return
			}
			refuses(t, toOld, underWay, OldTerm)
			passes(t, next, toNext, "and on")
		})
	}
}

// A peer that says no term, as one of an older version, stands until a term is proven that wasn't
// known when it came.
func TestWhoSaysNoTerm(t *testing.T) {
	terms := new(Terms)
	of := func(p Policy) *Session { _, us := pair(t, p, Policy{Terms: terms}); return us }
	termed := func(term uint64) Policy { return Policy{Terms: new(Terms), Term: term} }
	first := of(Policy{})
	of(termed(6))
	second := of(Policy{})
	if !first.Over() || second.Over() {
		t.Fatalf("over: %v, %v", first.Over(), second.Over())
	}
	if of(termed(6)); second.Over() {
		t.Fatal("the same term once more ended it")
	}
	if of(termed(7)); !second.Over() {
		t.Fatal("a later term didn't end it")
	}
}

func TestForget(t *testing.T) {
	terms := new(Terms)
	terms.Admit(9)
	if _, ok := terms.Admit(3); ok {
		t.Fatal("a lower term is admitted")
	}
	terms.Forget()
	if highest, ok := terms.Admit(3); !ok || highest != 3 || terms.Highest() != 3 {
		t.Fatalf("after forgetting: %d, %v", highest, ok)
	}
}

// Of terms that are proven at the same time the highest is left, and each admitted one was no lower
// than any before it.
func TestTermsAtOnce(t *testing.T) {
	terms := new(Terms)
	var all sync.WaitGroup
	for n := range uint64(64) {
		all.Go(func() {
			was := terms.Highest()
			highest, ok := terms.Admit(n + 1)
			if ok != (highest == n+1) || highest < was || ok && n+1 < was {
				t.Errorf("term %d: %d, %v", n+1, highest, ok)
			}
		})
	}
	all.Wait()
	if terms.Highest() != 64 {
		t.Errorf("the highest is %d", terms.Highest())
	}
}

// FuzzHellos reads any bytes as a hello and as an answer. What is taken says the same when it is
// written again; an answer is taken in one form only.
func FuzzHellos(f *testing.F) {
	h, a := testHello(), ack{suite: GCM, generation: 7}
	for _, term := range []*uint64{nil, new(uint64(0)), new(uint64(1 << 40))} {
		h.term, a.term = term, term
		f.Add(h.frame())
		f.Add(append(h.frame(), 9, 0, 1, 1))
		f.Add(a.frame())
		f.Add(append(a.frame(), 9, 0, 1, 1))
	}
	h.term, a.term, h.standby, a.standby = new(uint64(0)), new(uint64(3)), true, true
	f.Add(h.frame())
	f.Add(a.frame())
	h.share, a.share = make([]byte, helloShareSize), make([]byte, ackShareSize)
	f.Add(h.frame())
	f.Add(a.frame())
	f.Fuzz(func(t *testing.T, input []byte) {
		if h, fault := readHello(input); fault == None {
			again, fault := readHello(h.frame())
			if fault != None || !bytes.Equal(again.frame(), h.frame()) {
				t.Fatalf("%x: %v", input, fault)
			}
		}
		if a, fault := readAck(input); fault == None && !bytes.Equal(a.frame(), input) {
			t.Fatalf("%x is taken, but we write %x", input, a.frame())
		}
	})
}

// The option is the last one: type 3, eight bytes, most significant first.
func TestTermOption(t *testing.T) {
	h := testHello()
	h.term = new(uint64(0x0102030405060708))
	frame := h.frame()
	if tail := frame[len(frame)-11:]; !bytes.Equal(tail, []byte{3, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8}) {
		t.Fatalf("%x", tail)
	}
	got, fault := readHello(frame)
	if fault != None || *got.term != binary.BigEndian.Uint64(frame[len(frame)-8:]) {
		t.Fatalf("%v", fault)
	}
	for _, size := range []byte{0, 7, 9} {
		odd := append(testHello().frame(), 3, 0, size)
		if _, fault := readHello(append(odd, make([]byte, size)...)); fault != BadHello {
			t.Errorf("a term of %d bytes: %v", size, fault)
		}
	}
}

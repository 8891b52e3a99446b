package envelope

import "testing"

// waitsWith gives a standby's session with a center that allows it.
func waitsWith(t *testing.T, terms *Terms) (standby, us *Session) {
	t.Helper()
	return pair(t, Policy{Terms: new(Terms), Standby: true}, Policy{Terms: terms, Standby: true})
}

// raised gives the frame by which a standby says its term.
func raised(t *testing.T, s *Session, term uint64) []byte {
	t.Helper()
	frame, err := s.Sealer().Raise(nil, term)
	must(t, err)
	return frame
}

// A session that waits is ended by no term of others before it has said its own; from then on it is
// like any of that term.
func TestAStandbySaysItsTermLater(t *testing.T) {
	terms := new(Terms)
	of := func(term uint64) (peer, us *Session) {
		return pair(t, Policy{Terms: new(Terms), Term: term}, Policy{Terms: terms})
	}
	active, toActive := of(5)
	standby, toStandby := waitsWith(t, terms)
	if !standby.Waits() || !toStandby.Waits() || toStandby.Term() != 0 {
		t.Fatalf("waits: %v, %v", standby.Waits(), toStandby.Waits())
	}
	_, toOther := of(6)
	passes(t, standby, toStandby, "sign-on")
	passes(t, toStandby, standby, "answer")
	if !toActive.Over() || toStandby.Over() {
		t.Fatal("over: the standby, or not the one before")
	}
	got, err := toStandby.Opener().Open(raised(t, standby, 7))
	if got != nil || err != nil || toStandby.Term() != 7 || terms.Highest() != 7 {
		t.Fatalf("%q, %v, term %d, the highest is %d", got, err, toStandby.Term(), terms.Highest())
	}
	if !toOther.Over() || toStandby.Over() {
		t.Fatal("over: the one that has said its term, or not the one before")
	}
	refuses(t, toActive, seal(t, active, "late"), OldTerm)
	passes(t, standby, toStandby, "question")
	late := seal(t, standby, "late")
	of(8)
	refuses(t, toStandby, late, OldTerm)
}

// Two standbys' connections of one node that becomes active: the first term doesn't end the second.
func TestASecondConnectionOfTheSameTerm(t *testing.T) {
	terms := new(Terms)
	one, toOne := waitsWith(t, terms)
	two, toTwo := waitsWith(t, terms)
	for _, s := range [][2]*Session{{one, toOne}, {two, toTwo}} {
		if _, err := s[1].Opener().Open(raised(t, s[0], 7)); err != nil {
			t.Fatal(err)
		}
	}
	passes(t, one, toOne, "question")
	passes(t, two, toTwo, "question")
}

// A term is said once, by who was allowed to wait, and isn't older than what was proven.
func TestATermThatMayNotBeSaid(t *testing.T) {
	open := func(known uint64) (standby, us *Session) {
		terms := new(Terms)
		terms.Admit(known)
		return waitsWith(t, terms)
	}
	standby, us := open(9)
	refuses(t, us, raised(t, standby, 8), OldTerm)

	standby, us = open(9)
	if _, err := us.Opener().Open(raised(t, standby, 9)); err != nil {
		t.Fatal(err)
	}
	if _, err := standby.Sealer().Raise(nil, 10); CauseOf(err) != BadPolicy {
		t.Errorf("a second one: %v", err)
	}
	standby.sealer.waits = true
	refuses(t, us, raised(t, standby, 10), WrongType)

	standby, us = open(0)
	if _, err := standby.Sealer().Raise(nil, 0); CauseOf(err) != BadPolicy {
		t.Errorf("none: %v", err)
	}
	for _, content := range []string{"\x00\x00\x00\x00\x00\x00\x00\x00", "\x01"} {
		standby, us = open(0)
		frame, err := standby.sealer.seal(nil, []byte(content), typeTerm)
		must(t, err)
		refuses(t, us, frame, WrongContent)
	}

	// Where it wasn't agreed on.
	standby, us = pair(t, Policy{Terms: new(Terms)}, Policy{Terms: new(Terms)})
	if _, err := standby.Sealer().Raise(nil, 5); CauseOf(err) != BadPolicy {
		t.Errorf("nobody waits: %v", err)
	}
	standby.sealer.waits = true
	refuses(t, us, raised(t, standby, 5), WrongType)
}

// Who isn't known to wait, as by an older version, has a session without a term, like any other.
func TestAStandbyThatIsNotAllowed(t *testing.T) {
	for name, a := range map[string]Policy{
		"it heeds terms": {Terms: new(Terms)}, "it doesn't": {},
	} {
		standby, us := pair(t, Policy{Terms: new(Terms), Standby: true}, a)
		if standby.Waits() || us.Waits() || standby.Heeded() != (a.Terms != nil) {
			t.Errorf("%s: waits %v, heeded %v", name, standby.Waits(), standby.Heeded())
		}
		passes(t, standby, us, "there")
	}
	for name, p := range map[string]Policy{
		"without terms": {Standby: true}, "with a term": {Terms: new(Terms), Term: 3, Standby: true},
	} {
		if _, err := NewInitiator(testLink, 7, ring(p, 7)); CauseOf(err) != BadPolicy {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The option stands behind the term, and has no value.
func TestStandbyOption(t *testing.T) {
	h, a := testHello(), ack{suite: GCM, generation: 7}
	h.term, a.term = new(uint64(0)), new(uint64(0))
	h.standby, a.standby = true, true
	if got, fault := readHello(h.frame()); fault != None || !got.standby {
		t.Error(fault)
	}
	if got, fault := readAck(a.frame()); fault != None || !got.standby {
		t.Error(fault)
	}
	h.term = new(uint64(1))
	if _, fault := readHello(h.frame()); fault != BadHello {
		t.Errorf("of a term: %v", fault)
	}
	h.term, a.term = nil, nil
	if _, fault := readHello(h.frame()); fault != BadHello {
		t.Errorf("without a term: %v", fault)
	}
	if _, fault := readAck(a.frame()); fault != BadHello {
		t.Errorf("an answer without a term: %v", fault)
	}
	odd := append(testHello().frame(), 3, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0)
	if _, fault := readHello(odd); fault != BadHello {
		t.Errorf("with a value: %v", fault)
	}
}

// A session is heeded by other terms when it changes hands.
func TestHeedOtherTerms(t *testing.T) {
	us, peer := pair(t, Policy{Terms: new(Terms)}, Policy{Terms: new(Terms), Term: 5})
	terms := new(Terms)
	if !us.Heed(terms) || terms.Highest() != 5 {
		t.Fatalf("the highest is %d", terms.Highest())
	}
	passes(t, peer, us, "there")
	late := seal(t, peer, "late")
	terms.Admit(6)
	refuses(t, us, late, OldTerm)
	if us.Heed(terms) {
		t.Error("it may go on")
	}
}

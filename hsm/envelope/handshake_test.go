package envelope

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func open(t testing.TB, pi, pa Policy) (i, a *Handshake) {
	t.Helper()
	i, err := NewInitiator(testLink, 7, ring(pi, 7))
	must(t, err)
	return i, NewAcceptor(ring(pa, 7))
}

func TestAgreement(t *testing.T) {
	both, legacy := []Suite{TDES, GCM}, []Suite{TDES}
	offered, required := Policy{Share: ShareOffered}, Policy{Share: ShareRequired}
	for name, c := range map[string]struct {
		i, a   Policy
		suite  Suite
		padded bool
		hybrid bool
	}{
		"plain":               {suite: GCM},
		"both, GCM wins":      {i: Policy{Suites: both}, a: Policy{Suites: both}, suite: GCM},
		"a legacy peer":       {i: Policy{Suites: legacy}, a: Policy{Suites: both}, suite: TDES},
		"we dial a legacy":    {i: Policy{Suites: both}, a: Policy{Suites: legacy}, suite: TDES},
		"initiator pads":      {i: Policy{Padding: true}, suite: GCM, padded: true},
		"acceptor pads":       {a: Policy{Padding: true}, suite: GCM, padded: true},
		"share not answered":  {i: Policy{Share: ShareOffered}, suite: GCM},
		"share not offered":   {a: Policy{Share: ShareOffered}, suite: GCM},
		"share offered":       {i: offered, a: required, suite: GCM, hybrid: true},
		"share, all required": {i: required, a: required, suite: GCM, hybrid: true},
	} {
		t.Run(name, func(t *testing.T) {
			i, a := pair(t, c.i, c.a)
			for _, s := range []*Session{i, a} {
				if s.Suite() != c.suite || s.Padded() != c.padded || s.Hybrid() != c.hybrid ||
					s.Link() != testLink || s.ID() != i.ID() || at(s) != "{7 0} {7 0}" {
					t.Errorf("agreed on %v, padded %v, hybrid %v", s, s.Padded(), s.Hybrid())
				}
			}
			passes(t, i, a, "question")
			passes(t, a, i, "answer")
		})
	}
}

// shut sees that a handshake has failed on a side, and stays so.
func shut(t *testing.T, h *Handshake, got error, want Cause) {
	t.Helper()
	if !errors.Is(got, want) || !errors.Is(got, ErrRefused) {
		t.Errorf("refused with %v, want %v", got, want)
	}
	if h.Session() != nil {
		t.Error("a session stands")
	}
	if out, err := h.Receive([]byte("more")); out != nil || err != got {
		t.Errorf("a dead handshake goes on: %v", err)
	}
}

func TestDisagreement(t *testing.T) {
	legacy := Policy{Suites: []Suite{TDES}}
	for name, c := range map[string]struct {
		i, a       Policy
		errI, errA Cause
	}{
		"legacy not allowed here":  {legacy, Policy{}, Alerted, NoSuite},
		"legacy not allowed there": {Policy{}, legacy, Alerted, NoSuite},
		"share required there":     {Policy{}, Policy{Share: ShareRequired}, Alerted, NoShare},
		"share required here":      {Policy{Share: ShareRequired}, Policy{}, NoShare, Alerted},
		"a policy that can't be":   {Policy{}, Policy{MaxFrame: 5}, Alerted, BadPolicy},
	} {
		t.Run(name, func(t *testing.T) {
			i, a := open(t, c.i, c.a)
			errI, errA := shake(i, a, straight)
			shut(t, i, errI, c.errI)
			shut(t, a, errA, c.errA)
		})
	}
}

func TestUnknownLinkAndGeneration(t *testing.T) {
	for name, keys := range map[string]Keys{
		"link":       func(string, uint16) (Key, Policy, bool) { return Key{}, Policy{}, false },
		"generation": ring(Policy{}, 8),
		"no key":     func(string, uint16) (Key, Policy, bool) { return Key{}, Policy{}, true },
	} {
		t.Run(name, func(t *testing.T) {
			i, _ := open(t, Policy{}, Policy{})
			a := NewAcceptor(keys)
			errI, errA := shake(i, a, straight)
			shut(t, i, errI, Alerted)
			shut(t, a, errA, UnknownKey)
		})
	}
}

// Whatever is wrong, the peer sees the same bytes.
func TestTheAlertHasOneShape(t *testing.T) {
	want := unhex("e8140001" + strings.Repeat("00", 20))
	good, _ := open(t, Policy{}, Policy{})
	hello := good.Hello()
	for n := range hello {
		a := NewAcceptor(ring(Policy{}, 7))
		out, err := a.Receive(hello[:n])
		if err == nil || len(out) != 1 || !bytes.Equal(out[0], want) {
			t.Fatalf("%d bytes of a hello: %x, %v", n, out, err)
		}
	}
	for _, keys := range []Keys{ring(Policy{}, 8), ring(Policy{Suites: []Suite{TDES}}, 7),
		func(string, uint16) (Key, Policy, bool) { return Key{7, brokenPRF{}}, Policy{}, true }} {
		out, err := NewAcceptor(keys).Receive(hello)
		if err == nil || len(out) != 1 || !bytes.Equal(out[0], want) {
			t.Fatalf("%x, %v", out, err)
		}
	}
	a := NewAcceptor(ring(Policy{}, 7))
	_, err := a.Receive(hello)
	must(t, err)
	out, err := a.Receive(make([]byte, 72))
	if err == nil || len(out) != 1 || !bytes.Equal(out[0], want) {
		t.Fatalf("%x, %v", out, err)
	}
}

func TestAnAlertIsNotAnswered(t *testing.T) {
	i, a := open(t, Policy{}, Policy{})
	out, err := i.Receive(alert(acceptor))
	if out != nil {
		t.Errorf("answered with %x", out)
	}
	shut(t, i, err, Alerted)
	out, err = a.Receive(alert(initiator))
	if out != nil {
		t.Errorf("answered with %x", out)
	}
	shut(t, a, err, Alerted)
}

func TestAFailedHandshakeForgets(t *testing.T) {
	p := Policy{Share: ShareRequired}
	i, a := open(t, p, p)
	_, err := a.Receive(i.Hello())
	must(t, err)
	s := a.session
	_, err = a.Receive(make([]byte, 72))
	shut(t, a, err, WrongType)
	if s.origin.shared != (secret{}) || s.sealer.channel.secret != (secret{}) ||
		s.opener.channel.secret != (secret{}) || a.own != [32]byte{} || a.proof != [32]byte{} ||
		a.dice.curve != [32]byte{} {
		t.Error("a secret is left")
	}
}

func TestWrongKey(t *testing.T) {
	for _, p := range []Policy{{}, {Share: ShareOffered}, {Suites: []Suite{TDES}}} {
		i, _ := open(t, p, p)
		a := NewAcceptor(func(string, uint16) (Key, Policy, bool) {
			return Key{7, prfOf(1007)}, p, true
		})
		errI, errA := shake(i, a, straight)
		shut(t, i, errI, WrongTag)
		shut(t, a, errA, Alerted)
	}
}

func TestTheModuleDoesNotAnswer(t *testing.T) {
	broken := func(string, uint16) (Key, Policy, bool) { return Key{7, brokenPRF{}}, Policy{}, true }
	i, _ := open(t, Policy{}, Policy{})
	a := NewAcceptor(broken)
	errI, errA := shake(i, a, straight)
	shut(t, a, errA, KeyFailed)
	shut(t, i, errI, Alerted)
	if !errors.Is(errA, errHSM) {
		t.Errorf("%v does not say why", errA)
	}
	i, err := NewInitiator(testLink, 7, broken)
	must(t, err)
	a = NewAcceptor(ring(Policy{}, 7))
	errI, errA = shake(i, a, straight)
	shut(t, i, errI, KeyFailed)
	shut(t, a, errA, Alerted)
}

// A peer that dials with a generation which never reached us is answered with ours, if it has it.
func TestTheAcceptorChoosesAnotherGeneration(t *testing.T) {
	older := func(string, uint16) (Key, Policy, bool) { return Key{7, prfOf(7)}, Policy{}, true }
	i, err := NewInitiator(testLink, 8, ring(Policy{}, 7, 8))
	must(t, err)
	a := NewAcceptor(older)
	errI, errA := shake(i, a, straight)
	must(t, errI)
	must(t, errA)
	passes(t, i.Session(), a.Session(), "question")
	if at(i.Session()) != "{7 0} {7 0}" {
		t.Errorf("stands at %v", at(i.Session()))
	}

	i, err = NewInitiator(testLink, 8, ring(Policy{}, 8))
	must(t, err)
	a = NewAcceptor(older)
	errI, errA = shake(i, a, straight)
	shut(t, i, errI, UnknownKey)
	shut(t, a, errA, Alerted)
}

// Every bit of every frame of the handshake: neither side may come to a session, or only the side
// that had all it needed before.
func TestEveryFlippedBitOfTheHandshakeIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		p    Policy
		step int
	}{
		"GCM":   {Policy{Suites: []Suite{GCM, TDES}, Padding: true}, 1},
		"TDES":  {Policy{Suites: []Suite{TDES}}, 1},
		"share": {Policy{Share: ShareOffered}, 37},
	} {
		t.Run(name, func(t *testing.T) {
			for stage := range 4 {
				size := 8
				for bit := 0; bit < size; bit += c.step {
					i, a := open(t, c.p, c.p)
					shake(i, a, func(n int, frame []byte) []byte {
						if n != stage {
							return frame
						}
						size = 8 * len(frame)
						return flipped(frame, bit)
					})
					// The acceptor's finished is under the hellos that it saw; the initiator stands
					// only if its own proof is the one that was changed.
					if a.Session() != nil || (i.Session() != nil) != (stage == 3) {
						t.Fatalf("frame %d, bit %d: stand %v and %v", stage, bit,
							i.Session() != nil, a.Session() != nil)
					}
				}
			}
		})
	}
}

// A man in between who has no key, but who changes what the two agree on.
func TestDowngrade(t *testing.T) {
	modern := Policy{Suites: []Suite{GCM, TDES}, Share: ShareOffered, Padding: true}
	suites := headerSize + nonceSize + 1 + len(testLink)
	for name, c := range map[string]struct {
		stage  int
		change func(frame []byte) []byte
	}{
		"suite 1 taken from the offer": {0, func(f []byte) []byte {
			return bytes.Join([][]byte{f[:suites], {1, byte(TDES)}, f[suites+3:]}, nil)
		}},
		"an unknown suite instead": {0, func(f []byte) []byte { f[suites+1] = 9; return f }},
		"share taken from the offer": {0, func(f []byte) []byte {
			return f[:suites+3+3]
		}},
		"padding taken from the offer": {0, func(f []byte) []byte {
			return bytes.Join([][]byte{f[:suites+3], f[suites+6:]}, nil)
		}},
		"an option of a later time taken away": {0, func(f []byte) []byte {
			return append(f, 9, 0, 1, 1)
		}},
		"suite of the answer":         {1, func(f []byte) []byte { f[2] = byte(TDES); return f }},
		"share taken from the answer": {1, func(f []byte) []byte { return f[:headerSize+nonceSize+3] }},
		"version of the offer":        {0, func(f []byte) []byte { f[1] = 0x01; return f }},
		"version of the answer":       {1, func(f []byte) []byte { f[1] = 0x02; return f }},
		"generation of the offer":     {0, func(f []byte) []byte { f[5] = 6; return f }},
		"generation of the answer":    {1, func(f []byte) []byte { f[5] = 6; return f }},
		"padding taken from the answer": {1, func(f []byte) []byte {
			return append(f[:headerSize+nonceSize:headerSize+nonceSize], f[headerSize+nonceSize+3:]...)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := NewInitiator(testLink, 7, ring(modern, 6, 7))
			must(t, err)
			a := NewAcceptor(ring(modern, 6, 7))
			errI, errA := shake(i, a, func(n int, frame []byte) []byte {
				if n == c.stage {
					return c.change(bytes.Clone(frame))
				}
				return frame
			})
			if errI == nil || errA == nil || i.Session() != nil || a.Session() != nil {
				t.Errorf("went through: %v, %v", errI, errA)
			}
		})
	}
}

// An answer that leaves out what was asked for is refused before anything is sent.
func TestPaddingNotAnswered(t *testing.T) {
	p := Policy{Padding: true}
	i, a := open(t, p, p)
	errI, errA := shake(i, a, func(n int, frame []byte) []byte {
		if n == 1 {
			return frame[:headerSize+nonceSize]
		}
		return frame
	})
	shut(t, i, errI, BadHello)
	shut(t, a, errA, Alerted)
}

// The hellos are bound by the proofs and by nothing before them: a change that alters no key is
// found all the same.
func TestAChangeThatAltersNoKey(t *testing.T) {
	p := Policy{Suites: []Suite{TDES, GCM}}
	i, a := open(t, p, p)
	errI, _ := shake(i, a, func(n int, frame []byte) []byte {
		if n == 0 {
			at := headerSize + nonceSize + 1 + len(testLink) + 1
			frame = bytes.Clone(frame)
			frame[at], frame[at+1] = frame[at+1], frame[at]
		}
		return frame
	})
	shut(t, i, errI, WrongFinished)
}

func TestRepliesOfAnotherHandshake(t *testing.T) {
	// The acceptor's frames, recorded and played to the next handshake.
	i, a := open(t, Policy{}, Policy{})
	recorded, err := a.Receive(i.Hello())
	must(t, err)
	j, _ := open(t, Policy{}, Policy{})
	_, err = j.Receive(recorded[0])
	shut(t, j, err, WrongSession)
	// With the session id mended.
	j, _ = open(t, Policy{}, Policy{})
	copy(recorded[0][8:], j.Hello()[8:16])
	copy(recorded[1][8:], j.Hello()[8:16])
	_, err = j.Receive(recorded[0])
	must(t, err)
	_, err = j.Receive(recorded[1])
	shut(t, j, err, WrongTag)
	// The initiator's whole side, played to a fresh acceptor.
	i, a = open(t, Policy{}, Policy{})
	var finished []byte
	shake(i, a, func(n int, frame []byte) []byte {
		if n == 3 {
			finished = frame
		}
		return bytes.Clone(frame)
	})
	b := NewAcceptor(ring(Policy{}, 7))
	_, err = b.Receive(i.Hello())
	must(t, err)
	_, err = b.Receive(finished)
	shut(t, b, err, WrongTag)
}

// An initiator that gets its own frames back.
func TestReflectedHandshake(t *testing.T) {
	i, a := open(t, Policy{}, Policy{})
	_, err := i.Receive(i.Hello())
	shut(t, i, err, WrongType)
	i, _ = open(t, Policy{}, Policy{})
	out, err := a.Receive(i.Hello())
	must(t, err)
	_, err = a.Receive(out[1])
	shut(t, a, err, WrongType)
}

func TestNoDataBeforeFinished(t *testing.T) {
	i, a := open(t, Policy{}, Policy{})
	out, err := a.Receive(i.Hello())
	must(t, err)
	if i.Session() != nil || a.Session() != nil {
		t.Fatal("a session before the proofs")
	}
	_, err = i.Receive(out[0])
	must(t, err)
	// A data frame under the right key, which an acceptor that broke the rule would send.
	early, err := a.session.sealer.Seal(nil, []byte("early"))
	must(t, err)
	_, err = i.Receive(early)
	shut(t, i, err, WrongType)
}

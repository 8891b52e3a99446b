package envelope

import (
	"bytes"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"cardswitch/hsm/mac"
)

// cmac stands in for the module that holds the link key.
type cmac struct{ key []byte }

func newCMAC(key []byte) cmac { return cmac{key} }

func (c cmac) PRF(message []byte) (out [16]byte, err error) {
	m, err := mac.New(mac.Spec{Algorithm: mac.AESCMAC, Size: 16}, c.key)
	if err == nil {
		m.Sum(out[:0], message)
	}
	return out, err
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

const testLink = "POSHQ1-SW"

// linkKey is that of a generation: for 7 the one of the published vector.
func linkKey(generation uint16) []byte {
	key := unhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	key[0], key[1] = byte((generation-7)>>8), byte(generation-7)
	return key
}

func prfOf(generation uint16) PRF { return newCMAC(linkKey(generation)) }

// ring knows the keys of some generations of the test link.
func ring(p Policy, generations ...uint16) Keys {
	return func(link string, generation uint16) (Key, Policy, bool) {
		if link != testLink || !slices.Contains(generations, generation) {
			return Key{}, Policy{}, false
		}
		return Key{generation, prfOf(generation)}, p, true
	}
}

// wire carries frames between two handshakes; it may change them. Stage counts all frames from 0:
// hello, ack, the acceptor's finished, the initiator's.
type wire func(stage int, frame []byte) []byte

func straight(_ int, frame []byte) []byte { return frame }

// shake runs a handshake to its end, on whichever side that comes.
func shake(i, a *Handshake, w wire) (errI, errA error) {
	out, errA := a.Receive(w(0, i.Hello()))
	for n, frame := range out {
		if bytes.Equal(frame, alert(acceptor)) {
			_, errI = i.Receive(frame)
			return errI, errA
		}
		var back [][]byte
		if back, errI = i.Receive(w(1+n, frame)); errI != nil {
			if len(back) > 0 {
				_, errA = a.Receive(back[0])
			}
			return errI, errA
		}
		for _, frame := range back {
			_, errA = a.Receive(w(3, frame))
		}
	}
	return errI, errA
}

// pair is a session that stands, seen from both ends.
func pair(t testing.TB, pi, pa Policy) (i, a *Session) {
	t.Helper()
	hi, err := NewInitiator(testLink, 7, ring(pi, 7))
	if err != nil {
		t.Fatal(err)
	}
	ha := NewAcceptor(ring(pa, 7))
	if errI, errA := shake(hi, ha, straight); errI != nil || errA != nil {
		t.Fatalf("handshake: %v, %v", errI, errA)
	}
	if hi.Session() == nil || ha.Session() == nil {
		t.Fatal("no session after a handshake without error")
	}
	return hi.Session(), ha.Session()
}

// shapes are the policies that differ in how a frame looks.
func shapes() map[string]Policy {
	return map[string]Policy{
		"GCM":         {},
		"GCM padded":  {Padding: true},
		"TDES":        {Suites: []Suite{TDES}},
		"TDES padded": {Suites: []Suite{TDES}, Padding: true},
	}
}

func seal(t testing.TB, s *Session, message string) []byte {
	t.Helper()
	frame, err := s.Sealer().Seal(nil, []byte(message))
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	return frame
}

// passes sees that a message goes from one end to the other.
func passes(t testing.TB, from, to *Session, message string) {
	t.Helper()
	got, err := to.Opener().Open(seal(t, from, message))
	if err != nil || string(got) != message {
		t.Fatalf("%q came as %q, %v", message, got, err)
	}
}

// refuses sees that a frame is refused for that cause, and that the session is dead both ways.
func refuses(t testing.TB, s *Session, frame []byte, want Cause) {
	t.Helper()
	got, err := s.Opener().Open(frame)
	if got != nil || !errors.Is(err, ErrRefused) || !errors.Is(err, want) {
		t.Fatalf("refused with %v, want %v", err, want)
	}
	if _, again := s.Opener().Open(frame); again != err {
		t.Fatalf("and then with %v", again)
	}
	if _, err := s.Sealer().Seal(nil, []byte("x")); err != Ended {
		t.Fatalf("the sealer goes on after a refusal: %v", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func flipped(frame []byte, bit int) []byte {
	frame = bytes.Clone(frame)
	frame[bit/8] ^= 0x80 >> (bit % 8)
	return frame
}

var errHSM = errors.New("no answer from the module")

type brokenPRF struct{}

func (brokenPRF) PRF([]byte) ([16]byte, error) { return [16]byte{}, errHSM }

// idlePRF answers, but with nothing.
type idlePRF struct{}

func (idlePRF) PRF([]byte) ([16]byte, error) { return [16]byte{}, nil }

func at(s *Session) string {
	sending, receiving := s.Positions()
	return fmt.Sprint(sending, receiving)
}

// fixedDice are the same for every run: those of the published vector, and counted bytes.
func fixedDice(s side) dice {
	d := dice{session: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}
	for n := range d.nonce {
		d.nonce[n] = 0xA1
		if s == acceptor {
			d.nonce[n] = 0xB2
		}
		d.curve[n] = byte(n) + 0x40*byte(s+1)
	}
	for n := range d.lattice {
		d.lattice[n] = byte(n) + 0xC0
	}
	d.encapsulate = func(key *mlkem.EncapsulationKey768) (shared, ciphertext []byte) {
		shared, ciphertext, err := mlkemtest.Encapsulate768(key, bytes.Repeat([]byte{0xE5}, 32))
		if err != nil {
			panic(err)
		}
		return shared, ciphertext
	}
	d.draw = func(iv []byte) { copy(iv, "\x11\x12\x13\x14\x15\x16\x17\x18") }
	return d
}

// fixed are both ends of a handshake that is the same in every run. As on the wire, no two
// handshakes that agree on different things have the same nonces.
func fixed(t testing.TB, p Policy, generations ...uint16) (i, a *Handshake) {
	t.Helper()
	return fixedBetween(t, p, p, generations...)
}

func fixedBetween(t testing.TB, pi, pa Policy, generations ...uint16) (i, a *Handshake) {
	t.Helper()
	di, da := fixedDice(initiator), fixedDice(acceptor)
	if pi.Padding {
		di.nonce[31]++
	}
	if pi.Terms != nil {
		di.nonce[31] += 2
		di.nonce[30] += byte(pi.Term)
	}
	i, err := newInitiator(testLink, generations[0], ring(pi, generations...), di)
	must(t, err)
	return i, newAcceptor(ring(pa, generations...), da)
}

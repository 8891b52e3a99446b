package envelope

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
)

// fuzzPolicies are chosen by the first byte of an input.
func fuzzPolicies() []Policy {
	return []Policy{
		{},
		{Suites: []Suite{GCM, TDES}, Padding: true},
		{Suites: []Suite{TDES}},
		{Share: ShareOffered},
		{Terms: new(Terms), Term: 5},
	}
}

// FuzzHandshake gives one frame of a handshake another content. No input may crash, keep memory, or
// bring the side that gets it to a session; only the genuine frame does.
func FuzzHandshake(f *testing.F) {
	for which, p := range fuzzPolicies() {
		i, a := fixed(f, p, 7)
		shake(i, a, func(stage int, frame []byte) []byte {
			f.Add(uint8(which), uint8(stage), bytes.Clone(frame))
			f.Add(uint8(which), uint8(stage), flipped(frame, 8*len(frame)-1))
			f.Add(uint8(which), uint8(stage), frame[:len(frame)/2])
			return frame
		})
		f.Add(uint8(which), uint8(0), alert(initiator))
		f.Add(uint8(which), uint8(1), alert(acceptor))
	}
	f.Fuzz(func(t *testing.T, which, stage uint8, input []byte) {
		p := fuzzPolicies()[int(which)%len(fuzzPolicies())]
		stage %= 4
		i, a := fixed(t, p, 7)
		genuine := false
		errI, errA := shake(i, a, func(n int, frame []byte) []byte {
			if n != int(stage) {
				return frame
			}
			genuine = bytes.Equal(input, frame)
			return bytes.Clone(input)
		})
		stood := a.Session() != nil && (i.Session() != nil || stage == 3)
		if genuine != (errI == nil && errA == nil) || genuine != stood {
			t.Fatalf("frame %d, genuine %v: %v, %v", stage, genuine, errI, errA)
		}
		for _, err := range []error{errI, errA} {
			if err != nil && !errors.Is(err, ErrRefused) {
				t.Fatalf("an error of another kind: %v", err)
			}
		}
	})
}

// FuzzOpen gives a frame to a session that could go on in five ways: the next message, the next
// epoch, either of two generations that wait, or the close. Nothing else may open.
func FuzzOpen(f *testing.F) {
	var next [][][]byte
	for which, p := range fuzzPolicies() {
		next = append(next, waysOn(f, p))
		for _, frame := range next[which] {
			f.Add(uint8(which), frame)
			f.Add(uint8(which), flipped(frame, 8*len(frame)-1))
			f.Add(uint8(which), flipped(frame, 8*23+7))
			f.Add(uint8(which), frame[:len(frame)-1])
		}
		f.Add(uint8(which), alert(initiator))
	}
	f.Fuzz(func(t *testing.T, which uint8, input []byte) {
		which %= uint8(len(next))
		genuine := slices.IndexFunc(next[which], func(frame []byte) bool {
			return bytes.Equal(frame, input)
		})
		_, s := waiting(t, fuzzPolicies()[which])
		message, err := s.Opener().Open(bytes.Clone(input))
		switch {
		case genuine < 0 && (message != nil || !errors.Is(err, ErrRefused)):
			t.Fatalf("opened: %q, %v", message, err)
		case genuine == 4 && err != io.EOF:
			t.Fatalf("the close gives %v", err)
		case genuine >= 0 && genuine < 4 && (err != nil || string(message) != "genuine"):
			t.Fatalf("the genuine frame gives %q, %v", message, err)
		}
	})
}

// waiting is a session, the same in every run, with two generations to go to.
func waiting(t testing.TB, p Policy) (i, a *Session) {
	t.Helper()
	hi, ha := fixed(t, p, 7)
	errI, errA := shake(hi, ha, straight)
	must(t, errI)
	must(t, errA)
	install(t, 8, hi.Session(), ha.Session())
	install(t, 9, hi.Session(), ha.Session())
	return hi.Session(), ha.Session()
}

// waysOn are all frames that a waiting session opens.
func waysOn(t testing.TB, p Policy) (next [][]byte) {
	t.Helper()
	for _, order := range []func(s *Session){
		func(*Session) {},
		func(s *Session) { s.Ratchet() },
		func(s *Session) { must(t, s.Switch(8)) },
		func(s *Session) { must(t, s.Switch(9)) },
	} {
		i, _ := waiting(t, p)
		order(i)
		next = append(next, seal(t, i, "genuine"))
	}
	i, _ := waiting(t, p)
	frame, err := i.Sealer().Close(nil)
	must(t, err)
	return append(next, frame)
}

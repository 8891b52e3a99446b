package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestEveryFlippedBitIsRefused(t *testing.T) {
	for name, p := range shapes() {
		t.Run(name, func(t *testing.T) {
			for _, message := range []string{"1", "1804 test message", strings.Repeat("9", 70)} {
				size := 8
				for bit := 0; bit < size; bit++ {
					i, a := pair(t, p, p)
					frame := seal(t, i, message)
					size = 8 * len(frame)
					got, err := a.Opener().Open(flipped(frame, bit))
					if got != nil || !errors.Is(err, ErrRefused) {
						t.Fatalf("bit %d of %d bytes: %q, %v", bit, len(frame), got, err)
					}
				}
			}
		})
	}
}

func TestEveryFlippedBitOfAStepIsRefused(t *testing.T) {
	steps := map[string]func(s *Session){
		"epoch":      func(s *Session) { s.Ratchet() },
		"generation": func(s *Session) { must(t, s.Switch(9)) },
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			size := 8
			for bit := 0; bit < size; bit++ {
				i, a := pair(t, Policy{}, Policy{})
				for _, s := range []*Session{i, a} {
					must(t, s.Install(8, prfOf(8)))
					must(t, s.Install(9, prfOf(9)))
				}
				step(i)
				frame := seal(t, i, "first of the new key")
				size = 8 * len(frame)
				if _, err := a.Opener().Open(flipped(frame, bit)); !errors.Is(err, ErrRefused) {
					t.Fatalf("bit %d: %v", bit, err)
				}
			}
		})
	}
}

func TestTruncationAndMore(t *testing.T) {
	for name, p := range shapes() {
		t.Run(name, func(t *testing.T) {
			size := 1
			for n := 0; n < size; n++ {
				i, a := pair(t, p, p)
				frame := seal(t, i, "some message")
				size = len(frame)
				if _, err := a.Opener().Open(frame[:n]); !errors.Is(err, ErrRefused) {
					t.Fatalf("%d of %d bytes: %v", n, size, err)
				}
			}
			for n := 1; n < 70; n++ {
				i, a := pair(t, p, p)
				frame := append(seal(t, i, "some message"), make([]byte, n)...)
				if _, err := a.Opener().Open(frame); !errors.Is(err, ErrRefused) {
					t.Fatalf("%d bytes more: %v", n, err)
				}
			}
		})
	}
}

func TestCauses(t *testing.T) {
	with := func(at int, value ...byte) func(frame []byte) []byte {
		return func(frame []byte) []byte {
			copy(frame[at:], value)
			return frame
		}
	}
	for _, c := range []struct {
		want   Cause
		change func(frame []byte) []byte
	}{
		{Short, func(frame []byte) []byte { return nil }},
		{Short, func(frame []byte) []byte { return frame[:23] }},
		{Short, func(frame []byte) []byte { return frame[:24] }},
		{Short, func(frame []byte) []byte { return frame[:40] }},
		{TooLong, func(frame []byte) []byte { return append(frame, make([]byte, 1000)...) }},
		{WrongMagic, with(0, 0xE9)},
		{WrongVersion, with(1, 0x20)},
		{WrongVersion, with(1, 0x00)},
		{WrongType, with(1, 0x11)},
		{WrongType, with(1, 0x12)},
		{WrongType, with(1, 0x13)},
		{WrongType, with(1, 0x15)},
		{WrongTag, with(1, 0x14)}, // data made a close
		{WrongSuite, with(2, 0x81)},
		{WrongSuite, with(2, 0)},
		{WrongFlags, with(3, 0x02)},
		{WrongFlags, with(3, 0x80)},
		{WrongDirection, with(3, 0x01)},
		{WrongGeneration, with(4, 0, 8)},
		{WrongGeneration, with(4, 0, 6)},
		{WrongEpoch, with(6, 0, 2)},
		{WrongEpoch, with(6, 0xFF, 0xFF)},
		{WrongSequence, with(6, 0, 1)}, // the next epoch, but not its first frame
		{WrongSession, func(frame []byte) []byte { frame[15] ^= 1; return frame }},
		{WrongSequence, with(23, 0)},
		{WrongSequence, with(23, 2)},
		{WrongSequence, with(16, 0x80)},
		{WrongTag, func(frame []byte) []byte { frame[24] ^= 1; return frame }},
		{WrongTag, func(frame []byte) []byte { return frame[:len(frame)-1] }},
	} {
		t.Run(fmt.Sprint(c.want), func(t *testing.T) {
			i, a := pair(t, Policy{}, Policy{MaxFrame: 1000})
			refuses(t, a, c.change(seal(t, i, "message")), c.want)
		})
	}
}

func TestGapAndReplay(t *testing.T) {
	i, a := pair(t, Policy{}, Policy{})
	seal(t, i, "lost")
	refuses(t, a, seal(t, i, "after"), WrongSequence)

	i, a = pair(t, Policy{}, Policy{})
	frame := seal(t, i, "once")
	again := bytes.Clone(frame)
	_, err := a.Opener().Open(frame)
	must(t, err)
	refuses(t, a, again, WrongSequence)

	i, a = pair(t, Policy{}, Policy{})
	first, second := seal(t, i, "first"), seal(t, i, "second")
	refuses(t, a, second, WrongSequence)
	if _, err := a.Opener().Open(first); err == nil {
		t.Error("a dead session opens the right frame")
	}
}

func TestReflection(t *testing.T) {
	i, _ := pair(t, Policy{}, Policy{})
	frame := seal(t, i, "mine")
	mirrored := bytes.Clone(frame)
	mirrored[3] ^= 1
	refuses(t, i, frame, WrongDirection)

	i, _ = pair(t, Policy{}, Policy{})
	frame = seal(t, i, "mine")
	frame[3] ^= 1
	refuses(t, i, frame, WrongTag)
}

// The keys of a connection are its own, even with the same link key, session id and place.
func TestReplayAcrossConnections(t *testing.T) {
	i, _ := pair(t, Policy{}, Policy{})
	_, other := pair(t, Policy{}, Policy{})
	frame := seal(t, i, "of another connection")
	moved := bytes.Clone(frame)
	id := other.ID()
	copy(moved[8:], id[:])
	refuses(t, other, frame, WrongSession)
	_, other = pair(t, Policy{}, Policy{})
	id = other.ID()
	copy(moved[8:], id[:])
	refuses(t, other, moved, WrongTag)
}

func TestAFinishedFrameAgainIsRefused(t *testing.T) {
	hi, err := NewInitiator(testLink, 7, ring(Policy{}, 7))
	must(t, err)
	ha := NewAcceptor(ring(Policy{}, 7))
	var finished []byte
	shake(hi, ha, func(stage int, frame []byte) []byte {
		if stage == 3 {
			finished = bytes.Clone(frame)
		}
		return frame
	})
	refuses(t, ha.Session(), finished, WrongType)
}

// What no honest sealer makes: content that was sealed with the right key all the same.
func TestWrongContent(t *testing.T) {
	sealed := func(s *Session, content []byte, kind uint8) []byte {
		c := *s.sealer.channel
		c.padded = false // so that content is taken as it is
		frame := make([]byte, c.size(len(content)))
		c.seal(frame, content, kind)
		return frame
	}
	for _, suite := range []Suite{GCM, TDES} {
		for name, content := range map[string][]byte{
			"no multiple of 64": append(make([]byte, 99), 1),
			"none":              {},
			"pad of 0":          make([]byte, 64),
			"pad of 65":         append(make([]byte, 127), 65),
			"pad beyond":        append(make([]byte, 63), 200),
			"pad not zero":      append(append(make([]byte, 62), 7), 3),
			"nothing but pad":   append(make([]byte, 63), 64),
		} {
			i, a := pair(t, Policy{Suites: []Suite{suite}, Padding: true}, Policy{Suites: []Suite{suite}})
			frame := sealed(i, content, typeData)
			if _, err := a.Opener().Open(frame); err != WrongContent && err != Short {
				t.Errorf("%v, %s: %v", suite, name, err)
			}
		}
		p := Policy{Suites: []Suite{suite}}
		for _, content := range [][]byte{{2}, {0, 0}, {255}} {
			i, a := pair(t, p, p)
			refuses(t, a, sealed(i, content, typeClose), WrongContent)
		}
	}
	i, a := pair(t, Policy{}, Policy{})
	refuses(t, a, sealed(i, nil, typeData), Short)
}

// The padding of the cipher itself, of the legacy suite, behind a right MAC.
func TestWrongPaddingOfTDES(t *testing.T) {
	p := Policy{Suites: []Suite{TDES}}
	for _, tail := range []string{"00000000000000", "80000000000001", "41414141414141"} {
		i, a := pair(t, p, p)
		c := i.sealer.channel
		frame := make([]byte, c.size(9))
		c.seal(frame, []byte("123456789"), typeData)
		// Encrypt the last block anew, then MAC anew.
		body := frame[32 : len(frame)-8]
		block := append([]byte{'9'}, unhex(tail)...)
		for k := range block {
			block[k] ^= body[k]
		}
		c.tdes.cipher.Encrypt(body[8:], block)
		c.tdes.mac.Sum(frame[:len(frame)-8], frame[:len(frame)-8])
		refuses(t, a, frame, WrongContent)
	}
}

func TestCausesAreNamed(t *testing.T) {
	seen := make(map[string]bool)
	for _, c := range append(Causes(), None) {
		text := c.String()
		if text == "" || text == "unknown" || seen[text] {
			t.Errorf("cause %d is called %q", c, text)
		}
		seen[text] = true
		if !errors.Is(c, ErrRefused) || CauseOf(fmt.Errorf("x: %w", c)) != c {
			t.Errorf("cause %q is not found in an error", text)
		}
	}
	if Cause(200).String() != "unknown" || CauseOf(errHSM) != None {
		t.Error("what is no cause is taken for one")
	}
}

// Whatever prints a session, by accident, shows no key.
func TestNothingPrintsKeys(t *testing.T) {
	i, _ := pair(t, Policy{Share: ShareOffered}, Policy{Share: ShareOffered})
	h, err := NewInitiator(testLink, 7, ring(Policy{Share: ShareOffered}, 7))
	must(t, err)
	must(t, i.Install(8, prfOf(8)))
	key := Key{7, prfOf(7)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		text := fmt.Sprintf(strings.Repeat(verb+"\n", 5), i, i.Sealer(), i.Opener(), h, key)
		if len(text) > 250 {
			t.Errorf("%s prints %d characters: %.300s", verb, len(text), text)
		}
		for _, s := range []secret{
			i.origin.shared, i.sealer.channel.secret, i.opener.pending.list[0].secret,
		} {
			if strings.Contains(text, fmt.Sprintf("%x", s[:4])) ||
				strings.Contains(text, strings.Trim(fmt.Sprint(s[:4]), "[]")) {
				t.Errorf("%s shows a secret", verb)
			}
		}
	}
}

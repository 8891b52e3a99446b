package keychange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/format"
	"cardswitch/conformance/keyblock"
	"cardswitch/conformance/wire"
)

func protection() keyblock.Protection { return bytes.Repeat([]byte{7}, 32) }

func linkOf(t *testing.T) *wire.Envelope {
	t.Helper()
	e := &wire.Envelope{Link: "bank/a",
		Keys: map[uint16]envelope.Key{1: bytes.Repeat([]byte{1}, 32)}}
	if err := e.Complete(); err != nil {
		t.Fatal(err)
	}
	return e
}

func bringing(order, block string) *format.Message {
	m := format.New("1804").Set(11, "000001").Set(12, "261126120000").Set(24, Function).
		Set(53, order)
	if block != "" {
		m.Set(96, block)
	}
	return m
}

func block(t *testing.T, kbpk keyblock.Protection, h keyblock.Header, key []byte) string {
	t.Helper()
	b, err := keyblock.Make(kbpk, h, key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnswers(t *testing.T) {
	key := bytes.Repeat([]byte{2}, 32)
	check, err := keyblock.Check(key)
	if err != nil {
		t.Fatal(err)
	}
	good := block(t, protection(), header(), key)
	forMAC := header()
	forMAC.Usage, forMAC.Mode = "M6", 'C'
	second := "\x01\x03\x03\x00\x00\x02"
	for name, c := range map[string]struct {
		order, block string
		action       string
		then         Then
	}{
		"a new key":            {second, good, Done, Use},
		"a leap":               {"\x01\x03\x03\x00\x00\x09", good, Done, Use},
		"asks for a key":       {"\x01\x03\x03\x00\x00\x00", "", Done, Make},
		"another layout":       {"\x02\x03\x03\x00\x00\x02", good, Malformed, Nothing},
		"short":                {"\x01\x03\x03\x00\x00", good, Malformed, Nothing},
		"no purpose":           {"\x01\x05\x03\x00\x00\x02", good, Malformed, Nothing},
		"a link key one way":   {"\x01\x03\x01\x00\x00\x02", good, Malformed, Nothing},
		"no block":             {second, "", Malformed, Nothing},
		"no generation":        {"\x01\x03\x03\x00\x00\x00", good, Malformed, Nothing},
		"another key's number": {"\x01\x03\x03\x00\x00\x01", good, OutOfStep, Nothing},
		"a PIN key":            {"\x01\x01\x01\x00\x00\x02", good, Refused, Nothing},
		"under another key": {second, block(t, bytes.Repeat([]byte{8}, 32), header(), key), Refused,
			Nothing},
		"of another use":  {second, block(t, protection(), forMAC, key), Refused, Nothing},
		"no block at all": {second, "D0000", Refused, Nothing},
	} {
		e := linkOf(t)
		a, then := Answer(protection(), e, nil, bringing(c.order, c.block))
		if a.MTI != "1814" || a.Get(39) != c.action || then != c.then {
			t.Errorf("%s: %s, %d", name, a.Get(39), then)
		}
		if want := c.action == Done && c.then == Use; a.Has(96) != want ||
			want && a.Get(96) != check {
			t.Errorf("%s: check value %q", name, a.Get(96))
		}
		if c.action != Malformed && a.Get(53) != c.order {
			t.Errorf("%s: element 53 is %x", name, a.Get(53))
		}
		if (len(e.Keys) == 2) != (then == Use) {
			t.Errorf("%s: %d keys", name, len(e.Keys))
		}
	}
}

// shelf is a zone that has what it was given.
type shelf map[string][]byte

func (s shelf) Take(use string, algorithm byte, generation uint16, key []byte) error {
	name := fmt.Sprintf("%s@%d %c", use, generation, algorithm)
	if have := s[name]; have != nil && !bytes.Equal(have, key) {
		return wire.ErrAnotherKey
	}
	s[name] = key
	return nil
}

// Keys of codes and PINs are taken for what their blocks say they are, and shown by their check
// values.
func TestZones(t *testing.T) {
	key, other := bytes.Repeat([]byte{2}, 16), bytes.Repeat([]byte{3}, 16)
	aes, tdes := header(), header()
	aes.Usage, aes.Mode = "M6", 'C'
	tdes.Usage, tdes.Mode, tdes.Algorithm = "M3", 'C', 'T'
	pin := tdes
	pin.Usage, pin.Mode = "P0", 'B'
	z := shelf{"zak:in@9 A": other}
	for name, c := range map[string]struct {
		order  string
		header keyblock.Header
		action string
		want   string
	}{
		"what we protect":   {"\x01\x02\x02\x00\x00\x02", aes, Done, "zak:in@2 A"},
		"what they protect": {"\x01\x02\x01\x00\x00\x03", tdes, Done, "zak:out@3 T"},
		"PINs":              {"\x01\x01\x02\x00\x00\x02", pin, Done, "zpk:in@2 T"},
		"for PINs":          {"\x01\x02\x02\x00\x00\x05", pin, Refused, ""},
		"for codes":         {"\x01\x01\x02\x00\x00\x05", tdes, Refused, ""},
		"of AES as TDES":    {"\x01\x02\x02\x00\x00\x05", header(), Refused, ""},
		"another one":       {"\x01\x02\x02\x00\x00\x09", aes, OutOfStep, ""},
		"none":              {"\x01\x02\x02\x00\x00\x00", keyblock.Header{}, Refused, ""},
	} {
		text := ""
		if c.header.Usage != "" {
			text = block(t, protection(), c.header, key)
		}
		a, then := Answer(protection(), nil, z, bringing(c.order, text))
		if a.Get(39) != c.action || (then == Took) != (c.action == Done) {
			t.Errorf("%s: %s, %d", name, a.Get(39), then)
		}
		if c.want == "" {
			continue
		}
		check, err := checkOf(c.header.Algorithm, key)
		if err != nil || a.Get(96) != check || !bytes.Equal(z[c.want], key) {
			t.Errorf("%s: check value %q, want %q, has %d, %v", name, a.Get(96), check, len(z), err)
		}
	}
}

// The same order gets the same answer, also when a later key is in use; another key under its
// number does not.
func TestOrdersRepeated(t *testing.T) {
	e := linkOf(t)
	first := bringing("\x01\x03\x03\x00\x00\x02",
		block(t, protection(), header(), bytes.Repeat([]byte{2}, 32)))
	a, _ := Answer(protection(), e, nil, first)
	again, then := Answer(protection(), e, nil, first)
	if again.String() != a.String() || again.Get(96) != a.Get(96) || then != Use {
		t.Errorf("%v, then %v", a, again)
	}
	if err := e.Switch(2); err != nil {
		t.Fatal(err)
	}
	other := bringing(first.Get(53), block(t, protection(), header(), bytes.Repeat([]byte{3}, 32)))
	if a, _ := Answer(protection(), e, nil, other); a.Get(39) != OutOfStep {
		t.Errorf("another key under the same number: %s", a.Get(39))
	}
}

func TestWithoutAProtectionKey(t *testing.T) {
	m := bringing("\x01\x03\x03\x00\x00\x02", "D0000")
	if a, then := Answer(nil, linkOf(t), nil, m); a.Get(39) != NoKeys || then != Nothing {
		t.Errorf("%s", a.Get(39))
	}
	if a, _ := Answer(protection(), nil, nil, m); a.Get(39) != Refused {
		t.Errorf("a link without an envelope: %s", a.Get(39))
	}
}

func nothing(int, *format.Message) error { return nil }

func saying(element int, value string) func(int, *format.Message) error {
	return func(_ int, a *format.Message) error { a.Set(element, value); return nil }
}

// A key that is brought is used only after the other side has shown that it has the same.
func TestBring(t *testing.T) {
	lost := errors.New("lost")
	for name, c := range map[string]struct {
		answer func(n int, a *format.Message) error
		fault  string
	}{
		"taken": {nothing, ""},
		"the answer is lost": {func(n int, _ *format.Message) error {
			if n < tries {
				return lost
			}
			return nil
		}, ""},
		"never answered": {func(int, *format.Message) error { return lost }, "lost"},
		"refused":        {saying(39, Refused), "921"},
		"another key":    {saying(96, "0123456789"), "another key"},
		"no check value": {saying(96, ""), "another key"},
		"another order":  {saying(53, "\x01\x03\x03\x00\x00\x07"), "another order"},
	} {
		ours, theirs := linkOf(t), linkOf(t)
		n, used := 0, ""
		g, err := Bring(context.Background(), protection(), ours,
			func(_ context.Context, order, block string) (*format.Message, error) {
				if n++; n > 1 && block != used {
					t.Errorf("%s: another key the next time", name)
				}
				used = block
				a, _ := Answer(protection(), theirs, nil, bringing(order, block))
				return a, c.answer(n, a)
			})
		if c.fault == "" {
			if err != nil || g != 2 || !bytes.Equal(ours.Keys[2], theirs.Keys[2]) {
				t.Errorf("%s: generation %d, %v", name, g, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v", name, err)
		}
		if len(ours.Keys) != 1 || ours.Next() != 3 {
			t.Errorf("%s: %d keys, next is %d", name, len(ours.Keys), ours.Next())
		}
	}
	if _, err := Bring(context.Background(), nil, linkOf(t), nil); err == nil {
		t.Error("a key was brought without a protection key")
	}
}

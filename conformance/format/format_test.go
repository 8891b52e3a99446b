package format

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func sale() *Message {
	return New("1200").
		Set(2, "3528000000000007").Set(3, "000000").Set(4, "000000012345").Set(11, "000042").
		Set(12, "260301101112").Set(22, "510101511344").Set(24, "200").Set(26, "5411").
		Set(32, "12345678901").Set(37, "600000000042").Set(41, "T0000001").
		Set(42, "SHOP00000000001").Set(43, "AOYAMA\\1-1").Set(48, "000100210").
		Set(35, "3528000000000007=2912101").Set(49, "392").Set(52, "\x00\x01\x02\x03\xfc\xfd\xfe\xff").
		Set(97, "C0000000000000500")
}

func all(t *testing.T) []*Format {
	t.Helper()
	var list []*Format
	for _, name := range Names() {
		f, err := Named(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

func TestEveryDialectReadsWhatItWrote(t *testing.T) {
	for _, f := range all(t) {
		wire, err := f.Pack(sale())
		if err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		got, err := f.Unpack(wire)
		if err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		if d := cmp.Diff(sale(), got, cmp.AllowUnexported(Message{})); d != "" {
			t.Errorf("%s: %s", f.Name(), d)
		}
	}
}

func TestWireBytes(t *testing.T) {
	m := New("1804").Set(11, "000001").Set(24, "801")
	for name, want := range map[string]string{
		"ascii-binary": "31383034" + "0020010000000000" + "303030303031" + "383031",
		"ascii-hex":    "31383034" + "30303230303130303030303030303030" + "303030303031" + "383031",
		"ebcdic":       "f1f8f0f4" + "0020010000000000" + "f0f0f0f0f0f1" + "f8f0f1",
		"bcd-left":     "1804" + "0020010000000000" + "000001" + "0801",
		"bcd-right":    "1804" + "0020010000000000" + "000001" + "8010",
		"bcd-right-f":  "1804" + "0020010000000000" + "000001" + "801f",
	} {
		f, err := Named(name)
		if err != nil {
			t.Fatal(err)
		}
		wire, err := f.Pack(m)
		if got := fmt.Sprintf("%x", wire); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
	}
}

func TestUnpackIsStrict(t *testing.T) {
	f, _ := Named("ascii-binary")
	for name, c := range map[string]struct {
		m       *Message
		element int
	}{
		"trailing bytes":  {sale().SetTail("x"), -1},
		"letters in n":    {sale().Set(4, "00000000A000"), 4},
		"length too long": {sale().SetWire(2, "20"+strings.Repeat("4", 20)), 2},
		"cut off":         {New("1804").SetWire(11, "00"), 11},
		"sign missing":    {sale().Set(97, "00000000000000500"), 97},
		"control byte":    {sale().Set(43, "a\x01b"), 43},
		"katakana":        {sale().Set(43, "\xb1\xb5\xd4\xcf"), 43},
		"letters in MTI":  {New("12x0"), 0},
	} {
		wire, err := f.Pack(c.m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err = f.Unpack(wire)
		fault, ok := errors.AsType[*Fault](err)
		if !ok || fault.Element != c.element {
			t.Errorf("%s: %v, want element %d", name, err, c.element)
		}
	}
}

func TestKatakanaWhereTheDialectHasIt(t *testing.T) {
	f, err := Named("ascii-katakana")
	if err != nil {
		t.Fatal(err)
	}
	wire, err := f.Pack(sale().Set(43, "\xb1\xb5\xd4\xcf"))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := f.Unpack(wire); err != nil || m.Get(43) != "\xb1\xb5\xd4\xcf" {
		t.Error(m, err)
	}
}

func TestGarbageIsRefusedQuietly(t *testing.T) {
	formats := all(t)
	wire, _ := formats[0].Pack(sale())
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom(formats).Draw(t, "dialect")
		b := append([]byte(nil), wire...)
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "to")
		}
		b = b[:rapid.IntRange(0, len(b)).Draw(t, "length")]
		m, err := f.Unpack(b)
		if err == nil && m.MTI == "" {
			t.Fatal("neither a message nor an error")
		}
		if err != nil && strings.Contains(err.Error(), "3528000000000007") {
			t.Fatalf("the error quotes a card number: %v", err)
		}
	})
}

func TestNothingShownHoldsACardNumber(t *testing.T) {
	m := sale().Set(35, "3528000000000007=2912").Set(48, "0099"+"016"+"3528000000000007")
	for _, s := range []string{m.String(), fmt.Sprint(m), fmt.Sprintf("%#v", m)} {
		if strings.Contains(s, "3528000000000007") || !strings.Contains(s, "352800******0007") {
			t.Errorf("shown: %s", s)
		}
	}
}

func TestAnswerEchoes(t *testing.T) {
	a := Answer(sale().Set(59, "cookie"), "000")
	want := []int{2, 3, 4, 11, 12, 32, 37, 39, 41, 42, 49, 59}
	if d := cmp.Diff(want, a.Elements()); d != "" || a.MTI != "1210" {
		t.Error(a.MTI, d)
	}
	if got := Answer(New("1421"), "400").MTI; got != "1430" {
		t.Errorf("the answer to 1421 is %s", got)
	}
}

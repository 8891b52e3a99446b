package spec_test

import (
	"strings"
	"testing"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
)

// bitmapOf is one or two bitmaps as bytes.
func bitmapOf(ns ...int) string {
	b := make([]byte, 8)
	for _, n := range ns {
		if n > 64 && len(b) == 8 {
			b = append(b, make([]byte, 8)...)
			b[0] |= 0x80
		}
		b[(n-1)/8] |= 0x80 >> ((n - 1) % 8)
	}
	return string(b)
}

// refused are messages that are not strictly of the 1993 edition, and the element that is wrong.
var refused = []struct {
	name, dialect, raw string
	element            uint8
	kind               spec.FaultKind
}{
	{"nothing", "ascii-binary", "", 0, spec.FaultShort},
	{"MTI cut off", "ascii-binary", "120", 0, spec.FaultShort},
	{"MTI of 1987", "ascii-binary", "0200" + bitmapOf(3) + "000000", 0, spec.FaultMTI},
	{"MTI of 2003", "ascii-binary", "2200" + bitmapOf(3) + "000000", 0, spec.FaultMTI},
	{"MTI not digits", "ascii-binary", "12A0" + bitmapOf(3) + "000000", 0, spec.FaultMTI},
	{"MTI of 1987 packed", "bcd-left", "\x02\x00" + bitmapOf(3) + "\x00\x00\x00", 0,
		spec.FaultMTI},
	{"MTI not packed digits", "bcd-left", "\x12\x0A" + bitmapOf(3), 0, spec.FaultMTI},
	{"no bitmap", "ascii-binary", "1200", 1, spec.FaultShort},
	{"bitmap cut off", "ascii-binary", "1200" + bitmapOf(3)[:7], 1, spec.FaultShort},
	{"second bitmap cut off", "ascii-binary", "1200" + bitmapOf(70)[:15], 1, spec.FaultShort},
	{"second bitmap missing", "ascii-binary", "1200" + bitmapOf(70)[:8], 1, spec.FaultShort},
	{"second bitmap empty", "ascii-binary", "1200" + "\x80" + strings.Repeat("\x00", 15), 1,
		spec.FaultBitmap},
	{"bitmap not hexadecimal", "ascii-hex", "1200" + "200000000000000G000000", 1,
		spec.FaultBitmap},
	{"third bitmap of 1987", "ascii-binary", "1200" + bitmapOf(3, 65) + "000000" +
		"\x80\x00\x00\x00\x00\x00\x00\x00", 65, spec.FaultUnknown},
	{"element cut off", "ascii-binary", "1200" + bitmapOf(3, 4) + "000000" + "00000000100", 4,
		spec.FaultShort},
	{"prefix cut off", "ascii-binary", "1200" + bitmapOf(32) + "1", 32, spec.FaultShort},
	{"value cut off", "ascii-binary", "1200" + bitmapOf(32) + "1112345", 32, spec.FaultShort},
	{"too long", "ascii-binary", "1200" + bitmapOf(32) + "12123456789012", 32,
		spec.FaultLength},
	{"empty", "ascii-binary", "1200" + bitmapOf(32) + "00", 32, spec.FaultLength},
	{"prefix with a sign", "ascii-binary", "1200" + bitmapOf(32) + "+512345", 32,
		spec.FaultLength},
	{"prefix of other digits", "ascii-binary", "1200" + bitmapOf(32) + "\xF0\xF512345", 32,
		spec.FaultLength},
	{"packed prefix not digits", "bcd-left", "\x12\x00" + bitmapOf(32) + "\x0A\x12", 32,
		spec.FaultLength},
	{"binary prefix too long", "bcd-left-binary", "\x12\x00" + bitmapOf(48) + "\x03\xE8", 48,
		spec.FaultLength},
	{"trailing byte", "ascii-binary", "1200" + bitmapOf(3) + "0000000", 0, spec.FaultTrailing},
	{"letter in n", "ascii-binary", "1200" + bitmapOf(4) + "00000000100O", 4, spec.FaultClass},
	{"space in n", "ascii-binary", "1200" + bitmapOf(11) + "    11", 11, spec.FaultClass},
	{"nibble A in packed n", "bcd-left", "\x12\x00" + bitmapOf(11) + "\x00\x00\x1A", 11,
		spec.FaultClass},
	{"wrong filling left", "bcd-left", "\x12\x00" + bitmapOf(39) + "\x10\x00", 39,
		spec.FaultClass},
	{"wrong filling right", "bcd-right", "\x12\x00" + bitmapOf(39) + "\x00\x01", 39,
		spec.FaultClass},
	{"filling 0 for F", "bcd-right-f", "\x12\x00" + bitmapOf(39) + "\x00\x00", 39,
		spec.FaultClass},
	{"space in an", "ascii-binary", "1200" + bitmapOf(22) + "51010151334 ", 22,
		spec.FaultClass},
	{"special in anp", "ascii-binary", "1200" + bitmapOf(38) + "12345-", 38, spec.FaultClass},
	{"control character in ans", "ascii-binary", "1200" + bitmapOf(44) + "03A\tB", 44,
		spec.FaultClass},
	{"delete in ans", "ascii-binary", "1200" + bitmapOf(44) + "09ABCDEFGH\x7F", 44,
		spec.FaultClass},
	{"katakana without leave", "ascii-binary", "1200" + bitmapOf(44) + "03A\xB1B", 44,
		spec.FaultClass},
	{"no katakana", "ascii-katakana", "1200" + bitmapOf(44) + "03A\xE0B", 44, spec.FaultClass},
	{"katakana in an", "ascii-katakana", "1200" + bitmapOf(22) + "5101015\xB1334C", 22,
		spec.FaultClass},
	{"letter in ns", "ascii-binary", "1200" + bitmapOf(34) + "0459A1", 34, spec.FaultClass},
	{"E in track 2", "ascii-binary", "1200" + bitmapOf(35) + "054111E", 35, spec.FaultClass},
	{"no sign", "ascii-binary", "1200" + bitmapOf(97) + "X0000000000000001", 97,
		spec.FaultClass},
	{"lower case sign", "ascii-binary", "1200" + bitmapOf(97) + "c0000000000000001", 97,
		spec.FaultClass},
	{"letter in x+n", "ascii-binary", "1200" + bitmapOf(97) + "C000000000000000X", 97,
		spec.FaultClass},
	{"odd hexadecimal", "ascii-hex", "1200" + "0000000000001000" + "00112233445566XX", 52,
		spec.FaultClass},
	{"ASCII in EBCDIC", "ebcdic", "\xF1\xF2\xF0\xF0" + bitmapOf(3) + "000000", 3,
		spec.FaultClass},
	{"1987 time in element 12", "ascii-binary", "1200" + bitmapOf(12) + "181500", 12,
		spec.FaultShort},
	{"1987 response code", "ascii-binary", "1210" + bitmapOf(39, 41) + "00TERMINAL", 39,
		spec.FaultClass},
}

// TestIndexRefuses: what is not strictly a 1993 message is refused, and the element named.
func TestIndexRefuses(t *testing.T) {
	for _, test := range refused {
		t.Run(test.name, func(t *testing.T) {
			d, err := dialect.Builtin(test.dialect)
			if err != nil {
				t.Fatal(err)
			}
			var m spec.Message
			want := spec.Fault{Element: test.element, Kind: test.kind}
			if got := d.Index(&m, []byte(test.raw)); got != want {
				t.Errorf("fault %d %d (%v), not %d %d (%v)", got.Element, got.Kind, got,
					want.Element, want.Kind, want)
			}
		})
	}
}

// TestSoundRemain: the elements around a fault can be read, so that it can be answered.
func TestSoundRemain(t *testing.T) {
	d, err := dialect.Builtin(dialect.Default)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, raw string
		sound     spec.Bitmap
	}{
		{"wrong character", "1200" + bitmapOf(3, 4, 11) + "000000" + "00000000100X" + "000123",
			spec.Elements(3, 11)},
		{"wrong length", "1200" + bitmapOf(11, 32, 41) + "000123" + "99" + "TERMINAL",
			spec.Elements(11)},
		{"unknown", "1200" + bitmapOf(11, 65, 128) + "000123" + "12345678" + "12345678",
			spec.Elements(11)},
		{"trailing", "1200" + bitmapOf(11) + "000123" + "X", spec.Elements(11)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var m spec.Message
			if fault := d.Index(&m, []byte(test.raw)); fault.OK() {
				t.Fatal("no fault")
			}
			if m.MTI() != 0x1200 || m.Elements() != test.sound {
				t.Errorf("MTI %v, elements %v, not %v", m.MTI(), m.Elements(), test.sound)
			}
			if v, ok := m.Number(11); v != 123 || !ok {
				t.Errorf("element 11 is %d", v)
			}
			if m.Wire(4) != nil || m.Data(65) != nil || len(m.Append(nil, 32)) != 0 {
				t.Error("an element that is not sound can be read")
			}
			out, fault := d.Append(nil, &m, nil)
			if again := d.Index(&spec.Message{}, out); !fault.OK() || !again.OK() {
				t.Errorf("what is sound makes no message: %v, %v", fault, again)
			}
		})
	}
}

// TestFaultTexts: a fault names the element, and shows nothing of its content.
func TestFaultTexts(t *testing.T) {
	f := spec.Fault{Element: 4, Kind: spec.FaultClass}
	want := "element 4 (amount, transaction) holds a character that its format does not allow"
	if got := f.Err().Error(); got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if err := (spec.Fault{}).Err(); err != nil {
		t.Errorf("no fault gives %v", err)
	}
	for kind := spec.FaultShort; kind <= spec.FaultValue; kind++ {
		if s := (spec.Fault{Kind: kind}).String(); strings.HasSuffix(s, " ") || len(s) < 20 {
			t.Errorf("kind %d has the text %q", kind, s)
		}
	}
}

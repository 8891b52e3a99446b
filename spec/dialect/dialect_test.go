package dialect_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/spec/sample"
)

func parse(t *testing.T, text string) *spec.Dialect {
	t.Helper()
	d, err := dialect.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestBuiltin: each built-in dialect compiles, and its source says all there is to say about it.
func TestBuiltin(t *testing.T) {
	seen := map[[8]byte]string{}
	for _, name := range dialect.Names() {
		d, err := dialect.Builtin(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if other, ok := seen[d.Fingerprint()]; ok {
			t.Errorf("%s and %s are the same dialect", name, other)
		}
		seen[d.Fingerprint()] = name
		again, err := dialect.Parse("again", d.Source())
		if err != nil {
			t.Errorf("%s: its source: %v", name, err)
			continue
		}
		if diff := cmp.Diff(string(d.Source()), string(again.Source())); diff != "" {
			t.Errorf("%s: its source makes another dialect:\n%s", name, diff)
		}
		if !d.Same(again) || d.Name() != name {
			t.Errorf("%s is not the same dialect as its source", d.Name())
		}
		raw, fault := d.Append(nil, nil, sample.Financial())
		if !fault.OK() {
			t.Fatal(fault)
		}
		var m spec.Message
		if fault := again.Index(&m, raw); !fault.OK() {
			t.Errorf("%s: read by its source: %v", name, fault)
		}
	}
	if _, err := dialect.Builtin("hp"); err == nil || !strings.Contains(err.Error(), "bcd-left") {
		t.Errorf("error %v does not name the dialects there are", err)
	}
}

// TestFieldPractice: what real centers do otherwise than the table can be said in a line.
func TestFieldPractice(t *testing.T) {
	tests := []struct {
		name, text string
		element    int
		value      string
		wire       string
	}{
		{"longer ICC data", "{elements: {55: {length: 999}}}", 55, strings.Repeat("\x9F", 300),
			"300" + strings.Repeat("\x9F", 300)},
		{"three digits for element 44", "{elements: {44: {prefix: 3, length: 999}}}", 44, "AB",
			"002AB"},
		{"MAC of 4 bytes", "{elements: {64: {length: 4}}}", 64, "\x01\x02\x03\x04",
			"\x01\x02\x03\x04"},
		{"PIN as hexadecimal digits", "{elements: {52: {form: hex}}}", 52,
			"\x12\x34\x56\x78\x9A\xBC\xDE\xFF", "123456789ABCDEFF"},
		{"bytes in a text element", "{elements: {48: {class: b}}}", 48, "\x00\xFF", "002\x00\xFF"},
		{"LL as two packed bytes", "{base: bcd-left, elements: {32: {prefix: 4}}}", 32, "12345",
			"\x00\x05\x01\x23\x45"},
		{"amount without its sign", "{elements: {97: {class: n, length: 16}}}", 97,
			"0000000000000001", "0000000000000001"},
		{"element 65", "{elements: {65: {}}}", 65, "\x01\x02\x03\x04\x05\x06\x07\x08",
			"\x01\x02\x03\x04\x05\x06\x07\x08"},
		{"EBCDIC in one element", "{elements: {43: {text: cp037}}}", 43, "A1", "\xF0\xF2\xC1\xF1"},
		{"packed track", "{base: bcd-left}", 35, "41111=2", "\x07\x04\x11\x11\xD2"},
		{"packed track, filled with F", "{base: bcd-right-f}", 35, "41111=2",
			"\x07\x41\x11\x1D\x2F"},
		{"packed signed amount", "{base: bcd-left}", 97, "D0000000000000123",
			"D\x00\x00\x00\x00\x00\x00\x01\x23"},
		{"packed currency", "{base: bcd-left, elements: {49: {class: n}}}", 49, "392", "\x03\x92"},
		{"katakana", "{base: ascii-katakana}", 44, "\xB1\xC9\xDE", "03\xB1\xC9\xDE"},
		{"katakana in EBCDIC", "{base: ebcdic-katakana}", 44, "\xB1\xC9\xDE",
			"\xF0\xF3\x81\x9A\xBE"},
		{"hexadecimal digits in EBCDIC", "{base: ebcdic, binary: hex}", 53, "\x0A",
			"\xF0\xF1\xF0\xC1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := parse(t, test.text)
			e := &spec.Edit{}
			e.SetMTI(0x1200)
			e.Set(test.element, []byte(test.value))
			raw, fault := d.Append(nil, nil, e)
			if !fault.OK() {
				t.Fatal(fault)
			}
			var m spec.Message
			if fault := d.Index(&m, raw); !fault.OK() {
				t.Fatal(fault)
			}
			if got := m.Wire(test.element); string(got) != test.wire {
				t.Errorf("wire %x, not %x", got, test.wire)
			}
			if got := m.Append(nil, test.element); string(got) != test.value {
				t.Errorf("value %q, not %q", got, test.value)
			}
			if again := parse(t, string(d.Source())); !again.Same(d) {
				t.Error("its source is another dialect")
			}
		})
	}
}

// TestAbsent: an element can be taken out, and its bit is then refused.
func TestAbsent(t *testing.T) {
	d := parse(t, "elements: {60: {absent: true}}")
	if d.Known().Has(60) || d.Known().Has(65) || !d.Known().Has(61) {
		t.Error("the wrong elements are there")
	}
}

// TestParseRefuses: a wrong definition is refused with what is wrong.
func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, text, wants string }{
		{"unknown key", "texts: ascii", "texts"},
		{"no YAML", "elements: [", "yaml"},
		{"charset", "text: cp930", "cp290"},
		{"damaged charset", "text: " + strings.Repeat("zz", 256), "hexadecimal"},
		{"form", "digits: bcd", "packed-left"},
		{"lengths", "lengths: vli", "packed"},
		{"base", "base: mine", "built-in ones"},
		{"class", "elements: {48: {class: x}}", "element 48"},
		{"element", "elements: {129: {length: 3}}", "element 129"},
		{"prefix", "elements: {48: {prefix: 7}}", "0 to 4 digits"},
		{"too long for its prefix", "elements: {43: {length: 120}}", "count up to 120"},
		{"packed bytes", "binary: packed-left", "class b"},
		{"bytes that are text", "elements: {43: {form: bytes}}", "class"},
		{"hexadecimal text", "elements: {43: {form: hex}}", "class"},
		{"katakana in 037", "{text: cp037, katakana: true}", "cp290"},
		{"1987", "elements: {12: {length: 6}}", "1987"},
		{"filling", "digits: packed-left-g", "nibble"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := dialect.Parse("test", []byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.wants) {
				t.Errorf("error %v does not say %q", err, test.wants)
			}
		})
	}
}

// TestCodePages holds the tables against those of x/text, where it has them. The seven places in
// which 500 differs from 037 are those of IBM's tables.
func TestCodePages(t *testing.T) {
	for name, want := range map[string]*charmap.Charmap{
		"ebcdic": charmap.CodePage037, "ebcdic-1047": charmap.CodePage1047,
	} {
		for ch := byte(' '); ch <= '~'; ch++ {
			b, ok := want.EncodeRune(rune(ch))
			if got := encoded(t, name, ch); !ok || got != b {
				t.Errorf("%s: %q is %x, not %x", name, ch, got, b)
			}
		}
	}
	differ := map[byte]byte{'!': 0x4F, '[': 0x4A, ']': 0x5A, '^': 0x5F, '|': 0xBB}
	for ch := byte(' '); ch <= '~'; ch++ {
		want, ok := differ[ch]
		if !ok {
			want, _ = charmap.CodePage037.EncodeRune(rune(ch))
		}
		if got := encoded(t, "ebcdic-500", ch); got != want {
			t.Errorf("cp500: %q is %x, not %x", ch, got, want)
		}
	}
}

// TestKatakanaStaysOut: half-width katakana is translated between dialects that have it, and
// refused by those that do not.
func TestKatakanaStaysOut(t *testing.T) {
	from, err := dialect.Builtin("ascii-katakana")
	if err != nil {
		t.Fatal(err)
	}
	e := &spec.Edit{}
	e.SetMTI(0x1200)
	e.Set(43, []byte("\xBB\xB8\xD7 STORE"))
	raw, fault := from.Append(nil, nil, e)
	if !fault.OK() {
		t.Fatal(fault)
	}
	var m spec.Message
	from.Index(&m, raw)
	for _, name := range dialect.Names() {
		to, err := dialect.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		out, fault := to.Append(nil, &m, nil)
		if strings.HasSuffix(name, "-katakana") {
			if !fault.OK() {
				t.Errorf("%s: %v", name, fault)
			}
			continue
		}
		want := spec.Fault{Element: 43, Kind: spec.FaultClass}
		if fault != want || len(out) != 0 {
			t.Errorf("%s: fault %v", name, fault)
		}
	}
}

// encoded is the byte of one character.
func encoded(t *testing.T, name string, ch byte) byte {
	t.Helper()
	d, err := dialect.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	e := &spec.Edit{}
	e.SetMTI(0x1200)
	e.Set(44, []byte{ch})
	raw, fault := d.Append(nil, nil, e)
	if !fault.OK() {
		t.Fatal(fault)
	}
	return raw[len(raw)-1]
}

// FuzzDialectFile: any text is refused, or makes a dialect whose source makes the same one.
func FuzzDialectFile(f *testing.F) {
	for _, name := range dialect.Names() {
		d, err := dialect.Builtin(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte("base: " + name + "\nelements: {44: {prefix: 3, length: 999}}"))
		f.Add(bytes.SplitAfterN(d.Source(), []byte("  9:"), 2)[0][:200])
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := dialect.Parse("fuzz", text)
		if err != nil {
			return
		}
		again, err := dialect.Parse("again", d.Source())
		if err != nil || !again.Same(d) {
			t.Fatalf("the source of a dialect is another one: %v", err)
		}
	})
}

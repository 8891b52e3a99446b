package spec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cardswitch/spec"
)

func TestBuildFills(t *testing.T) {
	f := formats(t)["ascii-katakana"]
	mti, values, err := spec.ParseAssignments([]string{"mti=1200", "4=1000", "41=T1", "11=7",
		"52=12 34 56 78 90 ab cd ef", "48.9=12345", "48.11=ﾔﾏﾀﾞ ﾀﾛｳ", "97=C0000000000000001"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := spec.Build(f.Dialect, mti, values)
	if err != nil {
		t.Fatal(err)
	}
	m := f.index(t, raw)
	want := map[int]string{4: "000000001000", 41: "T1      ", 11: "000007",
		52: "\x12\x34\x56\x78\x90\xAB\xCD\xEF", 97: "C0000000000000001",
		48: "0009005123450011009\xD4\xCF\xC0\xDE \xC0\xDB\xB3"}
	want[48] = strings.Replace(want[48], "009\xD4", "008\xD4", 1)
	for n, value := range want {
		if diff := cmp.Diff(value, string(m.Append(nil, n))); diff != "" {
			t.Errorf("element %d: %s", n, diff)
		}
	}
	if m.MTI() != 0x1200 || m.Elements().Count() != len(want) {
		t.Error(m.MTI(), m.Elements())
	}
	json := []byte(`{"mti": "1200", "elements": {"4": "1000", "11": "7"}, "49": "392"}`)
	if mti, values, err = spec.ParseValues(json); err != nil || mti != 0x1200 {
		t.Fatal(mti, err)
	}
	if diff := cmp.Diff(map[int]string{4: "1000", 11: "7", 49: "392"}, values); diff != "" {
		t.Error(diff)
	}
}

// What can't be built is refused with the element and a hint, and without its value.
func TestBuildRefuses(t *testing.T) {
	d := formats(t)["ascii-binary"].Dialect
	for _, test := range []struct {
		words []string
		want  string
	}{
		{[]string{"4=1000"}, "no message type (hint: add mti=1200)"},
		{[]string{"mti=12"}, "four digits"},
		{[]string{"4539148803436467"}, "without ="},
		{[]string{"4539148803436467=1"}, `"453914" isn't an element`},
		{[]string{"mti=1200", "129=1"}, "elements are 2 to 128"},
		{[]string{"mti=1200", "4=1", "4=2"}, "given twice"},
		{[]string{"mti=1200", "47.1=2"}, "items are of element 48"},
		{[]string{"mti=1200", "48.12345=2"}, "items are of element 48"},
		{[]string{"mti=1200", "48.1=山"}, "no message can carry"},
		{[]string{"mti=1200", "48.1=" + strings.Repeat("1", 993)}, "too long"},
		{[]string{"mti=1200", "43=山"}, "element 43 (card acceptor name/location): holds"},
		{[]string{"mti=1200", "52=123"}, "isn't hexadecimal"},
		{[]string{"mti=1200", "2=453914******6467"}, "is masked"},
		{[]string{"mti=1200", "4=1234567890123"}, "element 4 (amount, transaction)"},
		{[]string{"mti=1200", "2=4539148803436467x"}, "element 2 (primary account number)"},
	} {
		mti, values, err := spec.ParseAssignments(test.words)
		if err == nil {
			_, err = spec.Build(d, mti, values)
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %s", test.words, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "8803") {
			t.Errorf("%v shows the card", err)
		}
	}
	for _, text := range []string{"", "[]", `{"mti": 1200}`, `{"mti":"1200","elements":[]}`} {
		if _, _, err := spec.ParseValues([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

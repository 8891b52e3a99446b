package spec

import "testing"

func TestOriginal(t *testing.T) {
	const with, fixed = "1200000042261122120000" + "0512345", "1200000042261122120000" + "00000012345"
	for _, text := range []string{with, fixed} {
		o, ok := ParseOriginal([]byte(text))
		if !ok || o.MTI != 0x1200 || o.STAN != 42 || o.LocalTime != 261122120000 ||
			o.Acquirer != 12345 {
			t.Errorf("%s: %+v %v", text, o, ok)
		}
	}
	o, _ := ParseOriginal([]byte(with))
	if got := string(o.Append(nil)); got != with {
		t.Errorf("written as %s, want %s", got, with)
	}
	for _, text := range []string{"", "1200", with + "6", with[:len(with)-1],
		"12000000422611221200", "12x0000042261122120000" + "0512345"} {
		if _, ok := ParseOriginal([]byte(text)); ok {
			t.Errorf("%q was taken", text)
		}
	}
}

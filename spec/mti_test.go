package spec_test

import (
	"fmt"
	"testing"

	"cardswitch/spec"
)

// TestMTI takes messages through their life: the answer, the repeat, the original.
func TestMTI(t *testing.T) {
	tests := []struct {
		mti, original, repeat, response string
		valid                           bool
	}{
		{"1200", "1200", "1201", "1210", true},
		{"1201", "1200", "1201", "1210", true},
		{"1421", "1420", "1421", "1430", true},
		{"1422", "1422", "1423", "1432", true},
		{"1305", "1304", "1305", "1314", true},
		{"1503", "1502", "1503", "1512", true},
		{"1804", "1804", "1805", "1814", true},
		{"1210", "1210", "1211", "0000", true},
		{"1211", "1210", "1211", "0000", false},
		{"1644", "1644", "1645", "0000", true},
		{"1645", "1644", "1645", "0000", false},
		{"1400", "1400", "1401", "1410", false},
		{"1410", "1410", "1411", "0000", false},
		{"1820", "1820", "1821", "1830", false},
		{"0200", "0200", "0201", "0210", false},
	}
	for _, test := range tests {
		m, err := spec.ParseMTI(test.mti)
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(m, m.Original(), m.Repeat(), m.Response(), m.Valid())
		want := fmt.Sprint(test.mti, " ", test.original, " ", test.repeat, " ", test.response, " ",
			test.valid)
		if got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
	for _, s := range []string{"", "120", "12000", "12A0", "12 0", "-120"} {
		if m, err := spec.ParseMTI(s); err == nil {
			t.Errorf("%q is %v", s, m)
		}
	}
	m := spec.MTI(0x1432)
	if m.Version() != 1 || m.Class() != 4 || m.Function() != 3 || m.Origin() != 2 ||
		!m.IsResponse() || m.IsRepeat() {
		t.Error("the digits of 1432 are wrong")
	}
}

// TestMTITable counts the messages of the edition: 18 pairs of a request or an advice and its
// repeat, 18 responses, 11 notifications.
func TestMTITable(t *testing.T) {
	count := 0
	for m := range spec.MTI(0x9999) {
		if m.Valid() {
			count++
		}
	}
	if want := 18*3 + 11; count != want {
		t.Errorf("%d messages, not %d", count, want)
	}
}

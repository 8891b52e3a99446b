package spec_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"cardswitch/spec"
)

func TestMaskText(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"asked by the bank", "asked by the bank"},
		{"4539121234567895", "453912******7895"},
		{"card 4539121234567895, ticket 4711", "card 453912******7895, ticket 4711"},
		{"PAN4539121234567895x", "PAN453912******7895x"},
		{"4539 1212 3456 7895", "4539 12** **** 7895"},
		{"4539-1212-3456-7895!", "4539-12**-****-7895!"},
		{"378282246310005", "378282*****0005"},
		{"3782 822463 10005", "3782 82**** *0005"},
		{"12 4539121234567895", "12 453912******7895"},
		{"4539121234567895 12", "453912******7895 12"},
		{"４５３９１２１２３４５６７８９５", "４５３９１２******７８９５"},
		{"4539121234567890", "4539121234567890"}, // the check digit is wrong
		{"994539121234567895", "994539121234567895"},
		{"12345678901234567890", "********************"},
		{"4539  1212  3456  7895", "4539  1212  3456  7895"}, // two spaces part numbers
		{"record 1000000 of 2026-10-12", "record 1000000 of 2026-10-12"},
		{";4539121234567895=25121011234567890123?", ";453912******7895=********************?"},
		{"%B4539121234567895^SATO/KEN^2512101123?", "%B453912******7895^SATO/KEN^**********?"},
		{"4539121234567895 and 378282246310005", "453912******7895 and 378282*****0005"},
		{"\xff4539121234567895\xfe", "\ufffd453912******7895\ufffd"},
	}
	for _, tt := range tests {
		if got := spec.MaskText(tt.text); got != tt.want {
			t.Errorf("%q became %q, not %q", tt.text, got, tt.want)
		}
	}
}

// FuzzMaskText puts a card between any two texts: it never shows, and nothing else is lost.
func FuzzMaskText(f *testing.F) {
	f.Add("card ", " of the customer")
	f.Add("12 ", "=2512")
	f.Add("9", "９")
	f.Fuzz(func(t *testing.T, before, after string) {
		const card = "4539121234567895"
		for _, text := range []string{before, after, before + "|" + card + "|" + after} {
			masked := spec.MaskText(text)
			if utf8.ValidString(text) && utf8.RuneCountInString(masked) != utf8.RuneCountInString(text) {
				t.Fatalf("%q became %q", text, masked)
			}
			if strings.Contains(text, card) && strings.Contains(masked, card) {
				t.Fatalf("%q shows a card", masked)
			}
		}
	})
}

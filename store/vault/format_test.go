package vault

import (
	"fmt"
	"strings"
	"testing"

	"cardswitch/spec"

	"pgregory.net/rapid"
)

func TestFormatsRefused(t *testing.T) {
	for _, prefix := range []string{"", "ninechars", "a b", "\x7f", "é"} {
		if _, err := Opaque(prefix); err == nil {
			t.Errorf("the prefix %q was taken", prefix)
		}
	}
	for _, r := range [][2]string{{"", ""}, {"99", "999"}, {"995", "994"}, {"9a", "9b"},
		{"1234567890", "1234567890"}, {"+1", "+2"}, {"-1", "99"}} {
		if _, err := Preserving(r[0], r[1], true); err == nil {
			t.Errorf("the range %q was taken", r)
		}
	}
}

// TestPreserving: whatever the number, its token has its length, lies in the range, has a wrong
// check digit, keeps the last four digits if that is wanted, and tells nothing else.
func TestPreserving(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keep := rapid.Bool().Draw(t, "keep")
		digits := rapid.StringMatching(`[1-8][0-9]{11,18}`).Draw(t, "digits")
		width := rapid.IntRange(1, 6).Draw(t, "width")
		low := rapid.IntRange(0, 99).Draw(t, "low")
		from, to := fmt.Sprintf("9%0*d", width+1, low), fmt.Sprintf("9%s", strings.Repeat("9", width+1))
		f, err := Preserving(from, to, keep)
		if err != nil {
			t.Fatal(err)
		}
		pan, err := spec.ParsePAN(digits)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.fits(pan); err != nil {
			if len(digits)-len(from) >= 9 {
				t.Fatalf("no token fits: %v", err)
			}
			return
		}
		token := string(f.draw(pan))
		drawn, err := spec.ParsePAN(token)
		if err != nil || len(token) != len(digits) || drawn.Luhn() || token[:len(from)] < from ||
			keep && !strings.HasSuffix(token, digits[len(digits)-4:]) || !f.Has(token) {
			t.Fatalf("the token %s from %s to %s for %s", token, from, to, digits)
		}
		if f.Has(digits) {
			t.Fatalf("the number %s counts as a token", digits)
		}
	})
}

func TestOpaque(t *testing.T) {
	f := opaque(t)
	seen := make(map[Token]bool)
	letters := make(map[rune]int)
	for range 2000 {
		token := f.draw(cardOf(1))
		if seen[token] || !f.Has(string(token)) || len(token) != 31 ||
			strings.ContainsAny(string(token), "0123456789") {
			t.Fatalf("the token %s", token)
		}
		seen[token] = true
		for _, c := range token[3:] {
			letters[c]++
		}
	}
	for c := 'a'; c <= 'z'; c++ { // 2154 of each are expected, give or take 46
		if n := letters[c]; n < 1800 || n > 2500 {
			t.Errorf("%c stands %d times in 56000 letters", c, n)
		}
	}
	for _, text := range []string{"", "tk-", "tk-abc", "tk-" + strings.Repeat("A", 28),
		"xx-" + strings.Repeat("a", 28), "tk-" + strings.Repeat("a", 29)} {
		if f.Has(text) {
			t.Errorf("%q counts as a token", text)
		}
	}
	var none Format
	if none.Has("") || none.Has(strings.Repeat("a", 28)) {
		t.Error("no format has a token")
	}
}

// TestSpread: the digits that aren't kept are all about as likely, so that they tell nothing.
func TestSpread(t *testing.T) {
	f := preserving(t, "9900", "9949", true)
	var counts [8][10]int
	const drawn = 20_000
	for range drawn {
		token := f.draw(cardOf(3))
		for i := range counts {
			counts[i][token[4+i]-'0']++
		}
	}
	for i, digits := range counts {
		for d, n := range digits {
			if n < drawn/10*8/10 || n > drawn/10*12/10 {
				t.Errorf("digit %d is %d in %d of %d tokens", 4+i, d, n, drawn)
			}
		}
	}
}

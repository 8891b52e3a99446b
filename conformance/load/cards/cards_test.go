package cards_test

import (
	"strings"
	"testing"

	"cardswitch/conformance/load/cards"
)

func TestEveryCardIsValidAndDifferent(t *testing.T) {
	seen := map[string]bool{}
	for _, card := range cards.All() {
		if seen[card] {
			t.Errorf("%s... comes twice", card[:8])
		}
		seen[card] = true
		if len(card) != 16 || !luhn(card) {
			t.Errorf("%s... isn't a valid number", card[:8])
		}
		if _, ok := find(card); !ok {
			t.Errorf("%s... is in no range", card[:8])
		}
	}
	if len(seen) < 4000 {
		t.Errorf("only %d cards", len(seen))
	}
}

// luhn reads from the right, as the rule is usually told, not as cards builds it.
func luhn(card string) bool {
	sum := 0
	for i := range card {
		v := int(card[len(card)-1-i] - '0')
		if i%2 == 1 {
			v *= 2
		}
		sum += v/10 + v%10
	}
	return sum%10 == 0
}

func find(card string) (cards.Range, bool) {
	for _, r := range cards.Ranges() {
		if strings.HasPrefix(card, r.Prefix) {
			return r, true
		}
	}
	return cards.Range{}, false
}

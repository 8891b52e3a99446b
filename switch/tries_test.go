package cardswitch

import (
	"encoding/binary"
	"testing"
)

// The alarm comes once a minute and card, at the fifth.
func TestTries(t *testing.T) {
	var tried tries
	const minute = int64(60e9)
	for round := range int64(2) {
		for i := 1; i <= 300; i++ {
			if got := tried.count((100+round)*minute+int64(i), [16]byte{1}); got != (i == 5) {
				t.Errorf("minute %d, try %d: %v", round, i, got)
			}
			if i <= 4 && tried.count((100+round)*minute, [16]byte{2}) {
				t.Error("another card is told")
			}
		}
	}
	for i := range 3 * triesKept {
		var card [16]byte
		binary.LittleEndian.PutUint64(card[8:], uint64(i))
		tried.count(200*minute, card)
	}
	if len(tried.of) != triesKept {
		t.Errorf("%d cards are watched", len(tried.of))
	}
}

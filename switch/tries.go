package cardswitch

import (
	"cardswitch/switch/txn"
)

// tries counts PIN blocks of one card that can't be translated. Whoever varies blocks or card
// numbers to learn a PIN makes many of them (ISO 9564-1); the one answer that all of them get tells
// nothing, and the alarm tells who looks after the center. It is guarded by Switch.mu.
type tries struct {
	minute int64
	of     map[[16]byte]uint8 // by the keyed hash of the card
}

const (
	// triesTold is at how many in a minute the alarm is raised, once.
	triesTold = 5
	// triesKept is how many cards are watched in a minute; those beyond are counted by the metric.
	triesKept = 4096
)

// count counts one, and tells whether it is the one at which the alarm is raised.
func (t *tries) count(now int64, card [16]byte) bool {
	if minute := now / 60e9; minute != t.minute || t.of == nil {
		t.minute, t.of = minute, make(map[[16]byte]uint8)
	}
	n, known := t.of[card]
	if !known && len(t.of) >= triesKept || n > triesTold {
		return false
	}
	t.of[card] = n + 1
	return n+1 == triesTold
}

// triedPIN counts a PIN block that couldn't be translated.
func (s *Switch) triedPIN(now int64, from *center, r *txn.Row) {
	if !s.tries.count(now, r.Card) {
		return
	}
	s.said(SecurityEvent{Center: from.name, MTI: r.MTI, Reason: txn.PINsTried}, from, nil)
	s.log.Error("PIN blocks of one card fail again and again", "center", from.name, "txn", r.Txn,
		"hint", "see the terminals of these transactions; call the center")
}

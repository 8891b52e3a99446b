package cardswitch

import (
	"encoding/binary"

	"cardswitch/switch/link"
)

// What concerns one card goes to its issuer over one link, among links of equal rank always the
// same one, so that one connection keeps the order. When the link changes, what had been given to
// the old one and never left may not follow: it would arrive after what was asked later.

// ways remembers over which link cards go, in so many classes of cards; nil: nobody cares.
type ways []way

type way struct {
	link  uint64 // number of the connection
	since uint64 // the transaction that went over it first
}

// wayClasses is how many: 64 kB an issuer. Cards of one class change links together.
const wayClasses = 4096

// keepWays begins to remember for an issuer whose cards' order counts, or ends it.
func (c *center) keepWays() {
	switch {
	case c.config.SAF == nil || c.config.SAF.Overtake:
		c.ways = nil
	case c.ways == nil:
		c.ways = make(ways, wayClasses)
	}
}

func classOf(card [16]byte) uint32 { return binary.LittleEndian.Uint32(card[:]) % wayClasses }

// linkFor is the link for what concerns a card.
func (c *center) linkFor(card [16]byte) *link.Link {
	if c.ways == nil || card == ([16]byte{}) {
		return c.link.Best()
	}
	return c.link.For(classOf(card))
}

// went notes that something about a card was given to a link.
func (w ways) went(card [16]byte, l *link.Link, txn uint64) {
	if w == nil || card == ([16]byte{}) {
		return
	}
	if at := &w[classOf(card)]; at.link != l.Number() {
		at.link, at.since = l.Number(), txn
	}
}

// passed tells whether something later may have gone over another link than a transaction that
// didn't leave.
func (w ways) passed(card [16]byte, txn uint64) bool {
	return w != nil && card != ([16]byte{}) && w[classOf(card)].since > txn
}

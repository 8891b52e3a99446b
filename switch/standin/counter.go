package standin

import "slices"

// Bucket is what was approved for a card in one hour.
type Bucket struct {
	Hour   uint32 // since 1970, UTC
	Count  uint32
	Amount uint64 // of what was above the floor limit
}

// Counter is the buckets of one card, oldest first.
type Counter []Bucket

const hour = 3600 * 1_000_000_000

// HourOf gives the hour of a time in unix nanoseconds.
func HourOf(at int64) uint32 { return uint32(at / hour) }

// Since adds up what was approved in an hour or later.
func (c Counter) Since(first uint32) (count, amount uint64) {
	for i := len(c) - 1; i >= 0 && c[i].Hour >= first; i-- {
		count += uint64(c[i].Count)
		amount += c[i].Amount
	}
	return count, amount
}

// Card is the keyed hash of a card number.
type Card [16]byte

// Counters are what was approved for the cards of one issuer, so many cards at most: what must be
// known of one for as long as the longest limit looks back. What is forgotten is gone: a limit that
// is made longer knows the last days as far as the one before it did.
type Counters struct {
	most  int
	cards map[Card]Counter
	// order has one entry for each bucket, in the order of the hours.
	order []touched
	head  int
}

type touched struct {
	hour uint32
	card Card
}

// NewCounters remembers so many cards.
func NewCounters(most int) *Counters {
	return &Counters{most: most, cards: make(map[Card]Counter)}
}

// Len counts the cards.
func (c *Counters) Len() int { return len(c.cards) }

// Of gives what was approved for a card. It must not be changed.
func (c *Counters) Of(card Card) Counter { return c.cards[card] }

// Room tells whether a card can be counted.
func (c *Counters) Room(card Card) bool {
	_, known := c.cards[card]
	return known || len(c.cards) < c.most
}

// Add counts an approval and gives the bucket that it changed. An hour before the card's last one,
// as after a step of the clock, counts as that.
func (c *Counters) Add(card Card, hour uint32, amount uint64) Bucket {
	return c.Put(card, Bucket{hour, 1, amount})
}

// Put counts what is in a bucket. Buckets read from the disk are put in the order of their hours.
func (c *Counters) Put(card Card, b Bucket) Bucket {
	counter := c.cards[card]
	if n := len(c.order); n > 0 {
		b.Hour = max(b.Hour, c.order[n-1].hour)
	}
	if n := len(counter); n > 0 && counter[n-1].Hour == b.Hour {
		last := &counter[n-1]
		last.Count += b.Count
		last.Amount += b.Amount
		return *last
	}
	c.cards[card] = append(counter, b)
	c.order = append(c.order, touched{b.Hour, card})
	return b
}

// Forget drops at most limit buckets of hours before one, and tells each to fn.
func (c *Counters) Forget(before uint32, limit int, fn func(card Card, hour uint32)) {
	for ; limit > 0 && c.head < len(c.order) && c.order[c.head].hour < before; limit-- {
		t := c.order[c.head]
		c.head++
		counter := c.cards[t.card]
		if counter = slices.Delete(counter, 0, 1); len(counter) == 0 {
			delete(c.cards, t.card)
		} else {
			c.cards[t.card] = counter
		}
		fn(t.card, t.hour)
	}
	if c.head > len(c.order)/2 {
		c.order = append(c.order[:0], c.order[c.head:]...)
		c.head = 0
	}
}

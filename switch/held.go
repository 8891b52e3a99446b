package cardswitch

import (
	"bytes"
	"math"
	"slices"

	"cardswitch/store/journal"
	"cardswitch/switch/saf"
	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

// A request must not overtake what is still owed to its issuer for the same card: the issuer would
// decide on a balance that has yet to be told of. Such a request is held. It is in the journal and
// a row like any other, so that a repeat waits with it, but it doesn't leave before all that is
// older is delivered or on the work list. One that is held too long ends as never sent, with
// nothing to reverse; so does one that a restart finds held.

// held is the requests of one center that are held, card by card, oldest first.
type held struct {
	cards map[[16]byte][]heldOne
	count int
}

// heldOne is a request with what is to be sent.
type heldOne struct {
	row   *txn.Row
	frame []byte
	pin   *security.Block
	asker *center
}

// holds tells whether a request for a card must be held now, and why it can't be.
func (c *center) holds(card [16]byte) (hold bool, why txn.Reason) {
	if c.owed.Len() == 0 || c.config.SAF.Overtake || !c.owed.Owes(card, math.MaxUint64) {
		return false, txn.None
	}
	if c.held.count >= heldMost || len(c.held.cards[card]) >= heldPerCard {
		return true, txn.TooManyHeld
	}
	return true, txn.None
}

// hold keeps a request back that is otherwise ready: its message stands at the end of pending.out.
func (s *Switch) hold(now int64, c, asker *center, r *txn.Row, from int, pin *security.Block) {
	one := heldOne{row: r, frame: bytes.Clone(s.pending.out[from:]), pin: pin, asker: asker}
	s.pending.out = s.pending.out[:from]
	if c.held.cards == nil {
		c.held.cards = make(map[[16]byte][]heldOne)
	}
	c.held.cards[r.Card] = append(c.held.cards[r.Card], one)
	c.held.count++
	r.Sent.Release()
	r.State, r.Sent = txn.Held, nil
	r.LeaveBy = r.Deadline
	// The issuer gets the other half of the time.
	s.wheel.Set(r, now+(r.Deadline-now)/2)
	c.metrics.held.Inc()
}

// drop forgets a request that is held no more.
func (h *held) drop(r *txn.Row) {
	list := h.cards[r.Card]
	i := slices.IndexFunc(list, func(one heldOne) bool { return one.row == r })
	if i < 0 {
		return
	}
	h.count--
	if len(list) == 1 {
		delete(h.cards, r.Card)
		return
	}
	h.cards[r.Card] = slices.Delete(list, i, i+1)
}

// paid takes something off a center's queue, and lets go what was held for it, in order.
func (s *Switch) paid(now int64, c *center, item *saf.Item) {
	c.owed.Remove(item)
	for {
		list := c.held.cards[item.Card]
		if len(list) == 0 || c.owed.Owes(item.Card, list[0].row.Txn) {
			return
		}
		one := list[0]
		c.held.drop(one.row)
		s.depart(now, c, &one)
	}
}

// depart sends a request that was held.
func (s *Switch) depart(now int64, c *center, one *heldOne) {
	r := one.row
	out := c.linkFor(r.Card)
	if out == nil || !c.link.Takes(len(one.frame)+c.room()) || !out.Acquire() {
		s.giveUp(now, c, r, txn.NeverLeft)
		return
	}
	r.State, _ = r.State.After(txn.Departed)
	r.Sent, r.Aside = out, s.goesAside(c, one.pin)
	s.wheel.Set(r, r.LeaveBy)
	s.rec = journal.Record{At: now, Kind: journal.Sent, Txn: r.Txn, Dest: c.id, STAN: r.STAN,
		Reason: uint16(txn.OwedPaid), Text: out.Name()}
	s.pending.batch.Append(&s.rec)
	c.ways.went(r.Card, out, r.Txn)
	from := len(s.pending.out)
	s.pending.out = append(s.pending.out, one.frame...)
	s.pending.effects = append(s.pending.effects, effect{kind: sendRequest, to: c, link: out,
		tag: tagOf(r), from: from, end: len(s.pending.out), pin: one.pin, asker: one.asker})
	c.metrics.sent.Inc()
}

// heldRow is the row of an original that is held, or nil.
func (s *Switch) heldRow(o found) *txn.Row {
	c := s.centers[o.question.Dest]
	if c == nil || c.held.count == 0 {
		return nil
	}
	r := c.rows.Find(o.question.STAN)
	if r == nil || r.Txn != o.question.Txn || r.State != txn.Held {
		return nil
	}
	return r
}

// withdraw ends a held request that its merchant has reversed: the issuer never hears of either.
func (s *Switch) withdraw(now int64, o found) {
	if r := s.heldRow(o); r != nil {
		s.giveUp(now, s.centers[r.Dest], r, txn.Withdrawn)
	}
}

package cardswitch

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/saf"
	"cardswitch/switch/txn"
)

// What follows a transaction (a partial reversal, a completion, a return, a supplement) leaves a
// record under the transaction's number that says how much it used up. What is left is the fold of
// these records. For nearly all transactions nothing followed, and what is left is the amount that
// is remembered with the question; of the others the fold is in memory for a while, and is read
// from the journal again when it is asked for later, as is that of another day.

// rests is what is left of the transactions that something followed of late.
type rests map[uint64]rest

type rest struct {
	txn.Remainder
	known bool   // else it must be read from the journal
	seq   uint64 // the last record in it
}

// restsKept bounds them: 64 bytes each.
const restsKept = 1 << 16

// keep remembers what is left of a transaction. Those that the journal has are forgotten when there
// are too many.
func (r rests) keep(number uint64, what rest, durable uint64) {
	if len(r) >= restsKept {
		for n, old := range r {
			if old.seq <= durable {
				delete(r, n)
			}
		}
	}
	r[number] = what
}

// apply folds a record in, if what was left before is known.
func (r rests) apply(rec *journal.Record, durable uint64) {
	what := r[rec.Txn]
	if what.known {
		what.Remainder = what.After(rec)
	}
	what.seq = rec.Seq
	r.keep(rec.Txn, what, durable)
}

// left tells what is left of an original; false if the journal has to be asked.
func (s *Switch) left(q txn.Question) (txn.Remainder, bool) {
	if what := s.rests[q.Txn]; what.known {
		return what.Remainder, true
	}
	return txn.Remainder{Approved: q.Amount}, !q.Flags.Has(txn.Adjusted)
}

// LeftOf tells from all records of a transaction how it stands, and what is left of it.
func LeftOf(records []journal.Record) (txn.Original, txn.Remainder) {
	var left txn.Remainder
	for i := range records {
		left = left.After(&records[i])
	}
	return questionOf(records).Standing(), left
}

// follow fills in what a message that refers to another is decided by; false if the journal has to
// be asked.
func (s *Switch) follow(q *txn.Request, c *center, a *arrival, o *found) bool {
	q.Sequel, q.Amount, q.Rules = a.sequel, a.amount, c.adjustments
	if q.Original == txn.Waiting && s.heldRow(*o) != nil {
		q.Original = txn.Unsent
	}
	if !o.known || a.sequel == txn.NoSequel {
		return true
	}
	if o.question.Card != 0 && a.card != ([16]byte{}) && o.question.Card != cardMark(a.card) {
		q.Original, o.known = txn.OtherCard, false
		return true
	}
	var ok bool
	o.left, ok = s.left(o.question)
	q.OriginalMTI, q.OriginalType, q.Left = o.question.MTI, o.question.Type, o.left
	q.OtherCurrency = o.question.Currency != 0 && a.currency != 0 &&
		a.currency != o.question.Currency
	var digits [24]byte
	if original := a.msg.Append(digits[:0], 30); len(original) >= 12 {
		for _, c := range original[:12] {
			q.OriginalAmount = q.OriginalAmount*10 + uint64(c-'0')
		}
	}
	if ok && o.left.Of != 0 && a.mti.Class() == 4 && o.question.MTI.Class() == 1 {
		return a.recalled && s.underAuthorization(q, a.raised)
	}
	return ok
}

// inPart tells whether an action code grants a part of what was asked (reference iso8583-1993
// section 3.5).
func inPart(action uint16) bool { return action == 2 || action == 6 }

// reversesLess sees that a merchant's reversal which came before the answer, and waited for it,
// says as its amount what was approved: a part of what the merchant had asked for.
func (s *Switch) reversesLess(c *center, r *txn.Row, m *spec.Message) {
	item, part := c.owed.Item(r.Item), uint64(0)
	if !m.Has(50) { // else what it moves is in another currency
		part, _ = m.Number(4)
	}
	if item == nil || item.After != r.Txn || part == 0 || part >= r.Amount {
		return
	}
	item.Amount, item.Reason = part, uint16(txn.ReversalOfPart)
	s.pending.batch.Enqueue(c.id, item.Entry)
}

// cardMark is as much of a card's hash as is remembered with a question.
func cardMark(card [16]byte) uint32 { return binary.LittleEndian.Uint32(card[:]) }

// adjust records that something followed a transaction.
func (s *Switch) adjust(now int64, number uint64, key journal.Key, why txn.Reason, amount,
	by uint64) {
	s.rec = journal.Record{At: now, Kind: journal.Adjusted, Txn: number, Key: key, Advice: by,
		Reason: uint16(why), Amount: amount}
	s.rec.Seq = s.pending.batch.Append(&s.rec)
	if q, ok := s.questions.Find(key); ok && !key.IsZero() {
		q.Flags |= txn.Adjusted
		s.questions.Update(key, q)
	}
	s.rests.apply(&s.rec, s.store.LastSeq())
}

// spendOf records that the transaction number, an arrival's own, uses up so much of its original.
func (s *Switch) spendOf(now int64, c *center, a *arrival, o found, number, amount uint64) {
	why := txn.SpentOf
	if a.sequel == txn.Completes && !c.adjustments.Several {
		why = txn.SpentAll
	}
	s.rests.keep(o.question.Txn, rest{Remainder: o.left, known: true}, s.store.LastSeq())
	s.adjust(now, o.question.Txn, o.key, why, amount, number)
	s.adjust(now, number, a.key, txn.RefersTo, 0, o.question.Txn)
}

// onOriginal records what an advice or a reversal that is owed does to its original.
func (s *Switch) onOriginal(now int64, c *center, a *arrival, o found, item *saf.Item,
	d txn.Decision, part bool) {
	switch {
	case a.mti.Class() == 4 && o.known && part:
		s.rests.keep(o.question.Txn, rest{Remainder: o.left, known: true}, s.store.LastSeq())
		s.adjust(now, o.question.Txn, o.key, txn.PartReversed, d.Moves, item.ID)
	case a.mti.Class() == 4 && o.known:
		s.reverseOriginal(now, o, item, d)
	case o.known && a.sequel == txn.Raises:
		s.adjust(now, o.question.Txn, o.key, txn.RaisedBy, d.Moves, item.ID)
		s.adjust(now, item.ID, a.key, txn.RefersTo, 0, o.question.Txn)
	case o.known && d.Moves != 0:
		s.spendOf(now, c, a, o, item.ID, d.Moves)
	}
	// What is reversed is undone at its own original: now, if it isn't still waiting.
	if a.mti.Class() == 4 && o.left.Of != 0 && d.Reason == txn.ReversalKept {
		why := txn.SpentUndone
		if o.question.MTI.Class() == 1 {
			why = txn.LoweredBy
		}
		s.adjust(now, o.left.Of, journal.Key{}, why, d.Moves, item.ID)
	}
}

// undone is the processing code and the currency of what a message moves: a reversal's are its
// original's, whatever it says itself.
func (a *arrival) undone(o found) (processing uint32, currency uint16) {
	processing, currency = a.processing, a.currency
	if a.mti.Class() != 4 || !o.known {
		return processing, currency
	}
	if o.question.Type != typeOf(processing) {
		processing = uint32(o.question.Type)*10_000 + processing%10_000
	}
	return processing, cmp.Or(o.question.Currency, currency)
}

// refers notes on a row what its request is for its original, and uses up of that at once what it
// asks for: two at a time must not use up the same.
func (s *Switch) refers(now int64, c *center, r *txn.Row, a *arrival, o found, d txn.Decision) {
	if !o.known || d.Moves == 0 {
		return
	}
	r.Sequel, r.Of, r.OfKey = a.sequel, o.question.Txn, o.key
	if a.sequel == txn.Raises {
		s.adjust(now, r.Txn, a.key, txn.RefersTo, 0, o.question.Txn)
		return
	}
	s.spendOf(now, c, a, o, r.Txn, d.Moves)
}

// followed ends what a forwarded request was to be for its original: it stands for so much.
func (s *Switch) followed(now int64, r *txn.Row, stands uint64) {
	switch {
	case r.Sequel == txn.Raises && stands != 0 && !s.completes(r):
		s.adjust(now, r.Txn, r.Key, txn.RefersTo, 0, 0) // too late to add to it: it stands alone
	case r.Sequel == txn.Raises && stands != 0:
		s.adjust(now, r.Of, r.OfKey, txn.RaisedBy, stands, r.Txn)
	case r.Sequel != txn.Raises && stands < r.Amount:
		s.adjust(now, r.Of, r.OfKey, txn.SpentUndone, r.Amount-stands, r.Txn)
	}
}

// reduce rewrites a reversal of an approved original for its issuer: all that is left of it, or as
// much as it takes back, in the way of that center. amount is what it says so far, named that it
// calls itself partial. false: the center knows no partial reversals.
func (s *Switch) reduce(dest *center, left txn.Remainder, moves, amount uint64,
	named bool) (part, ok bool) {
	final := left.Approved - min(left.Approved, left.Reversed+moves)
	if final == 0 {
		if named {
			s.edit.SetNumber(24, 400)
			s.edit.Remove(30)
		}
		if moves != amount {
			s.edit.SetNumber(4, moves)
		}
		return false, true
	}
	switch dest.adjustments.Partial {
	case txn.NoPartial:
		return true, false
	case txn.FinalAmount:
		s.edit.SetNumber(4, final)
	case txn.ReversedAmount:
		s.edit.SetNumber(4, moves)
	}
	s.edit.SetNumber(24, 401)
	s.edit.Set(30, fmt.Appendf(nil, "%012d%012d", left.Approved, 0))
	return true, true
}

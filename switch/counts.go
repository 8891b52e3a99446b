package cardswitch

import (
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/store/total"
	"cardswitch/switch/saf"
	"cardswitch/switch/settle"
	"cardswitch/switch/txn"
)

// What a transaction moves in the totals. It counts once its outcome is known and positive, in one
// period of the issuer's leg, and in one of the merchant's leg where that reconciles too. Which
// period, the side says that was agreed on: the request that goes to the issuer carries the day
// (us, request), or its answer does (peer). The record of the outcome says what it moves, so that
// the totals are a fold of the records.

// period is where something counts.
type period struct {
	day   uint32
	slice uint16
}

// periods is where a request counts on both legs.
type periods struct {
	period        // at the issuer
	here   uint32 // the day on the merchant's leg; 0: none
}

// periodsOf gives the periods of a request or advice that goes to dest, and writes that of the
// issuer's leg into s.edit.
func (s *Switch) periodsOf(now int64, c, dest *center, a *arrival) (periods, txn.Reason) {
	here, why := s.merchantDay(now, c, a)
	in, refused := s.inPeriod(now, dest, a.day)
	return periods{in, here}, max(why, refused)
}

// inPeriod gives the period in which a message to a center counts, and puts it into s.edit. named
// is the day that the message itself names; our own, and repeats of what was sent, name none.
func (s *Switch) inPeriod(now int64, to *center, named uint32) (period, txn.Reason) {
	if to.settling == nil || to.book == nil {
		return period{}, txn.None
	}
	if to.settling.config.Date != DateRequest {
		named = 0
	}
	p, why := s.periodOf(now, to, named)
	if why == txn.None {
		s.writePeriod(to, p)
	}
	return p, why
}

// writePeriod puts the period in which a message to a center counts into s.edit.
func (s *Switch) writePeriod(to *center, p period) {
	if to.settling == nil || to.book == nil {
		return
	}
	if to.settling.config.Date == DatePeer {
		s.edit.Remove(28)
		s.edit.Remove(29)
		return
	}
	s.edit.SetNumber(28, uint64(p.day))
	if to.settling.config.Checkpoint != 0 || p.slice > 1 {
		s.edit.SetNumber(29, uint64(p.slice))
	} else {
		s.edit.Remove(29)
	}
}

// periodOf finds the period of a day that a message names. The first that names the next day, by
// who gives it, ends the open one. Where merchants' requests give an issuer's days, one of them
// ends the day of all, so none may name one far beyond the next business day by the clock.
func (s *Switch) periodOf(now int64, c *center, named uint32) (period, txn.Reason) {
	day, slice, how := c.book.Assign(settle.Day(named))
	switch {
	case how == settle.NotThere && c.settling.config.Date == DateRequest &&
		settle.Day(named) > c.settling.calendar.Latest(time.Unix(0, now)):
		return period{uint32(day), slice}, txn.DayRefused
	case how == settle.NotThere && c.book.MayOpen(settle.Day(named)) == nil:
		s.cutOver(now, c, settle.Day(named), "named by a message")
		return period{named, 1}, txn.None
	case how == settle.NotThere,
		how == settle.Moved && c.settling.config.Sealed == SealedRefuse:
		return period{uint32(day), slice}, txn.PeriodNotThere
	}
	return period{uint32(day), slice}, txn.None
}

// merchantDay gives the day in which a request counts on a merchant's leg; 0 where it doesn't.
func (s *Switch) merchantDay(now int64, c *center, a *arrival) (uint32, txn.Reason) {
	if c.settling == nil || c.book == nil || a.mti.Class() > 4 {
		return 0, txn.None
	}
	named := a.day
	if c.settling.config.Date == DateUs {
		named = 0
	}
	p, why := s.periodOf(now, c, named)
	return p.day, why
}

// given is the period of a message that was given one earlier, and whose answer may name another:
// an issuer that gives the days names its own, and one that is given them may move what came for a
// day that it had agreed on. moves says that it may.
func (s *Switch) given(now int64, c *center, p period, m *spec.Message, moves bool) period {
	named, _ := m.Number(28)
	if named != 0 && uint32(named) != p.day {
		if moves || c.settling.config.Date == DatePeer {
			q, why := s.periodOf(now, c, uint32(named))
			if why == txn.None && q.day == uint32(named) {
				if slice, ok := m.Number(29); ok && slice != 0 && slice <= uint64(q.slice) {
					q.slice = uint16(slice)
				}
				return q
			}
		}
		c.metrics.otherDay.Inc()
	}
	if uint32(c.book.Current().Day) == p.day {
		return p // as nearly always
	}
	if c.book.Find(settle.Day(p.day)) != nil {
		if day, slice, how := c.book.Assign(settle.Day(p.day)); how != settle.AsNamed {
			return period{uint32(day), slice} // it was agreed meanwhile
		}
		return p
	}
	day, slice, _ := c.book.Assign(0)
	return period{uint32(day), slice}
}

// counts writes into the record of an issuer's approval what it moves: at the issuer, and where the
// merchant gets the approval also there.
func (s *Switch) counts(now int64, rec *journal.Record, from, c *center, r *txn.Row,
	m *spec.Message, told bool) {
	if c.settling == nil && from.settling == nil {
		return
	}
	kind := total.KindOf(r.MTI, r.Processing)
	if kind == total.None {
		return
	}
	rec.Moves, rec.Processing, rec.Currency = uint8(kind), r.Processing, r.Currency
	grants(rec, m)
	rec.Currency = countedIn(rec.Currency, c, from)
	if c.settling != nil && c.book != nil {
		p := s.given(now, c, period{r.Day, r.Slice}, m, false)
		rec.Day, rec.Slice = p.day, p.slice
		s.moved(c, rec.Day, rec.Currency)
	}
	if told && r.State != txn.Cancelled { // else its merchant counts neither it nor its reversal
		rec.MerchantDay = r.MerchantDay
		s.moved(from, rec.MerchantDay, rec.Currency)
	}
	if r.Item != 0 {
		s.confirm(c, c.owed.Item(r.Item), r, rec)
	}
}

// grants writes the amount of an approval, perhaps of a part, into the record of what it moves.
func grants(rec *journal.Record, m *spec.Message) {
	if amount, ok := m.Number(4); ok && amount != 0 {
		rec.Amount = amount
	}
	if m.Has(5) && m.Has(50) {
		rec.Amount, _ = m.Number(5)
		currency, _ := m.Number(50)
		rec.Currency = uint16(currency)
	}
}

// exchanged tells whether the record of an approval counts in another currency than was asked in.
func exchanged(rec *journal.Record, asked uint16) bool {
	return rec.Moves != 0 && asked != 0 && rec.Currency != asked
}

// countedIn is the currency in which something counts that names none, as an inquiry without an
// amount.
func countedIn(currency uint16, of ...*center) uint16 {
	for _, c := range of {
		if currency == 0 && c != nil && c.settling != nil {
			return uint16(c.settling.config.Currency)
		}
	}
	return currency
}

// unconfirmed marks what an owed reversal moves only if its original turns out to have been
// approved.
const unconfirmed = 0x80

// confirm notes on a reversal that is still owed that its original was approved, and when it
// counted. If that was of a part only, a reversal of the whole moves no more.
func (s *Switch) confirm(c *center, item *saf.Item, r *txn.Row, of *journal.Record) {
	if item == nil || item.Moves&unconfirmed == 0 {
		return
	}
	item.Moves &^= unconfirmed
	item.OriginalDay, item.OriginalSlice = of.Day, of.Slice
	if item.Amount == r.Amount {
		item.Amount, item.Currency = of.Amount, of.Currency
	}
	s.pending.batch.Enqueue(c.id, item.Entry)
}

// owedMoves fills in what the delivery of an advice or reversal of a merchant moves.
func owedMoves(e *queue.Entry, a *arrival, o found, p period, peer bool) {
	kind := total.KindOf(a.mti, a.processing)
	if a.mti.Class() == 4 {
		kind = total.KindOf(o.question.MTI, e.Processing).Reversal()
	}
	if a.denies() {
		kind = total.None
	}
	e.Moves = uint8(kind)
	if kind != total.None && e.Reason == uint16(txn.ReversalAhead) {
		e.Moves |= unconfirmed
	}
	if !peer {
		e.Day, e.Slice = p.day, p.slice
	}
}

// delivers writes into the record of a delivery what it moves.
func (s *Switch) delivers(now int64, rec *journal.Record, c *center, item *saf.Item, a *arrival) {
	if c.settling == nil || c.book == nil || item.MTI.Class() > 4 {
		return
	}
	rec.Key = journal.KeyOf(c.id, item.MTI, item.DE12, item.STAN, a.acquirer, a.acquirerLen)
	if item.Moves == 0 || rec.Kind != journal.Delivered || rec.Action == 914 {
		return
	}
	kind := total.Kind(item.Moves &^ unconfirmed)
	p := s.given(now, c, period{item.Day, item.Slice}, a.msg, true)
	if item.Moves&unconfirmed != 0 {
		if c.settling.config.Unconfirmed != UnconfirmedBoth {
			return
		}
		s.proven(now, c, item, kind.Reversed())
	}
	rec.Center, rec.Moves, rec.Amount = item.Source, uint8(kind), item.Amount
	rec.Processing, rec.Currency = item.Processing, countedIn(item.Currency, c)
	if a.msg.Has(5) && a.msg.Has(50) { // it says itself how much that is
		grants(rec, a.msg)
	}
	rec.Day, rec.Slice = p.day, p.slice
	s.moved(c, rec.Day, rec.Currency)
}

// moved sees that what was agreed of a period in one currency, while another is still open, is
// compared again when a record moves it; day 0 is none.
func (s *Switch) moved(c *center, day uint32, currency uint16) {
	if day == 0 || c.book == nil || uint32(c.book.Current().Day) == day {
		return // as nearly always
	}
	if p := c.book.Find(settle.Day(day)); p != nil && p.Moved(currency) {
		s.keepPeriod(c, p)
	}
}

// proven records that a transaction was approved, though its answer never came: its reversal was
// accepted by a center that answers 914 to one of something that it doesn't have.
func (s *Switch) proven(now int64, c *center, item *saf.Item, kind total.Kind) {
	p := period{item.OriginalDay, item.OriginalSlice}
	if day, slice, how := c.book.Assign(settle.Day(p.day)); how != settle.AsNamed {
		p = period{uint32(day), slice}
	}
	rec := journal.Record{At: now, Kind: journal.Late, Txn: item.Txn, Center: item.Source,
		Dest: c.id, Reason: uint16(txn.ReversedProves), Moves: uint8(kind), Amount: item.Amount,
		Processing: item.Processing, Currency: countedIn(item.Currency, c), Day: p.day, Slice: p.slice}
	s.moved(c, rec.Day, rec.Currency)
	s.pending.batch.Append(&rec)
}

// lateCounts writes into the record of a late approval what it moves: the transaction, if its
// reversal is still owed and so will be counted with it. If that was delivered before, neither is.
func (s *Switch) lateCounts(now int64, rec *journal.Record, c *center, r *txn.Row,
	m *spec.Message) {
	if c.settling == nil || c.book == nil {
		return
	}
	kind, item := total.KindOf(r.MTI, r.Processing), c.owed.Item(r.Item)
	if kind == total.None || item == nil || item.Moves&unconfirmed == 0 {
		return
	}
	p := s.given(now, c, period{r.Day, r.Slice}, m, false)
	rec.Moves, rec.Processing, rec.Currency = uint8(kind), r.Processing, countedIn(r.Currency, c)
	rec.Amount = item.Amount
	grants(rec, m)
	rec.Day, rec.Slice = p.day, p.slice
	s.moved(c, rec.Day, rec.Currency)
	s.confirm(c, item, r, rec)
}

// moves fills in what a merchant's advice or reversal moves: at its issuer when it is delivered, on
// the merchant's leg now, as it is answered now.
func (s *Switch) moves(rec *journal.Record, dest *center, e *queue.Entry, a *arrival, o found,
	in periods) {
	if dest.settling == nil && in.here == 0 {
		return
	}
	owedMoves(e, a, o, in.period, dest.settling != nil && dest.settling.config.Date == DatePeer)
	if in.here != 0 && e.Moves&unconfirmed == 0 && e.Moves != 0 {
		rec.Moves, rec.MerchantDay = e.Moves, in.here
		s.moved(s.centers[rec.Center], rec.MerchantDay, rec.Currency)
	}
}

// ownDay gives an issuer's answer, in s.edit, the day of the merchant's request in askedAs, or
// none: that of the issuer's leg is no business of the merchant's, unless the request gave it.
func (s *Switch) ownDay(c *center) {
	if c.settling == nil || c.settling.config.Date == DateRequest {
		return
	}
	for _, n := range [...]int{28, 29} {
		if s.askedAs.Has(n) {
			s.edit.Set(n, s.askedAs.Append(s.value[:0], n))
		} else {
			s.edit.Remove(n)
		}
	}
}

// dated adds the day on a merchant's leg to the elements of an answer.
func (s *Switch) dated(c *center, day uint32, more []element) []element {
	if day == 0 || c.settling == nil {
		return more
	}
	return append(more, element{28, []byte(settle.Day(day).String())})
}

// redate puts another day into an owed message, in s.edit, if that which it was given was agreed
// meanwhile: it went to the work list, and came back.
func (s *Switch) redate(now int64, c *center, item *saf.Item) {
	if item.Day == 0 || item.MTI.Class() > 4 || c.settling == nil || c.book == nil {
		return
	}
	if _, _, how := c.book.Assign(settle.Day(item.Day)); how == settle.AsNamed {
		return
	}
	in, _ := s.inPeriod(now, c, 0)
	item.Day, item.Slice = in.day, in.slice
}

package cardswitch

import (
	"bytes"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/store/total"
	"cardswitch/switch/link"
	"cardswitch/switch/saf"
	"cardswitch/switch/service/authorization"
	"cardswitch/switch/txn"
)

// match finds the row that an answer belongs to: our trace number finds it, and what the answer
// must echo has to agree. A partner that puts its own local time into answers is met in the field
// (reference iso8583-1993 section 5.1), so DE 12 is not compared where the profile relaxes it.
func (s *Switch) match(c *center, a *arrival) *txn.Row {
	r := c.rows.Find(a.stan)
	if r == nil || r.MTI.Response() != a.mti || r.State == txn.Held {
		return nil
	}
	if r.Kind == txn.Management {
		return r
	}
	if a.localTime != r.LocalTime && c.rules.Same(a.mti).Has(12) {
		return nil
	}
	if a.msg.Has(32) && a.acquirer != r.Acquirer {
		return nil
	}
	return r
}

// answered closes a forwarded request with what the issuer said.
func (s *Switch) answered(now int64, l *link.Link, c *center, r *txn.Row, a *arrival) {
	from := s.centers[r.Source]
	if r.State != txn.Closed {
		s.readAsked(r)
	}
	in := txn.Answer{Action: a.msg.ActionCode(), Closed: r.State == txn.Closed,
		Cancelled: r.State == txn.Cancelled,
		Reachable: from == s.checks || len(from.link.Links()) > 0}
	if !in.Closed {
		if a.fault.OK() {
			a.fault = c.rules.CheckFor(&s.askedAs, a.msg)
		}
		if a.fault.OK() {
			a.fault = c.rules.CheckAnswer(&s.askedAs, a.msg)
		}
		if a.fault.OK() && !s.sameCard(a.msg) {
			a.fault = spec.Fault{Element: 2, Kind: spec.FaultValue}
		}
		in.Valid = a.refused == txn.None && a.fault.OK()
	}
	d := authorization.Answer(in)
	if d.Act == txn.Relay && s.outOfKeys(c, a) {
		d = authorization.NeverSent(txn.IssuerOutOfStep) // it was refused unread
	}
	switch d.Act {
	case txn.Note:
		s.late(now, l, c, r, a, d)
	case txn.Relay:
		s.relay(now, l, c, from, r, a, d)
	default:
		s.conclude(now, from, c, r, d, a)
	}
}

// readAsked puts a row's request into askedAs.
func (s *Switch) readAsked(r *txn.Row) {
	s.askedAs, s.askedPAN = *r.Request(), spec.PAN{}
}

// cardAsked is the card of the request in askedAs; where it came by a track before a restart, the
// record knows it.
func (s *Switch) cardAsked() spec.PAN {
	if s.askedPAN.IsZero() {
		return s.askedAs.PAN()
	}
	return s.askedPAN
}

// sameCard tells whether an answer is about the card that was asked about, or names none.
func (s *Switch) sameCard(m *spec.Message) bool {
	if m.Has(2) && m.Dialect().Same(s.askedAs.Dialect()) &&
		bytes.Equal(m.Wire(2), s.askedAs.Wire(2)) {
		return true // as nearly always, and without looking at digits
	}
	pan := m.PAN()
	return pan.IsZero() || pan == s.cardAsked()
}

// relay gives the issuer's answer to the merchant, with the merchant's own trace number.
func (s *Switch) relay(now int64, l *link.Link, c, from *center, r *txn.Row, a *arrival,
	d txn.Decision) {
	at := len(s.pending.out)
	s.edit.Reset()
	s.edit.SetNumber(11, uint64(r.Key.STAN()))
	if a.localTime != r.LocalTime {
		s.edit.SetNumber(12, r.LocalTime)
	}
	if s.askedAs.Has(33) {
		s.edit.Set(33, s.askedAs.Append(s.value[:0], 33))
	} else {
		s.edit.Remove(33)
	}
	s.leaveZone(c, from, nil)
	s.ownDay(c)
	for _, e := range s.dated(from, r.MerchantDay, s.tokenOf(from, r.Token)) {
		s.edit.Set(e.number, e.value)
	}
	var fault spec.Fault
	s.pending.out, fault = from.dialect.Append(s.pending.out, s.shown(from, a.msg), &s.edit)
	if from.unfit(len(s.pending.out)-at, fault) != txn.None {
		s.pending.out = s.pending.out[:at]
		a.fault = fault
		s.conclude(now, from, c, r, authorization.Answer(txn.Answer{Action: int(d.Action),
			Cancelled: r.State == txn.Cancelled}), a)
		return
	}
	rec := s.closing(now, r, d)
	d.Moves = r.Amount
	if part, ok := a.msg.Number(4); ok && inPart(d.Action) {
		rec.Amount, d.Moves = part, part
	}
	if txn.Approves(int(d.Action)) {
		s.counts(now, rec, from, c, r, a.msg, true)
	}
	if inPart(d.Action) && r.Item != 0 {
		s.reversesLess(c, r, a.msg)
	}
	s.addMessage(rec, journal.Answer, l.ID(), c, a.msg, &s.askedAs, journal.Request)
	s.addReply(rec, askedOn(r), from, s.pending.out[at:], a.msg, journal.Answer)
	s.pending.batch.Append(rec)
	s.answerTo(from, r, at)
	if exchanged(rec, r.Currency) { // the record says how much that is in the other currency
		s.adjust(now, r.Txn, r.Key, txn.LoweredBy, r.Amount-min(d.Moves, r.Amount), r.Txn)
	}
	if txn.Approves(int(d.Action)) && r.State == txn.Open &&
		(r.Sequel != txn.Raises || !s.completes(r)) {
		s.expires(now, c, r.Txn, r.Key)
	}
	s.end(now, from, c, r, d, true)
	c.rows.Drop(r)
}

// conclude ends a forwarded request with an answer of the switch's own and owes the reversal that
// the decision says. a is the answer that led to it; if there was none, the row stays as the mark
// by which a late answer is known. askedAs must hold the request.
func (s *Switch) conclude(now int64, from, c *center, r *txn.Row, d txn.Decision, a *arrival) {
	s.concludeAs(now, from, c, r, d, a, nil)
}

// concludeAs is conclude, with the answer that stand-in gives if it decides.
func (s *Switch) concludeAs(now int64, from, c *center, r *txn.Row, d txn.Decision, a *arrival,
	instead *stood) {
	var more []element
	if instead != nil {
		d.Action, more = instead.Action, s.dated(from, r.MerchantDay, instead.elements(from))
	}
	rec := s.closing(now, r, d)
	approved := a != nil && a.refused == txn.None && txn.Approves(a.msg.ActionCode()) &&
		!d.Reason.Unsent()
	if approved {
		s.counts(now, rec, from, c, r, a.msg, false)
	}
	if a != nil && a.refused == txn.None {
		s.addMessage(rec, journal.Answer, 0, c, a.msg, &s.askedAs, journal.Request)
	}
	if a != nil && !a.fault.OK() {
		rec.Text = a.fault.Err().Error()
	}
	at, ok := s.writeReply(from, &s.askedAs, r.Asked, d.Action, spec.Fault{}, more...)
	if ok {
		s.addReply(rec, askedOn(r), from, s.pending.out[at:], &s.askedAs, journal.Request)
		s.answerTo(from, r, at)
	}
	var item *saf.Item
	var fault spec.Fault
	if d.Owe != 0 {
		item, fault = s.writeReversal(now, from, c, r, d, a, rec, txn.Remainder{})
	}
	id := s.pending.batch.Append(rec)
	if item != nil {
		item.ID, item.Txn, r.Item = id, r.Txn, id
		if approved && rec.Moves != 0 { // both count, and come to nothing
			item.Moves &^= unconfirmed
			item.Amount, item.Currency = rec.Amount, rec.Currency
		}
		if fault.OK() {
			s.owe(c, item)
		} else {
			s.shelve(now, c, item, fault.Err())
		}
		c.metrics.reversals.Inc()
	}
	s.end(now, from, c, r, d, false)
	if instead != nil {
		s.tell(now, from, c, r, instead)
	}
	if a != nil || d.Reason.Unsent() {
		c.rows.Drop(r) // no answer can come any more
		return
	}
	s.wheel.Set(r, now+int64(lateKept))
}

// writeReversal builds the reversal that the switch owes for a request whose outcome it doesn't
// know, and adds its image to the record. Where the issuer's dialect can't write it, as one without
// element 56, it is kept in the merchant's and is for people: the fault says why.
// left is what it takes back, where that isn't known from the answer a; else it has no approval.
func (s *Switch) writeReversal(now int64, from, c *center, r *txn.Row, d txn.Decision, a *arrival,
	rec *journal.Record, left txn.Remainder) (*saf.Item, spec.Fault) {
	stan, ok := c.rows.Fresh()
	if !ok {
		stan = r.STAN // a million are waiting; the original's own number is still unmistakable
	}
	s.edit.Reset()
	s.edit.SetMTI(0x1420)
	s.edit.KeepOnly(reversalElements())
	s.edit.SetNumber(11, uint64(stan))
	s.edit.SetNumber(24, 400)
	s.edit.SetNumber(25, uint64(d.Owe))
	if d.Owe == txn.ReverseUndeliverable && a.msg.Has(4) {
		s.edit.Set(4, a.msg.Append(s.value[:0], 4)) // what was approved, perhaps in part
	}
	if !s.askedAs.Has(4) { // an inquiry: a reversal has an amount all the same
		s.edit.SetNumber(4, 0)
		if !s.askedAs.Has(49) {
			s.edit.Set(49, []byte(yen))
		}
	}
	o := spec.Original{MTI: r.MTI, STAN: r.STAN, LocalTime: r.LocalTime,
		Acquirer: r.Acquirer, AcquirerLen: r.Key.AcquirerLen()}
	s.edit.Set(56, o.Append(s.value[:0]))
	in, _ := s.inPeriod(now, c, 0)
	if c.config.ForwardingID {
		s.edit.Set(33, s.institution)
	}
	named := s.nameCard(&s.askedAs, s.cardAsked())
	amount, ways := r.Amount, true
	if left.Approved != 0 {
		amount = left.Left()
		_, ways = s.reduce(c, left, amount, r.Amount, false)
	}
	var fault, second spec.Fault
	writer := c
	if s.scratch, fault = c.dialect.Append(s.scratch[:0], &s.askedAs, &s.edit); !fault.OK() {
		writer = from
		s.scratch, second = from.dialect.Append(s.scratch[:0], &s.askedAs, &s.edit)
	}
	if second.OK() {
		s.addOwed(rec, writer, &s.askedAs, named)
	}
	if !ways { // the center takes no partial reversals: this one is for people
		fault = spec.Fault{Element: 24, Kind: spec.FaultValue}
	}
	e := queue.Entry{Card: r.Card, STAN: stan, MTI: 0x1420,
		DE12: r.LocalTime, Reason: d.Owe, At: now, Source: from.id, Amount: amount,
		Processing: r.Processing, Currency: r.Currency,
		OriginalDay: r.Day, OriginalSlice: r.Slice}
	if kind := total.KindOf(r.MTI, r.Processing).Reversal(); kind != total.None {
		e.Moves = uint8(kind)
		if left.Approved == 0 {
			e.Moves |= unconfirmed
		}
	}
	if c.settling != nil && c.settling.config.Date != DatePeer {
		e.Day, e.Slice = in.day, in.slice
	}
	if d.Owe == txn.ReverseUndeliverable && a.msg.Has(4) {
		e.Amount, _ = a.msg.Number(4)
	}
	return &saf.Item{Entry: e, Due: now}, fault
}

// yen is the currency of an amount of nothing (DE 49).
const yen = "392"

// reversalElements are the elements of the original that its reversal carries
// (reference iso8583-1993 section 4, column 1420).
func reversalElements() spec.Bitmap {
	return spec.Elements(2, 3, 4, 5, 7, 9, 12, 14, 16, 19, 22, 26, 28, 29, 32, 33, 34, 37, 41, 42,
		43, 46, 49, 50, 59, 102, 103)
}

// closing starts the record of a forwarded request's end.
func (s *Switch) closing(now int64, r *txn.Row, d txn.Decision) *journal.Record {
	s.images, s.cuts = s.images[:0], s.cuts[:0]
	s.rec = journal.Record{At: now, Kind: journal.Closed, Txn: r.Txn, MTI: r.MTI,
		Center: r.Source, Dest: r.Dest, STAN: r.STAN, Action: d.Action,
		Reason: uint16(d.Reason), Amount: r.Amount, Key: r.Key}
	return &s.rec
}

// askedOn is the link on which a row's question came last; zero after a restart.
func askedOn(r *txn.Row) uint16 {
	if l, ok := r.From.(*link.Link); ok {
		return l.ID()
	}
	return 0
}

// answerTo releases what stands in pending.out from at on as the answer to a row's question.
func (s *Switch) answerTo(from *center, r *txn.Row, at int) {
	l, ok := r.From.(*link.Link)
	if !ok {
		return // asked before a restart: the merchant repeats its question
	}
	s.pending.effects = append(s.pending.effects, effect{kind: sendAnswer, link: l, to: from,
		prefix: r.Prefix, from: at, end: len(s.pending.out), held: r.Held})
	r.Held = nil
}

// end notes a transaction's outcome in the tables.
func (s *Switch) end(now int64, from, c *center, r *txn.Row, d txn.Decision, answered bool) {
	event := txn.TimeIsUp
	if answered {
		event = txn.AnswerCame
	}
	cancelled := r.State == txn.Cancelled
	if r.State == txn.Held {
		c.held.drop(r)
	}
	r.State, _ = r.State.After(event)
	s.wheel.Lift(r)
	from.inFlight--
	if r.Sent != nil {
		if !d.Reason.Unsent() { // else the link and its center had no part in it
			r.Sent.Reported(answered, time.Duration(now-r.Arrived))
		}
		r.Sent.Release()
	}
	if r.Held != nil {
		r.Held.Release()
	}
	if q := s.questions.At(r.Key, r.Place); q != nil {
		q.Flags |= txn.Ended
		q.Action = d.Action
		if d.Owe != 0 {
			q.Flags |= txn.Reversing
		}
		if inPart(d.Action) {
			q.Flags |= txn.Adjusted
		}
	}
	if r.Of != 0 {
		stands := uint64(0)
		if answered && txn.Approves(int(d.Action)) && !cancelled {
			stands = d.Moves
		}
		s.followed(now, r, stands)
	}
	if cancelled && (answered && !txn.Approves(int(d.Action)) || d.Reason.Unsent()) {
		s.unneeded(now, c, r, d)
	}
	if cancelled {
		c.owed.Release(r.Txn)
	}
	if k, ok := r.From.(*check); ok {
		s.checkEnded(now, k, c, d, answered)
	}
	took := time.Duration(now - r.Arrived)
	from.metrics.meter.add(d.Action, took)
	c.metrics.meter.add(d.Action, took)
	s.measured(r.From, d.Action, took)
	s.measured(r.Sent, d.Action, took)
	s.metrics.answered(d.Action, took)
	if !d.Reason.Unsent() {
		s.judge(now, c, c.badEnd(d))
	}
}

// overdue closes a request that the issuer left unanswered.
func (s *Switch) overdue(now int64, c *center, r *txn.Row, why txn.Reason) {
	from := s.centers[r.Source]
	s.readAsked(r)
	d := authorization.Deadline(why, r.State == txn.Cancelled)
	s.concludeAs(now, from, c, r, d, nil, s.standInFor(now, from, c, r, why))
	c.metrics.timeouts.Inc()
}

// late records an answer that came after its transaction had been closed. A late approval needs
// nothing more: the reversal was owed when the transaction was closed.
func (s *Switch) late(now int64, l *link.Link, c *center, r *txn.Row, a *arrival, d txn.Decision) {
	s.images, s.cuts = s.images[:0], s.cuts[:0]
	s.rec = journal.Record{At: now, Kind: journal.Late, Txn: r.Txn, MTI: a.mti, Center: r.Source,
		Dest: c.id, STAN: r.STAN, Action: uint16(max(a.msg.ActionCode(), 0)),
		Reason: uint16(d.Reason)}
	if d.Reason == txn.LateApproval {
		s.lateCounts(now, &s.rec, c, r, a.msg)
	}
	s.addMessage(&s.rec, journal.Answer, l.ID(), c, a.msg, nil, 0)
	s.pending.batch.Append(&s.rec)
	c.metrics.late.Inc()
	s.wheel.Lift(r)
	c.rows.Drop(r) // once: who says it again and again fills no disk
}

// unasked counts an answer to nothing; a few a second are journaled, safe image and all.
func (s *Switch) unasked(now int64, l *link.Link, c *center, a *arrival) {
	c.metrics.unasked.Inc()
	if !c.keepsUnasked(now) {
		return
	}
	s.images, s.cuts = s.images[:0], s.cuts[:0]
	s.rec = journal.Record{At: now, Kind: journal.Late, MTI: a.mti, Dest: c.id, STAN: a.stan,
		Action: uint16(max(a.msg.ActionCode(), 0)), Reason: uint16(txn.Unasked)}
	if a.refused == txn.None {
		s.addMessage(&s.rec, journal.Answer, l.ID(), c, a.msg, nil, 0)
	} else {
		s.rec.Text = a.fault.Err().Error()
	}
	s.pending.batch.Append(&s.rec)
}

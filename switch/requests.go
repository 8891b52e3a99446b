package cardswitch

import (
	"cmp"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/switch/link"
	"cardswitch/switch/saf"
	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

// destination gives the first center of the route that can take the message, or the first of all
// with the reason why not. What refers to an original goes where the original went.
func (s *Switch) destination(now int64, a *arrival, o found) (*center, txn.Path) {
	if o.known && o.question.Dest != 0 {
		c := s.centers[o.question.Dest]
		if c == nil { // no longer configured
			return nil, txn.NoDestination
		}
		return c, c.path()
	}
	if !a.routed || len(a.route.To) == 0 {
		return nil, txn.NoDestination
	}
	routes := s.tables.Load().destinations
	first := routes[a.route.To[0]]
	for _, i := range a.route.To {
		if c := routes[i]; c.path() == txn.Clear && !c.stoodFor() {
			return c, txn.Clear
		}
	}
	return first, first.path()
}

// forward journals a request as sent to dest and releases it there.
func (s *Switch) forward(now int64, l *link.Link, c, dest *center, a *arrival, o found,
	d txn.Decision) {
	block, why := s.acceptPIN(c, dest, a)
	if why != txn.None {
		s.refuse(now, l, c, a, why)
		return
	}
	s.edit.Reset()
	in, why := s.periodsOf(now, c, dest, a)
	held, full := dest.holds(a.card)
	if why = max(why, full); why != txn.None {
		s.refuse(now, l, c, a, why)
		return
	}
	out := dest.linkFor(a.card)
	stan, ok := dest.rows.Fresh()
	if !ok || out == nil || !acquireBoth(l, out) {
		s.refuse(now, l, c, a, txn.WindowFull)
		return
	}
	from := len(s.pending.out)
	s.leadOn(c, dest, a, o, stan, block)
	var fault spec.Fault
	s.pending.out, fault = dest.dialect.Append(s.pending.out, a.msg, &s.edit)
	sent := s.pending.out[from:]
	why = dest.unfit(len(sent), fault)
	if why == txn.None && !s.spend(a) {
		why = txn.TokenUnknown
	}
	if why != txn.None {
		s.pending.out = s.pending.out[:from]
		releaseBoth(l, out)
		a.fault = fault
		s.refuse(now, l, c, a, why)
		return
	}
	r := dest.rows.Take()
	s.fill(r, now, l, c, dest, a, stan)
	r.Day, r.Slice, r.MerchantDay = in.day, in.slice, in.here
	r.Held, r.Sent, r.Aside = l, out, s.goesAside(dest, block)
	rec := s.record(now, journal.Opened, l, a)
	rec.Day, rec.Slice, rec.MerchantDay = in.day, in.slice, in.here
	rec.Dest, rec.STAN, rec.Deadline = dest.id, stan, r.Deadline
	rec.Key, rec.PAN, rec.Card = a.key, a.pan, a.card
	a.note(rec, held)
	s.addEdited(rec, journal.Forward, out.ID(), dest, sent, a.msg, journal.Request)
	r.Txn = s.pending.batch.Append(rec)
	s.useCounter(c, a)
	dest.rows.Put(r)
	s.wheel.Set(r, r.Deadline)
	c.inFlight++
	q := a.question(r.Txn)
	q.STAN, q.Dest = stan, dest.id
	r.Place = s.remember(c, a.key, q)
	s.refers(now, c, r, a, o, d)
	c.metrics.request(a.mti)
	if held {
		s.hold(now, dest, c, r, from, block)
		return
	}
	dest.ways.went(a.card, out, r.Txn)
	s.pending.effects = append(s.pending.effects, effect{kind: sendRequest, to: dest, link: out,
		tag: tagOf(r), from: from, end: len(s.pending.out), pin: block, asker: c})
	dest.metrics.sent.Inc()
}

// leadOn makes a request one of ours in s.edit.
func (s *Switch) leadOn(c, dest *center, a *arrival, o found, stan uint32, block *security.Block) {
	s.edit.SetNumber(11, uint64(stan))
	if a.mti.IsRepeat() {
		s.edit.SetMTI(a.mti.Original()) // for the issuer it is asked for the first time
	}
	s.leaveZone(c, dest, block)
	if dest.config.ForwardingID {
		s.edit.Set(33, s.institution)
	}
	if o.known && a.msg.Has(56) {
		s.edit.Set(56, o.onIssuerLeg(s.value[:0], a))
	}
}

// acquireBoth counts a request in flight with who asked and with who is asked, or with neither.
func acquireBoth(from, to *link.Link) bool {
	if !from.Acquire() {
		return false
	}
	if !to.Acquire() {
		from.Release()
		return false
	}
	return true
}

func releaseBoth(from, to *link.Link) {
	from.Release()
	to.Release()
}

func (s *Switch) fill(r *txn.Row, now int64, l *link.Link, c, dest *center, a *arrival,
	stan uint32) {
	r.Kind, r.State = txn.Forwarded, txn.Open
	r.Source, r.From, r.Dest = c.id, l, dest.id
	r.Asked, r.MTI = a.mti, a.mti.Original()
	r.STAN, r.LocalTime, r.Acquirer = stan, a.localTime, a.acquirer
	r.Key, r.Card, r.Amount, r.Arrived = a.key, a.card, a.amount, now
	r.Processing, r.Currency, r.Token = a.processing, a.currency, a.token.op
	// The inner timer must run out before the outer one (reference iso8583-1993 section 5.2).
	wait := min(dest.config.AnswerTime, c.config.AnswerTime)
	r.Deadline = now + int64(wait)
	r.Hold(a.msg)
	r.Prefix = a.in.Prefix
}

// tagOf names a row to the link that carries its message: the trace number finds the row, the
// transaction's number tells whether it is still the same one.
func tagOf(r *txn.Row) uint64 { return r.Txn<<20 | uint64(r.STAN) }

// keep acknowledges an advice or a reversal and owes it to dest.
func (s *Switch) keep(now int64, l *link.Link, c, dest *center, a *arrival, o found,
	d txn.Decision) {
	stan, ok := dest.rows.Fresh()
	if !ok {
		s.refuse(now, l, c, a, txn.WindowFull)
		return
	}
	s.edit.Reset()
	in, why := s.periodsOf(now, c, dest, a)
	if why != txn.None {
		s.refuse(now, l, c, a, why)
		return
	}
	named := s.editKept(c, dest, a, o, stan)
	part, moves := false, a.amount
	if d.Reason == txn.ReversalKept {
		var takes bool
		if part, takes = s.reduce(dest, o.left, d.Moves, a.amount,
			a.sequel == txn.ReversesPart); !takes {
			s.refuse(now, l, c, a, txn.Unsupported)
			return
		}
		moves = d.Moves
	}
	var fault spec.Fault
	s.scratch, fault = dest.dialect.Append(s.scratch[:0], a.msg, &s.edit)
	if why := dest.unfit(len(s.scratch), fault); why != txn.None {
		a.fault = fault
		s.refuse(now, l, c, a, why)
		return
	}
	if !s.spend(a) {
		s.refuse(now, l, c, a, txn.TokenUnknown)
		return
	}
	rec := s.record(now, journal.Settled, l, a)
	rec.Dest, rec.STAN, rec.Action, rec.Reason = dest.id, stan, d.Action, uint16(d.Reason)
	rec.Key, rec.PAN, rec.Card, rec.Amount = a.key, a.pan, a.card, moves
	s.addOwed(rec, dest, a.msg, named)
	item := &saf.Item{Entry: queue.Entry{Card: a.card, STAN: stan, MTI: a.mti.Original(),
		DE12: a.localTime, Reason: uint16(d.Reason), At: now, Source: c.id, Amount: moves}, Due: now}
	item.Processing, item.Currency = a.undone(o)
	if d.Reason == txn.ReversalKept {
		var other uint16
		item.Amount, other = o.left.Counts(moves)
		item.Currency = cmp.Or(other, item.Currency)
	}
	rec.Amount, rec.Currency = item.Amount, item.Currency
	s.moves(rec, dest, &item.Entry, a, o, in)
	s.reply(l, c, a.msg, a, d.Action, rec, s.dated(c, in.here, s.tokenOf(c, a.token.op))...)
	id := s.pending.batch.Append(rec)
	item.ID, item.Txn = id, id
	s.useCounter(c, a)
	q := a.question(id)
	q.STAN, q.Dest, q.Action, q.Flags = stan, dest.id, d.Action, txn.Ended
	if d.Reason == txn.DenialKept {
		q.Flags |= txn.Void
	}
	s.remember(c, a.key, q)
	s.onOriginal(now, c, a, o, item, d, part)
	s.owe(dest, item)
	if d.Reason == txn.AdviceKept && (a.sequel != txn.Raises || !o.known) {
		s.expires(now, dest, id, a.key)
	}
	s.decided(l, c, a, d.Action)
}

// editKept makes s.edit turn an advice or a reversal into what is owed to dest. named: the card
// number is put into it.
func (s *Switch) editKept(c, dest *center, a *arrival, o found, stan uint32) (named bool) {
	s.edit.SetMTI(a.mti.Original())
	s.edit.SetNumber(11, uint64(stan))
	for _, n := range [...]int{35, 36, 45, 52} {
		s.edit.Remove(n) // what may not be kept can't be delivered later
	}
	s.leaveZone(c, dest, nil)
	named = s.nameCard(a.msg, a.pan)
	if dest.config.ForwardingID {
		s.edit.Set(33, s.institution)
	}
	if o.known && a.msg.Has(56) {
		s.edit.Set(56, o.onIssuerLeg(s.value[:0], a))
	}
	processing, currency := a.undone(o)
	if processing != a.processing {
		s.edit.SetNumber(3, uint64(processing))
	}
	if currency != a.currency && a.currency != 0 {
		s.edit.SetNumber(49, uint64(currency))
	}
	return named
}

// reverseOriginal marks the original as reversed; a reversal that came before the original's
// answer waits for it, so that the issuer gets both in order.
func (s *Switch) reverseOriginal(now int64, o found, item *saf.Item, d txn.Decision) {
	q := o.question
	q.Flags |= txn.Reversing
	s.questions.Update(o.key, q)
	s.rec = journal.Record{At: now, Kind: journal.Reversed, Txn: q.Txn, Key: o.key,
		Advice: item.ID, Reason: uint16(d.Reason)}
	s.pending.batch.Append(&s.rec)
	if d.Reason != txn.ReversalAhead {
		return
	}
	if r := s.centers[q.Dest].rows.Find(q.STAN); r != nil && r.Txn == q.Txn {
		r.State, _ = r.State.After(txn.MerchantReversed)
		r.Item, item.After = item.ID, q.Txn
		// Where nobody ever answers, an accepted reversal may prove that the original counted.
		item.OriginalDay, item.OriginalSlice = r.Day, r.Slice
	}
}

// owe puts an advice on its center's queue, in the batch and in memory.
func (s *Switch) owe(dest *center, item *saf.Item) {
	s.pending.batch.Enqueue(dest.id, item.Entry)
	dest.owed.Add(item)
}

// foretell remembers a question that was reversed before it came, as it may be over another
// connection: it must not be forwarded as if nothing had been. The mark is a record under the
// question's own key, so that a restart and the index know it for as long as the journal.
func (s *Switch) foretell(now int64, c *center, a *arrival, o found, reversal uint64,
	why txn.Reason) {
	if o.known || o.key.IsZero() || s.serviceOf(a.original.MTI) == nil || a.original.MTI.Class() == 8 {
		return // nothing that could come, or marked already
	}
	s.rec = journal.Record{At: now, Kind: journal.Reversed, MTI: a.original.MTI, Center: c.id,
		Key: o.key, Advice: reversal, Reason: uint16(why)}
	id := s.pending.batch.Append(&s.rec)
	s.rec.Seq, s.rec.Txn = id, id
	s.remember(c, o.key, fold(txn.Question{}, &s.rec))
}

// settle answers at once and owes nothing.
func (s *Switch) settle(now int64, l *link.Link, c *center, a *arrival, d txn.Decision,
	more ...element) uint64 {
	rec := s.record(now, journal.Settled, l, a)
	rec.Action, rec.Reason = d.Action, uint16(d.Reason)
	rec.Key, rec.PAN, rec.Card = a.key, a.pan, a.card
	if d.Next != txn.Stay { // before the answer, after which the next request may come at once
		s.pending.effects = append(s.pending.effects,
			effect{kind: changeSession, link: l, to: c, next: d.Next})
	}
	s.reply(l, c, a.msg, a, d.Action, rec, more...)
	id := s.pending.batch.Append(rec)
	s.useCounter(c, a)
	q := a.question(id)
	q.Action, q.Flags = d.Action, txn.Ended
	s.remember(c, a.key, q)
	s.decided(l, c, a, d.Action)
	return id
}

// decided counts what was answered at once.
func (s *Switch) decided(l *link.Link, c *center, a *arrival, action uint16) {
	c.metrics.request(a.mti)
	c.metrics.meter.add(action, 0)
	s.measured(l, action, 0)
}

// refuse answers at once with the reason's action code; where the message can't be answered it is
// only recorded, or told about by a 1644 where the profile wants that. It gives its record's
// number.
func (s *Switch) refuse(now int64, l *link.Link, c *center, a *arrival, why txn.Reason) uint64 {
	rec := s.record(now, journal.Settled, l, a)
	action := a.actionOf(why)
	rec.Action, rec.Reason = action, uint16(why)
	if !a.fault.OK() {
		rec.Text = a.fault.Err().Error()
	} else if a.leftAlone != txn.None {
		rec.Text = why.String() + ", and " + a.leftAlone.String()
	}
	// The refusal of a request is an answer like any other, so a repeat gets it again. Only what is
	// not about this question leaves no mark: its trace number belongs to another, or to one still
	// being read. The refusal of an advice or a reversal stands for the moment only: what happened
	// has happened, and must get in at last; save where it has undone what may yet come.
	if why != txn.QuestionDiffers && why != txn.InProgress &&
		(a.mti.Function() != 2 || why == txn.ReversalTooSoon) {
		rec.Key = a.key
	}
	rec.PAN, rec.Card = a.pan, a.card
	answered := a.answerable() && s.reply(l, c, a.msg, a, action, rec)
	if !answered && c.config.FormatNotification {
		s.notifyFormat(now, l, c, a, rec)
	}
	s.decided(l, c, a, action)
	s.metrics.counts.refused.Add(1)
	if why == txn.JournalNotReady {
		return 0 // the disk is nearly full: a refusal that binds nobody is not worth its bytes
	}
	id := s.pending.batch.Append(rec)
	if rec.Key != (journal.Key{}) {
		q := a.question(id)
		q.Action, q.Flags = action, txn.Ended
		s.remember(c, a.key, q)
	}
	return id
}

// wait leaves a repeat with the open transaction: its answer goes to the connection that asked
// last, once.
func (s *Switch) wait(now int64, l *link.Link, c *center, a *arrival, q txn.Question) {
	if dest := s.centers[q.Dest]; dest != nil {
		if r := dest.rows.Find(q.STAN); r != nil && r.Txn == q.Txn {
			r.From, r.Prefix = l, a.in.Prefix
		}
	}
	rec := s.record(now, journal.Repeated, l, a)
	rec.Txn, rec.ImageCount = q.Txn, 0
	s.pending.batch.Append(rec)
	c.metrics.repeats.Inc()
}

package cardswitch

import (
	"errors"
	"slices"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/switch/link"
	"cardswitch/switch/saf"
	"cardswitch/switch/service/advice"
	"cardswitch/switch/txn"
)

// delivery is an owed advice on its way from the journal to a link.
type delivery struct {
	center  *center
	dialect *spec.Dialect
	item    *saf.Item
	frame   []byte
	err     error
}

// errTooLong is that of an owed message for which the center's links have become too narrow.
var errTooLong = errors.New("it is longer than max_frame of the center's links")

// drains delivers what centers must still get: it takes what is due, reads the messages back from
// the journal without a lock, and sends them through the same release as everything else.
func (s *Switch) drains() {
	time.Sleep(drainTick / 2) // between the ticks of deadlines, so that a simulation has one order
	ticker := time.NewTicker(drainTick)
	defer ticker.Stop()
	var list []delivery
	for {
		select {
		case <-ticker.C:
		case <-s.stopped:
			return
		}
		list = s.takeOwed(list[:0])
		for i := range list {
			list[i].frame, list[i].err = s.owedMessage(&list[i])
		}
		if len(list) > 0 {
			s.sendOwed(list)
		}
	}
}

// takeOwed takes what is due for every center that can be reached.
func (s *Switch) takeOwed(list []delivery) []delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, c := range s.issuers {
		room := c.config.SAF.InFlight - c.owed.InFlight()
		if room <= 0 || c.path() != txn.Clear {
			continue
		}
		s.items = c.owed.Take(s.items[:0], now, room)
		for _, item := range s.items {
			list = append(list, delivery{center: c, dialect: c.dialect, item: item})
		}
	}
	return list
}

// owedMessage reads an owed message back from the journal and puts the card number back in.
func (s *Switch) owedMessage(d *delivery) ([]byte, error) {
	records, err := s.store.Transaction(d.item.Txn)
	if err != nil {
		return nil, err
	}
	upTo := slices.IndexFunc(records, func(r journal.Record) bool { return r.Seq == d.item.ID })
	images := s.archive.whole(records[:upTo+1]...) // later ones may owe more
	return images.Restore(journal.Advice, d.dialect, records[0].PAN)
}

// sendOwed gives what could be read to the links. What could not stays owed.
func (s *Switch) sendOwed(list []delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for i := range list {
		d := &list[i]
		if d.err == nil && !d.center.link.Takes(len(d.frame)+d.center.room()) {
			d.err = errTooLong
		}
		if d.err != nil {
			s.unreadable(now, d)
			continue
		}
		if !s.launch(now, d.center, d.item, d.frame) {
			d.center.owed.Retry(d.item, now+int64(drainTick))
		}
	}
	s.kick()
}

// unreadable keeps an advice owed whose message could not be read. It is quite usual for the one
// that is still being committed, and reported for others. One that can't be written for its center,
// now or ever, is for people.
func (s *Switch) unreadable(now int64, d *delivery) {
	wait := drainTick
	old := now-d.item.At > int64(10*time.Second)
	if errors.Is(d.err, errUnwritable) || old && errors.Is(d.err, errNoMessage) {
		s.pending.batch.Dequeue(d.center.id, d.item.ID)
		s.shelve(now, d.center, d.item, d.err)
		s.paid(now, d.center, d.item)
		return
	}
	if old {
		s.log.Error("an owed advice cannot be read", "advice", d.item.ID, "center", d.center.name,
			"error", d.err, "hint", "compare max_frame, then run `cardswitch journal verify`")
		d.center.metrics.deliveryAlarms.Inc()
		wait = d.center.config.SAF.BackoffMax
	}
	d.center.owed.Retry(d.item, now+int64(wait))
}

// launch enters a row for an owed advice and releases it; false when it can't be sent now.
func (s *Switch) launch(now int64, c *center, item *saf.Item, frame []byte) bool {
	out := c.linkFor(item.Card)
	if out == nil || c.rows.Taken(item.STAN) || !c.dialect.Index(&s.made, frame).OK() {
		return false
	}
	if !out.Acquire() {
		return false
	}
	mti := item.MTI
	if item.Repeat || item.Attempts > 0 {
		mti = mti.Repeat()
	}
	s.edit.Reset()
	s.edit.SetMTI(mti)
	s.redate(now, c, item)
	if item.Reason == uint16(txn.ReversalOfPart) {
		s.edit.SetNumber(4, item.Amount)
	}
	from := len(s.pending.out)
	var fault spec.Fault
	if s.pending.out, fault = c.dialect.Append(s.pending.out, &s.made, &s.edit); !fault.OK() {
		s.pending.out = s.pending.out[:from]
		out.Release()
		return false
	}
	r := c.rows.Take()
	r.Kind, r.State, r.Txn, r.Dest = txn.Delivery, txn.Open, item.Txn, c.id
	r.Item, r.STAN, r.MTI, r.LocalTime = item.ID, item.STAN, mti, item.DE12
	r.Acquirer, _ = s.made.Number(32)
	r.Sent, r.Arrived, r.Aside = out, now, s.goesAside(c, nil)
	c.rows.Put(r)
	s.wheel.Set(r, now+int64(c.config.SAF.Wait))
	item.Attempts++
	c.ways.went(item.Card, out, item.ID)
	s.pending.effects = append(s.pending.effects, effect{kind: sendRequest, to: c, link: out,
		tag: tagOf(r), from: from, end: len(s.pending.out)})
	c.metrics.sent.Inc()
	return true
}

// delivered handles the answer to an owed advice.
func (s *Switch) delivered(now int64, l *link.Link, c *center, r *txn.Row, a *arrival) {
	item := c.owed.Item(r.Item)
	if item == nil || r.State == txn.Closed {
		s.unasked(now, l, c, a)
		return
	}
	if s.ownAnswered(now, l, c, r, item, a) {
		return
	}
	action := a.msg.ActionCode()
	s.judge(now, c, c.standin != nil && c.standin.bad[action])
	d := advice.Answer(txn.Answer{Action: action, Attempts: item.Attempts,
		Accepted: advice.Accepts(action), Retry: c.retry[action] || s.outOfKeys(c, a),
		MayBeUnknown: mayBeUnknown(item.Entry)})
	s.landed(now, c, r, true)
	switch d.Act {
	case txn.Done:
		s.recordDelivery(now, journal.Delivered, l, c, item, a, d)
		s.paid(now, c, item)
		c.metrics.delivered.Inc()
	case txn.Shelve:
		s.shelveRefused(now, l, c, item, a, d)
	default:
		s.again(now, c, item)
	}
}

// shelveRefused puts an advice that its center refused on the work list.
func (s *Switch) shelveRefused(now int64, l *link.Link, c *center, item *saf.Item, a *arrival,
	d txn.Decision) {
	s.recordDelivery(now, journal.Shelved, l, c, item, a, d)
	s.pending.batch.Shelve(c.id, item.Entry)
	s.paid(now, c, item)
	c.shelved++
	s.log.Warn("an advice was refused and is on the work list", "advice", item.ID,
		"center", c.name, "action", d.Action, "hint", "`cardswitch worklist list`")
}

// unneeded drops the merchant's reversal of a request that the issuer has declined in time, or
// never got.
func (s *Switch) unneeded(now int64, c *center, r *txn.Row, d txn.Decision) {
	item := c.owed.Item(r.Item)
	if item == nil || item.After != r.Txn {
		return
	}
	why := txn.DeclinedAnyway
	if d.Reason.Unsent() {
		why = d.Reason
	}
	s.rec = journal.Record{At: now, Kind: journal.Delivered, Txn: item.Txn, Advice: item.ID,
		MTI: item.MTI, Dest: c.id, STAN: item.STAN, Reason: uint16(why)}
	s.pending.batch.Append(&s.rec)
	s.pending.batch.Dequeue(c.id, item.ID)
	s.paid(now, c, item)
}

// mayBeUnknown tells whether the issuer may never have got the original of this reversal: the
// switch reversed for silence, or the merchant did before there was an answer.
func mayBeUnknown(e queue.Entry) bool {
	return e.Reason >= 4000 || e.Reason == uint16(txn.ReversalAhead)
}

// shelve puts a reversal or advice that can't be delivered as it is on the work list. It must not
// be on the queue any more.
func (s *Switch) shelve(now int64, c *center, item *saf.Item, why error) {
	s.rec = journal.Record{At: now, Kind: journal.Shelved, Txn: item.Txn, Advice: item.ID,
		MTI: item.MTI, Dest: c.id, STAN: item.STAN, Reason: uint16(txn.AdviceUndeliverable),
		Text: why.Error()}
	s.pending.batch.Append(&s.rec)
	s.pending.batch.Shelve(c.id, item.Entry)
	c.shelved++
	delete(c.taken, item.ID)
	s.log.Error("an owed message cannot be written for its center; it is on the work list",
		"advice", item.ID, "txn", item.Txn, "center", c.name, "error", why,
		"hint", "`cardswitch worklist list`; compare the dialects, or settle it with the issuer")
}

// recordDelivery records how an owed advice ended and takes it off the durable queue.
func (s *Switch) recordDelivery(now int64, kind journal.Kind, l *link.Link, c *center,
	item *saf.Item, a *arrival, d txn.Decision) {
	s.images, s.cuts = s.images[:0], s.cuts[:0]
	s.rec = journal.Record{At: now, Kind: kind, Txn: item.Txn, Advice: item.ID, MTI: a.mti,
		Dest: c.id, STAN: item.STAN, Action: d.Action, Reason: uint16(d.Reason)}
	s.delivers(now, &s.rec, c, item, a)
	s.addMessage(&s.rec, journal.AdviceAnswer, l.ID(), c, a.msg, nil, 0)
	s.pending.batch.Append(&s.rec)
	s.pending.batch.Dequeue(c.id, item.ID)
	delete(c.taken, item.ID) // if it comes onto the work list again, it can be decided again
}

// undelivered handles an owed advice that was not answered in time.
func (s *Switch) undelivered(now int64, c *center, r *txn.Row) {
	item := c.owed.Item(r.Item)
	s.landed(now, c, r, false)
	s.judge(now, c, true)
	if item != nil && advice.Deadline().Act == txn.Retry {
		s.again(now, c, item)
	}
}

// landed takes a delivery's row out.
func (s *Switch) landed(now int64, c *center, r *txn.Row, answered bool) {
	s.wheel.Lift(r)
	if r.Sent != nil {
		r.Sent.Reported(answered, time.Duration(now-r.Arrived))
		r.Sent.Release()
	}
	c.rows.Drop(r)
}

// again puts an advice back for a later repeat, without an end, and raises the alarm in time.
func (s *Switch) again(now int64, c *center, item *saf.Item) {
	item.Repeat = true
	cfg := c.config.SAF
	c.owed.Retry(item, now+int64(saf.Backoff(cfg.First, cfg.BackoffMax,
		item.Attempts-1, s.jitter)))
	c.metrics.deliveryRetries.Inc()
	if item.Attempts == cfg.AlarmAfter {
		c.metrics.deliveryAlarms.Inc()
		s.log.Warn("an advice is not being accepted", "advice", item.ID, "center", c.name,
			"attempts", item.Attempts, "hint", "see `cardswitch saf list` and call the issuer")
	}
}

package cardswitch

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/link"
	"cardswitch/switch/service/authorization"
	"cardswitch/switch/service/network"
	"cardswitch/switch/txn"
)

// Up notes a fresh connection.
func (s *Switch) Up(l *link.Link) {
	s.teachAll(l)
	defer s.hurry()
	if words := l.Words(); words != nil {
		s.event(l, "connected; it was signed on before this node was the active one")
		s.keepWords(l, words)
		s.signOnAgain(l)
		return
	}
	s.event(l, "connected")
}

// Down handles the end of a connection: what provably never left goes over another link or is
// answered without a reversal; the outcome of everything else that waited is unknown, so it is
// answered and reversed at once.
func (s *Switch) Down(l *link.Link, unsent []link.Unsent, cause error) {
	text := "closed"
	if cause != nil {
		text = "closed: " + cause.Error()
	}
	s.event(l, text)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.centers[l.Center().ID()]
	if c == nil || s.fenced.Load() {
		return
	}
	now := s.now()
	for _, u := range unsent {
		switch out := c.link.Best(); {
		case u.Tag == staysHere:
		case u.Tag != 0:
			s.takeBack(now, c, u.Tag, u.Frame, txn.None)
		case out != nil && out != l:
			from := len(s.pending.out)
			s.pending.out = append(s.pending.out, u.Frame...)
			s.pending.effects = append(s.pending.effects, effect{kind: sendAnswer, link: out, to: c,
				from: from, end: len(s.pending.out), sealed: true})
		}
	}
	s.due = s.due[:0]
	c.rows.Each(func(r *txn.Row) {
		on := r.Sent == txn.Carrier(l) || r.Kind == txn.Management && r.From == txn.Carrier(l) ||
			isCheckOn(r, l)
		if on && r.State != txn.Closed && !r.Aside {
			s.due = append(s.due, r)
		}
	})
	// In order, for the records are not to depend on the order of a map.
	slices.SortFunc(s.due, func(a, b *txn.Row) int {
		return cmp.Or(cmp.Compare(a.Txn, b.Txn), cmp.Compare(a.STAN, b.STAN))
	})
	for _, r := range s.due {
		switch r.Kind {
		case txn.Forwarded:
			s.overdue(now, c, r, txn.LinkLost)
		case txn.Delivery:
			s.undelivered(now, c, r)
		case txn.Management:
			s.wheel.Lift(r)
			if r.Function == network.KeyChange {
				s.keyAnswered(r.Txn, txn.NetworkTimeout, 0, "")
			}
			c.rows.Drop(r)
		}
	}
	s.kick()
}

// takeBack handles a message to an issuer of which not one byte left its link: over another link,
// or back to who asked. There is nothing to reverse. Why says that it could not be protected; then
// no other link would help.
func (s *Switch) takeBack(now int64, c *center, tag uint64, frame []byte, why txn.Reason) {
	r := rowOf(c, tag)
	if r == nil {
		return
	}
	if why == txn.None && r.Kind == txn.Forwarded && c.ways.passed(r.Card, r.Txn) {
		why = txn.OvertakenByCard
	}
	if why == txn.None && s.moveOn(now, c, r, frame) {
		return
	}
	switch r.Kind {
	case txn.Forwarded:
		if why == txn.None {
			why = txn.NeverLeft
		}
		s.giveUp(now, c, r, why)
	case txn.Delivery:
		item := c.owed.Item(r.Item)
		s.landed(now, c, r, false)
		if item == nil {
			return
		}
		item.Attempts--
		if why != txn.None {
			now += int64(c.config.SAF.First)
		}
		c.owed.Retry(item, now)
	}
}

// rowOf finds the row of a message that was given to a link, if it still waits.
func rowOf(c *center, tag uint64) *txn.Row {
	r := c.rows.Find(uint32(tag & (1<<20 - 1)))
	if r == nil || r.Txn<<20 != tag&^(1<<20-1) || r.State == txn.Closed {
		return nil
	}
	return r
}

// giveUp closes a request of which not one byte left.
func (s *Switch) giveUp(now int64, c *center, r *txn.Row, why txn.Reason) {
	from := s.centers[r.Source]
	if why == txn.PINUnreadable {
		s.triedPIN(now, from, r)
	}
	if why == txn.HeldTooLong {
		c.metrics.heldTooLong.Inc()
	}
	s.readAsked(r)
	var instead *stood
	if why == txn.NeverLeft || why == txn.HeldTooLong || why == txn.OvertakenByCard {
		instead = s.standInFor(now, from, c, r, why)
	}
	s.concludeAs(now, from, c, r, authorization.NeverSent(why), nil, instead)
}

// moveOn gives a message that never left to another link of its center.
func (s *Switch) moveOn(now int64, c *center, r *txn.Row, frame []byte) bool {
	out := c.linkFor(r.Card)
	if out == nil || r.Kind == txn.Management || r.Sent == txn.Carrier(out) ||
		r.Source == s.checks.id || !out.Acquire() {
		return false
	}
	r.Sent.Release()
	r.Sent, r.Aside = out, false
	c.ways.went(r.Card, out, r.Txn)
	from := len(s.pending.out)
	s.pending.out = append(s.pending.out, frame...)
	s.pending.effects = append(s.pending.effects, effect{kind: sendRequest, to: c, link: out,
		tag: tagOf(r), from: from, end: len(s.pending.out), sealed: true})
	s.rec = journal.Record{At: now, Kind: journal.Moved, Txn: r.Txn, Dest: c.id, STAN: r.STAN,
		Text: out.Name()}
	s.pending.batch.Append(&s.rec)
	c.metrics.moved.Inc()
	return true
}

// duties sends the network management that is owed on each link.
func (s *Switch) duties() {
	now := time.Now()
	for _, l := range s.network.Links() {
		if duty := l.Due(now); duty != link.Nothing {
			if _, err := s.manage(l, functionOf(duty)); err != nil {
				s.log.Error("network management cannot be sent", "center", l.Center().Name(),
					"error", err.Error(), "hint", "check `institution` and the dialect")
			}
		}
	}
}

// manage sends a network management request of our own over a connection, and gives the number of
// its transaction.
func (s *Switch) manage(l *link.Link, function uint16, more ...element) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.centers[l.Center().ID()]
	if c == nil {
		return 0, errors.New("the center is no longer configured")
	}
	stan, ok := c.rows.Fresh()
	if !ok {
		return 0, errors.New("all trace numbers are in use")
	}
	now := s.now()
	askManagement(&s.edit, uint64(stan), time.Unix(0, now).In(c.zone), function, c.institution,
		s.institution)
	for _, e := range more {
		s.edit.Set(e.number, e.value)
	}
	from := len(s.pending.out)
	var fault spec.Fault
	if s.pending.out, fault = c.dialect.Append(s.pending.out, nil, &s.edit); !fault.OK() {
		s.pending.out = s.pending.out[:from]
		return 0, fault.Err()
	}
	s.images, s.cuts = s.images[:0], s.cuts[:0]
	s.rec = journal.Record{At: now, Kind: journal.Originated, MTI: 0x1804, Dest: c.id, STAN: stan,
		Function: function}
	s.addImage(&s.rec, journal.Request, l.ID(), c, s.pending.out[from:], nil, 0)
	r := c.rows.Take()
	r.Kind, r.State, r.Dest, r.MTI, r.STAN = txn.Management, txn.Open, c.id, 0x1804, stan
	r.Function, r.From, r.Arrived = int(function), l, now
	r.Txn = s.pending.batch.Append(&s.rec)
	c.rows.Put(r)
	s.wheel.Set(r, now+int64(c.config.Echo.Wait))
	s.pending.effects = append(s.pending.effects, effect{kind: sendHere, to: c, link: l,
		from: from, end: len(s.pending.out)})
	s.kick()
	return r.Txn, nil
}

// managed handles the answer to a network management request of our own.
func (s *Switch) managed(now int64, l *link.Link, c *center, r *txn.Row, a *arrival) {
	d := network.Answer(r.Function, a.msg.ActionCode())
	asked, ok := r.From.(*link.Link)
	if !ok || a.refused != txn.None {
		s.unasked(now, l, c, a)
		return
	}
	if r.Function == network.KeyChange {
		s.keyAnswered(r.Txn, d.Reason, int(d.Action), string(a.msg.Append(nil, 96)))
	} else {
		asked.NetworkAnswered(dutyOf(r.Function), d.Reason == txn.NetworkDone)
		s.hurry()
	}
	s.images, s.cuts = s.images[:0], s.cuts[:0]
	s.rec = journal.Record{At: now, Kind: journal.Closed, Txn: r.Txn, MTI: a.mti, Dest: c.id,
		STAN: r.STAN, Action: d.Action, Reason: uint16(d.Reason)}
	s.addMessage(&s.rec, journal.Answer, l.ID(), c, a.msg, nil, 0)
	s.pending.batch.Append(&s.rec)
	s.wheel.Lift(r)
	c.rows.Drop(r)
}

// unmanaged records that network management stayed unanswered; the link counts the misses.
func (s *Switch) unmanaged(now int64, c *center, r *txn.Row) {
	s.rec = journal.Record{At: now, Kind: journal.Closed, Txn: r.Txn, MTI: r.MTI, Dest: c.id,
		STAN: r.STAN, Reason: uint16(txn.NetworkTimeout)}
	s.pending.batch.Append(&s.rec)
	if r.Function == network.KeyChange {
		s.keyAnswered(r.Txn, txn.NetworkTimeout, 0, "")
	}
	c.rows.Drop(r)
}

func functionOf(d link.Duty) uint16 {
	switch d {
	case link.SendSignOn:
		return network.SignOn
	case link.SendSignOff:
		return network.SignOff
	}
	return network.Echo
}

func dutyOf(function int) link.Duty {
	switch function {
	case network.SignOn:
		return link.SendSignOn
	case network.SignOff:
		return link.SendSignOff
	}
	return link.SendEcho
}

// event records what happened to a link.
func (s *Switch) event(l *link.Link, text string) {
	s.log.Info("link "+text, "center", l.Center().Name(), "link", l.Name(), "number", l.Number())
	s.mu.Lock()
	s.rec = journal.Record{At: s.now(), Kind: journal.Event, Center: l.Center().ID(),
		Text: l.Name() + " " + text}
	s.pending.batch.Append(&s.rec)
	s.mu.Unlock()
	s.kick()
}

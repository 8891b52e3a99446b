package cardswitch

import (
	"cardswitch/store/journal"
	"cardswitch/switch/link"
	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

// Received takes what one read of a link's socket brought: requests and answers, in order. The
// checks that need no table are done before the lock is taken, the decisions and their records
// under it, and nothing leaves before the committer has made them durable.
func (s *Switch) Received(l *link.Link, in []link.Inbound) {
	if l.Center().Role() == link.Merchant && !s.opened() {
		return
	}
	if !s.inspectAside(l, in) {
		s.enter(l, in, nil)
	}
}

// enter takes a batch through the doors. What was found of the messages already is given, else
// nil.
func (s *Switch) enter(l *link.Link, in []link.Inbound, given []security.Finding) {
	arrived := s.arrivals.Get().(*arrivals)
	c := s.read(l, in, given, arrived)
	if c == nil {
		s.arrivals.Put(arrived)
		return
	}
	s.decide(l, c, arrived.list)
	s.passed(arrived.list)
	s.kick()
	s.arrivals.Put(arrived)
}

// decide takes a batch through the first two doors. The lock is given back whatever happens: a
// fault of the program ends the link whose message brings it to light, not the switch.
func (s *Switch) decide(l *link.Link, c *center, list []arrival) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.pending.full() && !s.fenced.Load() {
		s.room.Wait()
	}
	now := s.now()
	for i := range list {
		a := &list[i]
		switch {
		case a.answer:
			s.answer(now, l, c, a)
		case a.refused == txn.ShuttingDown && s.handsOver.Load():
			// It was never here: who asked asks the node that takes over.
		default:
			s.request(now, l, c, a)
		}
	}
}

// request is the first door: a message that asks or tells something. Who asks → was it asked
// before → its service decides from values alone → record and effects.
func (s *Switch) request(now int64, l *link.Link, c *center, a *arrival) {
	known, asked, recall := s.asked(c, a)
	if recall {
		s.recallLater(l, c, a)
		return
	}
	if a.refused == txn.TokenUnknown && asked == txn.New && a.named && !a.recalled {
		s.recallLater(l, c, a)
		return
	}
	// What was answered once keeps its answer, whatever speaks against the question by now.
	if a.refused != txn.None && asked == txn.New {
		s.refuse(now, l, c, a, a.refused)
		return
	}
	q := txn.Request{MTI: a.mti, Function: a.function, Asked: asked, Denies: a.denies(),
		MessageReason: a.messageReason(), TolerateUnknown: c.config.UnknownOriginal == 400}
	var dest *center
	var original found
	if asked == txn.New {
		if original, recall = s.refersTo(c, a, &q); recall {
			if a.recalled { // too much else was asked meanwhile
				s.refuse(now, l, c, a, txn.InProgress)
				return
			}
			s.recallLater(l, c, a)
			return
		}
		dest, q.Path = s.destination(now, a, original)
		s.addFacts(now, c, dest, a, &q)
	}
	if asked == txn.New && s.replays(c, a, original) {
		a.key = journal.Key{} // it is no question of its own
		s.refuse(now, l, c, a, txn.CardReplayed)
		return
	}
	d := a.service.Request(q)
	if d.Act == txn.StandIn && !s.standIn(now, l, c, dest, a, q.Path) {
		q.StandIn = false // it isn't stand-in's to decide
		d = a.service.Request(q)
	}
	switch d.Act {
	case txn.StandIn: // it has decided
	case txn.Forward:
		s.forward(now, l, c, dest, a, original, d)
	case txn.Keep:
		s.keep(now, l, c, dest, a, original, d)
	case txn.Acknowledge:
		s.acknowledge(now, l, c, a, original, d)
	case txn.TakeKey:
		s.takeKey(now, l, c, a)
	case txn.CutOver:
		s.askedCutOver(now, l, c, a)
	case txn.Compare:
		s.compared(now, l, c, a, d)
	case txn.TakeFile:
		s.takeFile(now, l, c, a)
	case txn.Wait:
		s.wait(now, l, c, a, known)
	case txn.Repeat:
		s.repeatLater(l, c, a, known)
	default:
		id := s.refuse(now, l, c, a, d.Reason)
		if d.Reason.Foretells() {
			s.foretell(now, c, a, original, id, d.Reason)
		}
	}
}

// acknowledge answers at once, and does here what was told.
func (s *Switch) acknowledge(now int64, l *link.Link, c *center, a *arrival, original found,
	d txn.Decision) {
	if d.Reason == txn.ReversalWithdraws {
		s.withdraw(now, original)
	}
	id := s.settle(now, l, c, a, d)
	if d.Reason.Foretells() {
		s.foretell(now, c, a, original, id, d.Reason)
	}
	if d.Change != txn.None {
		s.changeStandIn(now, c, d.Change, "")
	}
}

// refersTo finds what a new message refers to. recall: only the index can tell.
func (s *Switch) refersTo(c *center, a *arrival, q *txn.Request) (o found, recall bool) {
	if a.byReference(c) {
		return o, true
	}
	if a.needsOriginal() {
		if o, recall = s.original(c, a); recall {
			return o, true
		}
		q.Original = o.standing()
	}
	return o, !s.follow(q, c, a, &o)
}

// addFacts adds to a new request what only its kind of service asks for.
func (s *Switch) addFacts(now int64, c, dest *center, a *arrival, q *txn.Request) {
	switch class := a.mti.Class(); {
	case class == 5:
		q.Period, q.Balance = s.figures(c, a)
	case class == 8:
		reason, _ := a.msg.Number(25)
		q.Change = c.signal(a.function, reason)
	case class <= 2 && a.mti.Function() == 0 && dest != nil:
		q.StandIn = q.OriginalMTI == 0 && s.standsIn(now, dest, q.Path, a.card)
	}
}

// answer is the second door: a message that answers one of ours. Match it to its row → the service
// decides the outcome and the reversal it owes → record and effects.
func (s *Switch) answer(now int64, l *link.Link, c *center, a *arrival) {
	if !a.trusted() {
		s.distrusted(now, l, c, a)
		return
	}
	r := s.match(c, a)
	if r == nil {
		s.unasked(now, l, c, a)
		return
	}
	switch r.Kind {
	case txn.Forwarded:
		s.answered(now, l, c, r, a)
	case txn.Delivery:
		s.delivered(now, l, c, r, a)
	case txn.Management:
		s.managed(now, l, c, r, a)
	}
}

// Deadlines is the third door: what was asked and not answered in time.
func (s *Switch) deadlines() {
	s.mu.Lock()
	now := s.now()
	s.due = s.wheel.Turn(s.due[:0], now, dueAtOnce)
	for _, r := range s.due {
		c := s.centers[r.Dest]
		switch {
		case r.State == txn.Closed:
			c.rows.Drop(r) // the mark has stood long enough
		case r.State == txn.Held:
			s.giveUp(now, c, r, txn.HeldTooLong)
		case r.Kind == txn.Forwarded && r.Aside:
			s.giveUp(now, c, r, txn.ModuleSilent)
		case r.Kind == txn.Forwarded:
			s.overdue(now, c, r, txn.IssuerTimedOut)
		case r.Kind == txn.Delivery:
			s.undelivered(now, c, r)
		case r.Kind == txn.Management:
			s.unmanaged(now, c, r)
		}
	}
	s.mu.Unlock()
	s.kick()
}

// asked tells what is known of a question. recall: only the index can tell, because the question
// is older than what is remembered of this center.
func (s *Switch) asked(c *center, a *arrival) (q txn.Question, asked txn.Asked, recall bool) {
	q, ok := s.questions.Find(a.key)
	switch {
	case a.key == (journal.Key{}):
		return q, txn.New, false
	case a.reused:
		return q, txn.Differs, false
	case !ok && !a.recalled && a.key.LocalTime() <= c.forgotten:
		return q, txn.New, true
	case !ok:
		return q, txn.New, false
	case q.Flags.Has(txn.Foretold):
		return q, txn.Overtaken, false
	case q.Fingerprint != a.fingerprint && a.token.fault != txn.TokenUnknown,
		a.mti.Class() <= 2 && q.Currency != 0 && q.Currency != a.currency:
		return q, txn.Differs, false
	case q.Flags.Has(txn.Ended):
		return q, txn.Answered, false
	}
	return q, txn.Pending, false
}

package cardswitch

import (
	"errors"
	"time"

	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/store/vault"
	"cardswitch/switch/link"
	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

// recall is a question that needs a look into the journal: a repeat of an answered one, or one so
// old that only the index can tell whether it was asked before.
type recall struct {
	link   *link.Link
	center *center
	in     link.Inbound
	found  security.Finding
	use    *vault.Use // of a token that was in it
	spent  bool       // the token of a reversal stands for no card any more
	reused bool       // its trace number is that of a question that asked something else
	answer uint64     // transaction whose kept answer is wanted; zero: find out about the question
	key    journal.Key
	named  journal.Key // of the original that DE 56 names
	raised journal.Key // of the authorization that this adds to
	// Of an original that is named by DE 37 alone: the reference, card and class of message.
	reference string
	card      [16]byte
	class     int
	since     time.Time
}

// found is what is known of the original that a message names.
type found struct {
	known    bool
	named    bool
	key      journal.Key
	question txn.Question
	left     txn.Remainder
}

// standing tells what a message finds of its original.
func (f found) standing() txn.Original {
	switch {
	case f.known:
		return f.question.Standing()
	case f.named:
		return txn.NotFound
	}
	return txn.NotNamed
}

// onIssuerLeg writes the DE 56 that names the original with the values of the issuer's leg.
func (f found) onIssuerLeg(dst []byte, a *arrival) []byte {
	o := a.original
	o.MTI = f.question.MTI
	if f.question.Flags.Has(txn.StoodIn) {
		o.MTI += 0x20
	}
	o.STAN = f.question.STAN
	return o.Append(dst)
}

// original finds the transaction that DE 56 names, among the questions of the same center.
func (s *Switch) original(c *center, a *arrival) (f found, recall bool) {
	o := a.original
	f.named = true
	f.key = journal.KeyOf(c.id, o.MTI, o.LocalTime, o.STAN, o.Acquirer, o.AcquirerLen)
	f.question, f.known = s.questions.Find(f.key)
	return f, !f.known && !a.recalled && o.LocalTime <= c.forgotten
}

// recallLater hands a question to the goroutine that asks the index.
func (s *Switch) recallLater(l *link.Link, c *center, a *arrival) {
	r := recall{key: a.key}
	if a.named {
		o := a.original
		r.named = journal.KeyOf(c.id, o.MTI, o.LocalTime, o.STAN, o.Acquirer, o.AcquirerLen)
	}
	if a.byReference(c) {
		var value [12]byte
		r.reference, r.card = string(a.msg.Append(value[:0], 37)), a.card
		r.class = a.sequel.Class()
	}
	s.later(l, c, a, r)
}

// repeatLater hands a repeat to the goroutine that reads the kept answer.
func (s *Switch) repeatLater(l *link.Link, c *center, a *arrival, q txn.Question) {
	s.later(l, c, a, recall{answer: q.Txn, key: a.key})
	c.metrics.repeats.Inc()
}

func (s *Switch) later(l *link.Link, c *center, a *arrival, r recall) {
	r.link, r.center, r.since = l, c, time.Now()
	r.in.Frame = append([]byte(nil), a.in.Frame...)
	r.in.Prefix, r.found, r.use = a.in.Prefix, a.found, a.token.use
	r.spent = a.refused == txn.TokenUnknown
	select {
	case s.recalls <- r:
	default:
		s.refuse(s.now(), l, c, a, txn.InProgress)
	}
}

// recallsOf is the goroutine that reads the index and the journal for the doors.
func (s *Switch) recallsOf() {
	for {
		select {
		case <-s.stopped:
			return
		case r := <-s.recalls:
			var err error
			if r.answer != 0 {
				err = s.answerAgain(&r)
			} else {
				err = s.askAgain(&r)
			}
			if err != nil {
				s.log.Error("the journal could not be asked", "center", r.center.name,
					"error", err, "hint", "run `cardswitch journal verify`")
			}
		}
	}
}

// askAgain looks the question and its original up and sends the message through the door again.
func (s *Switch) askAgain(r *recall) error {
	if r.reference != "" {
		if err := s.byReference(r); err != nil {
			return err
		}
	}
	for _, k := range [...]journal.Key{r.key, r.named} {
		if k == (journal.Key{}) {
			continue
		}
		if err := s.bringBack(r.center, k); err != nil {
			return err
		}
	}
	durable, err := s.bringLeft(r.named)
	if durable && err == nil {
		durable, err = s.bringRaised(r)
	}
	if err != nil || !durable {
		s.soon(r)
		return err
	}
	t := s.tables.Load()
	seat, ok := t.seats[r.center.id]
	if !ok {
		return nil
	}
	r.in.Fault = seat.profile.dialect.Index(&r.in.Message, r.in.Frame)
	lent := false
	if r.spent {
		var err error
		lent, err = s.lendCard(r, seat.profile)
		if errors.Is(err, store.ErrNotFound) { // not durable yet
			s.soon(r)
			return nil
		}
		if err != nil {
			return err
		}
	}
	s.enterAgain(r, lent)
	return nil
}

// lendCard puts the card number of the original that a reversal names in the place of its token,
// which is spent, past or deleted: what has happened must get in all the same.
func (s *Switch) lendCard(r *recall, p *profile) (lent bool, err error) {
	s.mu.Lock()
	q, known := s.questions.Find(r.named)
	s.mu.Unlock()
	if !known || p.tokens == nil {
		return false, nil
	}
	records, err := s.store.Transaction(q.Txn)
	if err != nil || records[0].PAN.IsZero() {
		return false, err
	}
	frame, fault := p.named(&r.in.Message, records[0].PAN)
	if !fault.OK() {
		return false, nil
	}
	r.in.Frame, r.in.Fault = frame, p.dialect.Index(&r.in.Message, frame)
	return true, nil
}

// byReference finds the original that has a retrieval reference number, among the newest of its
// center that are of the same card: the newest that stands approved, else the newest.
func (s *Switch) byReference(r *recall) error {
	found, err := s.store.FindReference(r.reference, referencesSeen)
	if err != nil {
		return err
	}
	for _, number := range found {
		records, err := s.store.Transaction(number)
		if err != nil {
			return err
		}
		one := &records[0]
		standing, left := LeftOf(records)
		if one.Key.Center() != r.center.id || one.Card != r.card || one.MTI.Class() != r.class ||
			r.class == 1 && left.Of != 0 || txn.GivesBack(typeOf(one.Processing)) {
			continue // it may have the reference of what it follows itself
		}
		if standing == txn.Approved {
			r.named = one.Key
			return nil
		}
		if r.named.IsZero() {
			r.named = one.Key
		}
	}
	return nil
}

// bringBack remembers a question again that only the journal knew.
func (s *Switch) bringBack(c *center, k journal.Key) error {
	seq, ok, err := s.store.Find(k)
	if err != nil || !ok {
		return err
	}
	records, err := s.store.Transaction(seq)
	if err != nil {
		return err
	}
	q := questionOf(records)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.questions.Find(k); !again {
		s.remember(c, k, q)
	}
	return nil
}

// soon asks once more in a moment, for what has yet to become durable.
func (s *Switch) soon(r *recall) {
	if time.Since(r.since) > 5*time.Second {
		return
	}
	again := *r
	time.AfterFunc(drainTick, func() {
		select {
		case s.recalls <- again:
		case <-s.stopped:
		}
	})
}

// bringLeft reads from the journal what is left of an original that something followed; false:
// not all of it is durable yet.
func (s *Switch) bringLeft(k journal.Key) (bool, error) {
	s.mu.Lock()
	q, ok := s.questions.Find(k)
	_, known := s.left(q)
	seq := s.rests[q.Txn].seq
	s.mu.Unlock()
	if !ok || known {
		return true, nil
	}
	if seq > s.store.LastSeq() {
		return false, nil
	}
	records, err := s.store.Transaction(q.Txn)
	if err != nil {
		return false, err
	}
	what := rest{known: true}
	for i := range records {
		what.Remainder = what.After(&records[i])
		what.seq = records[i].Seq
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.rests[q.Txn]; now.known || now.seq > what.seq {
		return now.known, nil
	}
	s.rests.keep(q.Txn, what, s.store.LastSeq())
	return true, nil
}

// answerAgain gives the kept answer to a repeat, byte for byte; what only bears its trace number
// is refused.
func (s *Switch) answerAgain(r *recall) error {
	records, err := s.store.Transaction(r.answer)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	var reply []byte
	if len(records) > 0 {
		images := s.archive.whole(records...)
		if r.reused = s.reuses(r, images); r.reused {
			s.enterAgain(r, false)
			return nil
		}
		if images.Has(journal.Reply) {
			reply, err = images.Restore(journal.Reply, nil, records[0].PAN)
			if err != nil {
				return err
			}
		}
	}
	if reply == nil {
		// Decided, but its commit has not come through yet; or never answerable.
		s.soon(r)
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rec = journal.Record{At: s.now(), Kind: journal.Repeated, Txn: r.answer,
		Center: r.center.id, Text: "kept answer"}
	s.pending.batch.Append(&s.rec)
	from := len(s.pending.out)
	s.pending.out = append(s.pending.out, reply...)
	s.pending.effects = append(s.pending.effects, effect{kind: sendAnswer, link: r.link,
		to: r.center, prefix: r.in.Prefix, from: from, end: len(s.pending.out)})
	s.kick()
	return nil
}

// questionOf folds the records of one transaction into what is remembered of its question. It is
// the same fold that a restart does over the whole journal.
func questionOf(records []journal.Record) txn.Question {
	var q txn.Question
	for i := range records {
		q = fold(q, &records[i])
	}
	return q
}

// fold applies one record to the question of its transaction.
func fold(q txn.Question, r *journal.Record) txn.Question {
	switch r.Kind {
	case journal.Opened, journal.Settled:
		q = txn.Question{Txn: r.Seq, Fingerprint: fingerprintIn(r), Card: cardMark(r.Card),
			Amount: r.Amount, STAN: r.STAN, Dest: r.Dest, Action: r.Action, MTI: r.MTI.Original(),
			Currency: r.Currency, Type: typeOf(r.Processing)}
		if r.Kind == journal.Settled {
			q.Flags |= txn.Ended
		}
		if txn.Reason(r.Reason) == txn.DenialKept {
			q.Flags |= txn.Void
		}
	case journal.StoodIn:
		if r.Txn == r.Seq {
			q = txn.Question{Txn: r.Seq, Fingerprint: fingerprint(r.MTI, r.Card, r.Amount,
				r.Processing), Card: cardMark(r.Card), Amount: r.Amount, MTI: r.MTI.Original(),
				Currency: r.Currency, Type: typeOf(r.Processing)}
		}
		q.STAN, q.Dest, q.Action = r.STAN, r.Dest, r.Action
		q.Flags = q.Flags&^txn.Reversing | txn.Ended | txn.StoodIn
	case journal.Closed:
		q.Action = r.Action
		q.Flags |= txn.Ended
		if r.Image(journal.Advice) != nil {
			q.Flags |= txn.Reversing
		}
		if inPart(r.Action) || exchanged(r, q.Currency) {
			q.Flags |= txn.Adjusted
		}
	case journal.Adjusted:
		q.Flags |= txn.Adjusted
	case journal.Reversed:
		if r.Txn == r.Seq { // of a question that nobody has asked yet
			q = txn.Question{Txn: r.Seq, MTI: r.MTI.Original(), Flags: txn.Ended | txn.Foretold}
		}
		q.Flags |= txn.Reversing
	}
	return q
}

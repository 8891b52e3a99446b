package cardswitch

import (
	"context"
	"errors"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/vault"
	"cardswitch/switch/link"
	"cardswitch/switch/txn"
)

// Validity checks (有効性チェック) of the switch's own: an operator has a file of cards, and each
// card's issuer is asked by an 1100 with function code 108, which moves nothing. The questions are
// those of a center of our own without links, and go the way of all others from the record on: they
// are journaled, matched, timed out and reversed, finished after a restart, and asked only once: a
// question is known by the job and the line of the file, so that whoever asks again, because he
// never heard the answer, gets the kept one.
//
// They give way to everybody. One is asked only while its issuer's window is at most half full and
// not many wait, it takes no place in the window, and nothing is held for it; an issuer that leaves
// several in a row unanswered is left alone for a while.

// CardCheck asks about one card. Job and Line are the question's name: DE 12, and DE 11 with it.
type CardCheck struct {
	Job    uint64 `json:"job"`  // when the job began, YYMMDDhhmmss
	Line   int    `json:"line"` // from 1
	Card   string `json:"card"` // a card number, or a token
	Expiry string `json:"expiry,omitempty"`
}

// CardChecked is what became of it.
type CardChecked struct {
	Asked  bool   `json:"asked"` // an issuer was asked, or nobody ever can be; else try again later
	Action int    `json:"action"`
	Name   string `json:"name"`
	Card   string `json:"card,omitempty"` // the card number, masked, or the token
	Center string `json:"center,omitempty"`
	Txn    uint64 `json:"txn,omitempty"`
	Kept   bool   `json:"kept,omitempty"` // it had been asked before
	Reason uint16 `json:"reason,omitempty"`
	Why    string `json:"reason_text,omitempty"`
}

// check is one that waits: the connection, as it were, on which its row's question came, and the
// place that it takes on its way out.
type check struct {
	at     *center    // counts it
	on     *link.Link // carries it
	txn    uint64
	ended  txn.Decision
	done   chan struct{} // closed when the outcome is durable
	placed bool
}

// Release gives back its place. mu is held.
func (k *check) Release() {
	if k.placed {
		k.placed = false
		k.at.checks.waiting--
	}
}

// Reported does nothing: links are not judged by what only we ask for.
func (k *check) Reported(bool, time.Duration) {}

// isCheckOn tells whether a row is that of a check that went over a link.
func isCheckOn(r *txn.Row, l *link.Link) bool {
	k, ok := r.From.(*check)
	return ok && k.on == l
}

// checking is what a center keeps of the checks that it is asked. Switch.mu guards it.
type checking struct {
	waiting int
	misses  int   // in a row
	rests   int64 // until then none is asked
}

const (
	// checkMisses in a row let an issuer rest from checks for checkRest.
	checkMisses = 5
	checkRest   = time.Minute
	// checkBurst is how far checks may run ahead of their rate.
	checkBurst = 100 * time.Millisecond
	// checkLook is how often is looked whether a question that was asked before has its answer.
	checkLook = 50 * time.Millisecond
)

// CheckJob names a job of checks of so many cards: by the time at which it begins, which no other
// has.
func (s *Switch) CheckJob(cards int) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := time.Unix(0, s.now()).In(s.checks.zone).Truncate(time.Second)
	if !at.After(s.checkJobs) {
		at = s.checkJobs.Add(time.Second)
	}
	s.checkJobs = at.Add(time.Duration(cards/checksPerSecond) * time.Second)
	return number(at.Format(jobTime))
}

// checksPerSecond is how many names a second has: as many as there are trace numbers.
const checksPerSecond = 999_999

// CheckCard asks the issuer of a card whether it is valid, and waits for the outcome to be durable.
// It doesn't wait for room: what can't be asked now isn't Asked. The error says that the switch
// ends.
func (s *Switch) CheckCard(ctx context.Context, q CardCheck) (CardChecked, error) {
	out := CardChecked{}
	pan, shown, why := s.cardOf(q.Card)
	out.Card = shown
	if why != txn.None {
		return out.refused(why, true), nil
	}
	key := s.checkKey(q)
	card := s.store.HashPAN(pan)
	if err := s.bringBackCheck(key); err != nil {
		return out, err
	}
	k, why := s.askAbout(q, key, pan, card)
	if why != txn.None {
		return out.refused(why, why == txn.NoRoute || why == txn.QuestionDiffers), nil
	}
	if k != nil {
		select {
		case <-k.done:
		case <-s.failed:
			return out, errClosing
		case <-s.stopped:
			return out, errClosing
		case <-ctx.Done():
			return out, ctx.Err()
		}
		out.Asked, out.Txn, out.Center = true, k.txn, k.at.name
		out.Action, out.Name = int(k.ended.Action), spec.ActionName(int(k.ended.Action))
		out.Reason, out.Why = uint16(k.ended.Reason), k.ended.Reason.String()
		return out, nil
	}
	if err := s.awaitCheck(ctx, key); err != nil {
		return out, err
	}
	return s.kept(out, key)
}

// refused is the outcome of what wasn't asked: by nobody ever, or not now.
func (out CardChecked) refused(why txn.Reason, final bool) CardChecked {
	out.Asked, out.Action = final, int(why.Action())
	out.Name, out.Reason, out.Why = spec.ActionName(out.Action), uint16(why), why.String()
	return out
}

// cardOf reads a card number, or opens the token that stands for one.
func (s *Switch) cardOf(text string) (pan spec.PAN, shown string, why txn.Reason) {
	if s.vault != nil {
		info, err := s.vault.Info(vault.Token(text))
		switch {
		case err == nil && info.Once:
			return pan, text, txn.CheckSpends
		case err == nil:
			use, err := s.vault.Redeem(info.Token, info.Scope)
			if err != nil {
				return pan, text, txn.TokenUnknown
			}
			return use.PAN(), text, txn.None
		}
	}
	pan, err := spec.ParsePAN(text)
	if err != nil || !pan.Luhn() {
		return spec.PAN{}, "", txn.CheckNoCard
	}
	return pan, pan.String(), txn.None
}

// checkKey names a check: the line counts on through the trace numbers and the seconds.
func (s *Switch) checkKey(q CardCheck) journal.Key {
	began, _ := time.Parse(jobTime, jobText(q.Job))
	line := q.Line - 1
	at := began.Add(time.Duration(line/checksPerSecond) * time.Second)
	return journal.KeyOf(s.checks.id, 0x1100, number(at.Format(jobTime)),
		uint32(1+line%checksPerSecond), number(string(s.institution)), uint8(len(s.institution)))
}

// bringBackCheck remembers a check again that only the journal knows.
func (s *Switch) bringBackCheck(key journal.Key) error {
	s.mu.Lock()
	_, known := s.questions.Find(key)
	s.mu.Unlock()
	if known {
		return nil
	}
	return s.bringBack(s.checks, key)
}

// checkEnded notes how a check ended; its asker hears it once that is durable. mu is held.
func (s *Switch) checkEnded(now int64, k *check, c *center, d txn.Decision, answered bool) {
	k.ended = d
	s.pending.batch.Then(func() { close(k.done) })
	switch {
	case answered:
		c.checks.misses = 0
	case !d.Reason.Unsent():
		if c.checks.misses++; c.checks.misses >= checkMisses {
			c.checks.misses, c.checks.rests = 0, now+int64(checkRest)
			s.log.Warn("an issuer leaves validity checks unanswered; it is asked no more for a while",
				"center", c.name, "for", checkRest, "hint", "does it know function code 108?")
		}
	}
}

// awaitCheck waits for the end of a question that somebody else asked, and for its being durable.
func (s *Switch) awaitCheck(ctx context.Context, key journal.Key) error {
	durable := make(chan struct{})
	for {
		s.mu.Lock()
		asked, ok := s.questions.Find(key)
		if !ok || asked.Flags.Has(txn.Ended) {
			s.pending.batch.Then(func() { close(durable) })
			s.mu.Unlock()
			s.kick()
			break
		}
		s.mu.Unlock()
		select {
		case <-time.After(checkLook):
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stopped:
			return errClosing
		}
	}
	select {
	case <-durable:
		return nil
	case <-s.failed:
	case <-s.stopped:
	}
	return errClosing
}

// kept reads the outcome of a question that was asked before.
func (s *Switch) kept(out CardChecked, key journal.Key) (CardChecked, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, ok := s.questions.Find(key)
	if !ok {
		return out, errors.New("the check was forgotten before it was told; ask again")
	}
	out.Asked, out.Kept, out.Txn, out.Action = true, true, asked.Txn, int(asked.Action)
	out.Name = spec.ActionName(out.Action)
	if c := s.centers[asked.Dest]; c != nil {
		out.Center = c.name
	}
	return out, nil
}

package cardswitch

import (
	"context"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/link"
	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

// Card data that a terminal encrypted are opened by the inspection, so that the doors see a message
// like any other, and its image in the journal is one like any other, too. In clear they are in
// memory only, and are wiped behind the doors.
//
// Whether it was asked before is found out before the counter of the KSN is looked at: a repeat has
// the KSN of its question and gets its answer. A counter counts as used by what is forwarded, kept
// or acknowledged, in the batch that has its record; what the switch itself refuses moves nothing,
// and the terminal's data may come again in another question. The reversal of a transaction that is
// known may come with the KSN of that. Everything else with a counter that was used, or is older
// than the window, is refused and binds nobody; a completion comes with a token, or encrypted anew.

// openCard opens a message's card data, if there are any.
func (s *Switch) openCard(ctx context.Context, c *center, p *security.Profile, in *link.Inbound,
	f *security.Finding) {
	frame := s.beside.guard.OpenCard(ctx, p, &in.Message, f)
	switch {
	case frame != nil:
		in.Frame = frame
		if in.Fault = p.Dialect.Index(&in.Message, frame); !in.Fault.OK() {
			f.Reason, f.Fault = txn.Malformed, in.Fault
		}
	case f.Reason == txn.CardUnreadable:
		s.terminalFailed(c, f.Terminal)
	}
}

// terminalFailed counts what a terminal sent and couldn't be taken, and raises the alarm when that
// goes on.
func (s *Switch) terminalFailed(c *center, who security.Terminal) {
	seat, ok := s.tables.Load().seats[c.id]
	if who == (security.Terminal{}) || !ok {
		return
	}
	agreed := seat.profile.config.terminals()
	if agreed == nil {
		return
	}
	n := s.terminals.failure(terminalKey{c.id, who})
	if n%agreed.Alarm != 0 {
		return
	}
	s.metrics.security.WithLabelValues(c.name, causeOf(txn.CardSuspect)).Inc()
	now := s.now()
	if _, may := c.suspects.may(now); !may {
		return
	}
	s.log.Error("a terminal fails again and again", "center", c.name, "terminal",
		who.String(), "failures", n, "hint", "wrong key, a defect, or somebody who tries")
	if s.deps.Security != nil {
		s.deps.Security.Security(SecurityEvent{At: time.Unix(0, now), Center: c.name,
			Reason: txn.CardSuspect, Terminal: who.String()})
	}
}

// holdTerminal gets the terminal of a message whose card data were opened, or that has a PIN under
// its key.
func (s *Switch) holdTerminal(p *profile, a *arrival) {
	if !a.found.Opened && !a.found.PIN || a.refused != txn.None && a.refused != txn.JournalNotReady {
		return
	}
	var err error
	if a.terminal, err = s.terminals.hold(terminalKey{p.id, a.found.Terminal}); err != nil {
		s.log.Error("the journal could not be asked", "error", err,
			"hint", "run `cardswitch journal verify`")
		a.refused = txn.JournalNotReady
	}
}

// passed wipes the card data of a batch that went through the doors.
func (s *Switch) passed(list []arrival) {
	for i := range list {
		a := &list[i]
		if a.terminal != nil {
			s.terminals.release(a.terminal)
			a.terminal = nil
		}
		if a.found.Opened || a.bought {
			clear(a.in.Frame)
		}
	}
}

// replays tells whether a new question has a counter that can't be used any more. mu is held.
func (s *Switch) replays(c *center, a *arrival, original found) bool {
	if a.terminal == nil || original.known && a.mti.Class() == 4 {
		return false
	}
	err := s.terminals.fresh(a.terminal, a.found.Counter, c.config.terminals().Window)
	if err == nil {
		return false
	}
	s.terminalFailed(c, a.found.Terminal)
	s.said(SecurityEvent{Center: c.name, MTI: a.mti, Reason: txn.CardReplayed,
		Terminal: a.found.Terminal.String()}, c, err)
	return true
}

// useCounter makes a question's counter a used one, in the batch that has its record. mu is held.
func (s *Switch) useCounter(c *center, a *arrival) {
	if a.terminal == nil {
		return
	}
	err := s.terminals.use(s.pending.batch, a.terminal, a.found.Counter, c.config.terminals().Window)
	if a.found.Opened {
		s.terminals.proved(a.terminal.key)
	}
	if err != nil && !replayed(err) {
		s.log.Error("a counter couldn't be noted", "terminal", a.found.Terminal.String(),
			"error", err)
	}
}

// hides tells whether answers to the center carry no card number.
func (p *profile) hides() bool {
	return p.tokens != nil ||
		p.security != nil && p.security.P2PE != nil && p.security.P2PE.Required
}

// shown is a message as a center may see it that holds no card data: as the journal would keep it,
// without what is blank. Others get the message itself.
func (s *Switch) shown(to *center, m *spec.Message) *spec.Message {
	if !to.hides() {
		return m
	}
	for _, n := range [...]int{2, 34, 35, 36, 45} {
		s.edit.Remove(n)
	}
	d := m.Dialect()
	s.veiled = m.AppendSafe(s.veiled[:0])
	if !d.Index(&s.veil, s.veiled).OK() {
		return &s.veil
	}
	var err error
	s.unveiled, err = d.RestorePAN(s.unveiled[:0], &s.veil, spec.PAN{})
	if err == nil {
		_ = d.Index(&s.veil, s.unveiled)
	}
	return &s.veil
}

// addReply adds the image of an answer that s.edit made of base.
func (s *Switch) addReply(rec *journal.Record, on uint16, to *center, raw []byte,
	base *spec.Message, baseRole journal.Role) {
	if to.hides() || base == nil {
		s.addImage(rec, journal.Reply, on, to, raw, nil, 0)
		return
	}
	s.addEdited(rec, journal.Reply, on, to, raw, base, baseRole)
}

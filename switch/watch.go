package cardswitch

import (
	"sync/atomic"
	"time"

	"cardswitch/hsm/keyring"
	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/link"
	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

// SecurityWatch is told what concerns the security of messages, for the audit log. Its calls come
// from many goroutines and must return at once; of one center some twenty a second at most.
type SecurityWatch interface {
	Security(SecurityEvent)
}

// SecurityEvent is a message that isn't taken for its center's, a PIN that couldn't be carried, a
// message that couldn't be protected, or a key that is to be changed for such a reason. Nothing
// of a message's content is in it.
type SecurityEvent struct {
	At     time.Time
	Center string
	Link   string // "" where it isn't about one message that came
	MTI    spec.MTI
	Reason txn.Reason
	Key    keyring.Slot // that is out of step; else zero
	// Terminal is the name of a terminal's initial key (a KSN without its counter), where it is about
	// one; else empty.
	Terminal string
}

// teller bounds what is said of a center: so often a second, and of each key once in a while.
type teller struct {
	second atomic.Int64
	said   atomic.Int32
	asked  [2]atomic.Int64 // when a ZAK, a ZPK was asked for
}

// may counts one, and tells whether it is one of the first of its second, or the first.
func (t *teller) may(now int64) (first, may bool) {
	if second := now / 1e9; t.second.Swap(second) != second {
		t.said.Store(0)
	}
	n := t.said.Add(1)
	return n == 1, n <= unaskedKept
}

// judged counts what an inspection found, and asks for a new key where that would help.
func (s *Switch) judged(l *link.Link, c *center, p *security.Profile, m *spec.Message,
	f *security.Finding) {
	if f.Reason == txn.None {
		if f.Coded && c.wrongMACs.Load() != 0 {
			c.wrongMACs.Store(0)
		}
		return
	}
	s.said(SecurityEvent{Center: c.name, Link: l.Name(), MTI: m.MTI(), Reason: f.Reason}, c, f.Err)
	switch f.Reason {
	case txn.MACWrong:
		if c.wrongMACs.Add(1)%int32(max(p.MAC.Errors, 1)) == 0 {
			s.wantKey(c, keyring.ZAK, keyring.In, f.Reason)
		}
	case txn.MACKeyUnknown:
		s.wantKey(c, keyring.ZAK, keyring.In, f.Reason)
	}
}

// blamed counts a PIN of a center that couldn't be carried.
func (s *Switch) blamed(c *center, why txn.Reason) {
	s.said(SecurityEvent{Center: c.name, Reason: why}, c, nil)
	seat, ok := s.tables.Load().seats[c.id]
	if why == txn.PINKeyUnknown && ok && seat.profile.config.terminals() == nil {
		s.wantKey(c, keyring.ZPK, keyring.In, why)
	}
}

// failing counts a message to a center that couldn't be protected.
func (s *Switch) failing(c *center, why txn.Reason, err error) {
	s.said(SecurityEvent{Center: c.name, Reason: why}, c, err)
}

// said counts an event and tells of it, not too often.
func (s *Switch) said(e SecurityEvent, c *center, err error) {
	s.metrics.security.WithLabelValues(c.name, causeOf(e.Reason)).Inc()
	now := s.now()
	first, may := c.told.may(now)
	if first {
		s.log.Warn("security: "+e.Reason.String(), "center", e.Center, "link", e.Link,
			"mti", e.MTI, "error", err, "hint", e.Reason.Hint())
	}
	if may && s.deps.Security != nil {
		e.At = time.Unix(0, now)
		s.deps.Security.Security(e)
	}
}

// The causes that an alert watches, so that they are there before the first event.
const (
	causeCode = "code_wrong"
	causePIN  = "pin"
)

// causeOf is a reason as a metric's label.
func causeOf(r txn.Reason) string {
	switch r {
	case txn.MACMissing:
		return "code_missing"
	case txn.MACWrong:
		return causeCode
	case txn.MACKeyUnknown:
		return "code_key"
	case txn.PINKeyUnknown:
		return "pin_key"
	case txn.NoKey:
		return "no_key"
	case txn.PINUnreadable:
		return causePIN
	case txn.PINNotTaken:
		return "pin_agreement"
	case txn.ModuleSilent:
		return "module_silent"
	case txn.ModuleForbidden:
		return "module_forbidden"
	case txn.ModuleFailed:
		return "module_failed"
	case txn.ModuleBusy:
		return "module_busy"
	case txn.PINsTried:
		return "pins_tried"
	case txn.IssuerOutOfStep:
		return "center_out_of_step"
	case txn.CardInClear:
		return "card_in_clear"
	case txn.CardKeyUnknown:
		return "card_key"
	case txn.CardUnreadable:
		return "card_data"
	case txn.CardReplayed:
		return "ksn"
	case txn.CardSuspect:
		return "terminal"
	}
	return "format"
}

// wantKey asks for a new key of a center, once in a while: where we make its keys, the exchange
// makes one.
func (s *Switch) wantKey(c *center, purpose keyring.Purpose, d keyring.Direction,
	why txn.Reason) {
	at := &c.told.asked[0]
	if purpose == keyring.ZPK {
		at = &c.told.asked[1]
	}
	now := s.now()
	before := at.Load()
	if before != 0 && now-before < int64(outOfStepEvery) || !at.CompareAndSwap(before, now) {
		return
	}
	slot := keyring.Slot{Purpose: purpose, Center: c.name, Direction: d}
	ours := s.changes(slot)
	s.log.Warn("a key is out of step", "key", slot.String(), "why", why.String(), "changed", ours,
		"hint", "if the center makes its keys, let it send a new one; see key list")
	if s.deps.Security != nil {
		s.deps.Security.Security(SecurityEvent{At: time.Unix(0, now), Center: c.name, Reason: why,
			Key: slot})
	}
	switch {
	case ours:
		s.outOfStep(slot, why.String())
	case s.deps.WantKey != nil:
		if p := c.shield.Load(); p != nil && p.Lent {
			s.deps.WantKey(slot, why)
		}
	}
}

// outOfKeys tells whether a center answers that it can't read what we protect for it, and asks for
// a new key then. Such an answer is about keys of ours and the center's: no merchant gets it.
func (s *Switch) outOfKeys(c *center, a *arrival) bool {
	if c.security == nil {
		return false
	}
	purpose := keyring.ZAK
	switch a.msg.ActionCode() {
	case 916, 917, 918:
	case 128, 919:
		purpose = keyring.ZPK
	default:
		return false
	}
	s.said(SecurityEvent{Center: c.name, MTI: a.mti, Reason: txn.IssuerOutOfStep}, c, nil)
	s.wantKey(c, purpose, keyring.Out, txn.IssuerOutOfStep)
	return true
}

// distrusted records an answer that isn't taken for its center's. It ends nothing: the true answer
// may still come, else the deadline ends what it names. A few a second are journaled.
func (s *Switch) distrusted(now int64, l *link.Link, c *center, a *arrival) {
	if !c.keepsUnasked(now) {
		return
	}
	s.images, s.cuts = s.images[:0], s.cuts[:0]
	s.rec = journal.Record{At: now, Kind: journal.Late, MTI: a.mti, Dest: c.id, STAN: a.stan,
		Action: uint16(max(a.msg.ActionCode(), 0)), Reason: uint16(a.refused)}
	if a.in.Fault.OK() {
		s.addMessage(&s.rec, journal.Answer, l.ID(), c, a.msg, nil, 0)
	}
	s.pending.batch.Append(&s.rec)
}

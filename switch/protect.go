package cardswitch

import (
	"bytes"
	"context"
	"time"

	"cardswitch/spec"
	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

// acceptPIN takes the PIN block of a request that goes to dest.
func (s *Switch) acceptPIN(c, dest *center, a *arrival) (*security.Block, txn.Reason) {
	if s.beside.guard == nil || c.security == nil && dest.security == nil {
		return nil, txn.None
	}
	b, why := s.beside.guard.Accept(c.security, dest.security, a.msg, &a.found)
	if why != txn.None {
		s.blamed(c, why)
	}
	return b, why
}

// leaveZone takes from the edited message what is about keys of where it came from, if any of the
// two centers has such: element 53 and codes. A PIN block makes room for the one to come.
func (s *Switch) leaveZone(from, to *center, b *security.Block) {
	if from.security == nil && to.security == nil {
		return
	}
	for _, n := range [...]int{53, 64, 128} {
		s.edit.Remove(n)
	}
	if b != nil {
		var room [16]byte
		s.edit.Set(52, room[:to.security.PIN.Format.Size()])
	}
}

// goesAside tells whether a message to a center waits for a module elsewhere before it leaves.
func (s *Switch) goesAside(to *center, b *security.Block) bool {
	return to.security != nil && s.beside.guard.ProtectsElsewhere(to.security, b != nil)
}

// protect protects a message that is about to leave, in place of the plain one. True: it waits in
// a lane, behind those before it, and leaves from there. A message that can't be protected has a
// why.
//
// A message that was protected and didn't leave keeps its bytes on another link of its center: its
// keys are those of the center, and a generation is accepted for a while after the next (package
// keyring), much longer than a link takes to be lost.
func (s *Switch) protect(p *pending, e *effect, shield *security.Profile) bool {
	b := &s.beside
	frame := p.out[e.from:e.end]
	if b.lanes != nil {
		var m spec.Message
		_ = shield.Dialect.Index(&m, frame) // the switch made it
		keys := b.lanes.Of(e.link.Number(), true, &m)
		if b.guard.ProtectsElsewhere(shield, e.pin != nil) || b.lanes.Busy(keys) {
			one, copied, by := *e, bytes.Clone(frame), time.Now().Add(moduleWait)
			if b.lanes.Submit(keys, false, func() { s.protectOne(by, &one, copied, shield) }) {
				return true
			}
			s.unprotected(e, txn.ModuleBusy, nil)
			return false
		}
	}
	from := len(p.out)
	out, why, err := b.guard.Protect(b.ctx, p.out, shield, frame, e.pin)
	if why != txn.None {
		s.unprotected(e, why, err)
		return false
	}
	p.out, e.from, e.end, e.sealed = out, from, len(out), true
	s.crossed(e)
	return false
}

// unprotected notes why a message can't leave.
func (s *Switch) unprotected(e *effect, why txn.Reason, err error) {
	e.why = why
	switch why {
	case txn.PINKeyUnknown, txn.PINUnreadable:
		s.blamed(e.asker, why)
		if e.pin != nil {
			s.terminalFailed(e.asker, e.pin.Terminal())
		}
	default:
		s.failing(e.to, why, err)
	}
}

// crossed takes note that a terminal's PIN was under the right key.
func (s *Switch) crossed(e *effect) {
	if e.pin != nil && e.pin.Terminal() != (security.Terminal{}) {
		s.terminals.proved(terminalKey{e.asker.id, e.pin.Terminal()})
	}
}

// protectOne is the job of a lane.
func (s *Switch) protectOne(by time.Time, e *effect, frame []byte, shield *security.Profile) {
	ctx, cancel := context.WithDeadline(s.beside.ctx, by)
	defer cancel()
	out, why, err := s.beside.guard.Protect(ctx, nil, shield, frame, e.pin)
	if why != txn.None {
		s.unprotected(e, why, err)
	} else {
		s.crossed(e)
	}
	if s.fenced.Load() {
		return
	}
	if e.kind == sendRequest {
		s.leave(e, out)
		return
	}
	if l := e.queue(out); l != nil {
		l.Flush()
		return
	}
	s.metrics.undeliver.Inc()
}

// leave lets a request go out of its lane, if it is still waited for: one whose time ran out
// meanwhile was answered without a reversal, so it must not leave.
func (s *Switch) leave(e *effect, frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := rowOf(e.to, e.tag)
	if r == nil {
		return
	}
	now := s.now()
	if e.why == txn.None {
		r.Aside = false
		if l := e.queue(frame); l != nil {
			l.Flush()
			return
		}
	}
	s.takeBack(now, e.to, e.tag, frame, e.why)
	s.kick()
}

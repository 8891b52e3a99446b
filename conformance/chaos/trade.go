package chaos

import (
	"time"

	"cardswitch/conformance/load/wire"
)

// begin makes new sales up to the number in flight, and the cancellations that are due.
func (l *lane) begin(out []byte) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for n := range l.waiting {
		if s := &l.sales[n]; s.owesCancel() && s.cancel.local == 0 {
			out = l.takeBack(out, n, s, now)
		}
	}
	for len(l.waiting) < l.outstanding && !l.merchants.closing.Load() && now.After(l.rests) {
		n := uint64(len(l.sales))
		l.sales = append(l.sales, sale{
			kind: l.kind(), ask: l.message(now), cancel: message{action: none},
		})
		l.waiting[n] = true
		s := &l.sales[n]
		out = append(out, must(l.composer.request(n, s, false))...)
		if s.kind == hasty {
			out = l.takeBack(out, n, s, now)
		}
	}
	return out
}

func (l *lane) kind() kind {
	switch n := l.random.IntN(100); {
	case n < 5:
		return cancelled
	case n < 9:
		return hasty
	case n < 14:
		return offline
	}
	return plain
}

func (l *lane) message(now time.Time) message {
	l.audit = l.audit%999999 + 1
	return message{audit: l.audit, local: localTime(now), action: none, sentAt: now.UnixNano()}
}

func (l *lane) nextAudit() uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.audit = l.audit%999999 + 1
	return l.audit
}

func (l *lane) takeBack(out []byte, n uint64, s *sale, now time.Time) []byte {
	s.cancel = l.message(now)
	return append(out, must(l.composer.reversal(n, s, false))...)
}

// overdue repeats what was sent longer ago than that and isn't answered.
func (l *lane) overdue(out []byte, longer time.Duration) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	before := now.Add(-longer).UnixNano()
	for n := range l.waiting {
		s := &l.sales[n]
		ask, cancel := s.waits()
		if ask && s.ask.sentAt <= before {
			s.ask.sentAt = now.UnixNano()
			l.counts.Repeats++
			out = append(out, must(l.composer.request(n, s, true))...)
		}
		if cancel && s.cancel.sentAt <= before {
			s.cancel.sentAt = now.UnixNano()
			l.counts.Repeats++
			out = append(out, must(l.composer.reversal(n, s, true))...)
		}
	}
	return out
}

// receive books one answer.
func (l *lane) receive(m *wire.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	reference, ok := wire.ParseReference(m.Data(37))
	if !ok || reference.Lane != l.composer.lane || reference.Sequence == 0 ||
		reference.Sequence >= uint64(len(l.sales)) {
		if m.MTI()/100 != 18 {
			l.counts.Unknown++
		}
		return
	}
	s := &l.sales[reference.Sequence]
	of := &s.ask
	switch m.MTI() {
	case 1430:
		of = &s.cancel
	case 1210, 1230:
	default:
		l.counts.Unknown++
		return
	}
	if wire.Number(m.Data(11)) != uint64(of.audit) || wire.Number(m.Data(12)) != of.local {
		l.counts.Mismatched++
		return
	}
	action := int16(wire.Number(m.Data(39)))
	if action == stillInProgress {
		return // not an outcome: it is asked again
	}
	l.merchants.answered.Add(1)
	if action >= 902 { // the switch can't: selling on at full speed would prove nothing
		l.rests = time.Now().Add(refusedRest)
	}
	if of.action != none && of.action != action {
		l.counts.Changed++
	}
	if of.action == none {
		of.action = action
	}
	if s.settle(); s.done {
		delete(l.waiting, reference.Sequence)
	}
}

// stillInProgress is the answer to a repeat whose first question has no outcome yet.
const stillInProgress = 923

// refusedRest is how long a shop waits after a refusal.
const refusedRest = 20 * time.Millisecond

// must is for messages of our own making, which can't be wrong.
func must(frame []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return frame
}

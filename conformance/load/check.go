package load

import (
	"bytes"
	"time"

	"cardswitch/conformance/load/wire"
)

// receive checks every whole message among the bytes read and says how many requests it answered.
func (l *lane) receive(n int, now int64, w *window) (answered int) {
	buffered := l.in[:len(l.in)+n]
	for {
		body, rest := wire.Next(buffered)
		if body == nil {
			break
		}
		buffered = rest
		if !l.answer.Scan(body) {
			l.counts.Malformed++
			continue
		}
		if l.settle(&l.answer, now, w) {
			answered++
		}
	}
	l.in = l.in[:copy(l.in[:cap(l.in)], buffered)]
	l.received.Add(uint64(answered))
	return answered
}

// settle matches one answer to its request, checks it and frees the request's slot.
func (l *lane) settle(m *wire.Message, now int64, w *window) bool {
	reference, ok := wire.ParseReference(m.Data(37))
	if !ok || reference.Lane != l.request.lane {
		l.counts.Unknown++
		return false
	}
	s := &l.slots[reference.Sequence%uint64(len(l.slots))]
	if reference.Sequence == 0 || s.sequence.Load() != reference.Sequence {
		l.counts.Unknown++
		return false
	}
	if now >= w.from && now < w.to {
		l.counts.Measured++
	}
	if s.sentAt >= w.from && s.sentAt < w.to {
		l.record(now - s.sentAt)
	}
	l.check(m, s, reference.Sequence)
	s.sequence.Store(0)
	return true
}

func (l *lane) record(nanoseconds int64) {
	microseconds := nanoseconds / int64(time.Microsecond)
	microseconds = min(max(microseconds, 1), l.latencies.HighestTrackableValue())
	l.latencies.RecordValue(microseconds) // in range, so it can't fail
}

// check compares what a response must echo and counts the outcome.
func (l *lane) check(m *wire.Message, s *slot, sequence uint64) {
	if m.MTI() != 1210 ||
		wire.Number(m.Data(11)) != auditNumber(sequence) ||
		!bytes.Equal(m.Data(12), s.localTime[:]) ||
		!bytes.Equal(m.Data(32), l.request.acquirer(sequence)) ||
		wire.Number(m.Data(4)) != amount(sequence) ||
		len(m.Data(39)) != 3 {
		l.counts.Mismatched++
		return
	}
	action := wire.Number(m.Data(39)) % 1000
	l.counts.actions[action]++
	if action == 0 {
		l.counts.Approved++
		l.counts.Amount += amount(sequence)
	}
}

package pos

import (
	"context"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/wire"
)

// outcome is what came of sending a message.
type outcome uint8

const (
	answeredOutcome outcome = iota
	silence                 // it left, and nothing came back: nobody knows
	neverLeft               // not one byte of it left
)

// expect opens a place for the answer to m.
func (p *POS) expect(m *format.Message) chan *format.Message {
	ch := make(chan *format.Message, 4)
	p.mu.Lock()
	p.pending[answerKey(format.Response(m.MTI), m)] = ch
	p.mu.Unlock()
	return ch
}

func (p *POS) forget(m *format.Message) {
	p.mu.Lock()
	delete(p.pending, answerKey(format.Response(m.MTI), m))
	p.mu.Unlock()
}

// answered brings an answer to whoever waits for it. One that nobody waits for is counted: the
// shop has long decided to undo that transaction, and an approval mustn't change its mind.
func (p *POS) answered(m *format.Message) {
	p.mu.Lock()
	ch := p.pending[answerKey(m.MTI, m)]
	p.mu.Unlock()
	if ch == nil {
		p.count(func(s *Stats) { s.Late++ })
		return
	}
	select {
	case ch <- m:
	default: // an answer given over and over
		p.count(func(s *Stats) { s.Late++ })
	}
}

func answerKey(mti string, m *format.Message) string {
	if m.MTI[1] == '8' || m.MTI[1] == '3' {
		return mti + m.Get(11) + m.Get(12)
	}
	return mti + m.Get(11) + m.Get(12) + m.Get(32)
}

// ask sends m and, for want of an answer, repeats it: the first go and then up to repeats more.
// wait is the patience for each.
func (p *POS) ask(
	ctx context.Context, m *format.Message, repeats int, wait time.Duration,
) (*format.Message, outcome) {
	reply := p.expect(m)
	defer p.forget(m)
	left := false
	for n := 0; n <= repeats; n++ {
		if left {
			m = m.Clone()
			m.MTI = format.Repeat(m.MTI)
			p.count(func(s *Stats) { s.Repeats++ })
		}
		turn, cancel := context.WithTimeout(ctx, wait)
		answer, sent := p.once(turn, m, reply)
		cancel()
		left = left || sent
		if answer != nil {
			return answer, answeredOutcome
		}
		if ctx.Err() != nil {
			break
		}
	}
	if !left {
		return nil, neverLeft
	}
	return nil, silence
}

// once sends m on one connection and waits until its answer, the end of that connection, or the
// end of patience. An answer that says "still at it" is no answer.
func (p *POS) once(
	ctx context.Context, m *format.Message, reply chan *format.Message,
) (answer *format.Message, sent bool) {
	c := p.connection(ctx)
	if c == nil {
		return nil, false
	}
	if err := c.Send(m); err != nil {
		return nil, !wire.Unsent(err)
	}
	for {
		select {
		case a := <-reply:
			if a.Get(39) != "923" {
				return a, true
			}
		case <-c.Done():
			select { // an answer that came just before the end
			case a := <-reply:
				if a.Get(39) != "923" {
					return a, true
				}
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
			return nil, true
		case <-ctx.Done():
			return nil, true
		}
	}
}

// insist sends an advice until somebody answers it: there's no other way to end an advice.
// It gives the action code and the business day of the answer.
func (p *POS) insist(
	ctx context.Context, m *format.Message, final func(string) bool,
) (action, day string) {
	pause := 50 * time.Millisecond
	left := false
	for ctx.Err() == nil {
		if left {
			m = m.Clone()
			m.MTI = format.Repeat(m.MTI)
		}
		answer, o := p.ask(ctx, m, 0, p.options.AnswerTime)
		left = left || o != neverLeft
		if answer != nil && final(answer.Get(39)) {
			return answer.Get(39), answer.Get(28)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, 2*time.Second)
	}
	return "", ""
}

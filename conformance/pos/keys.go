package pos

import (
	"context"
	"errors"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/keychange"
	"cardswitch/conformance/wire"
)

// changeTime is how long a change of a key may take that the host asked for, and how long one
// answer is waited for.
const changeTime, keyAnswerTime = 30 * time.Second, 5 * time.Second

// keyCame answers a message that brings a key, or asks for one.
func (p *POS) keyCame(c *wire.Conn, m *format.Message) {
	answer, then := keychange.Answer(p.options.KBPK, p.options.Envelope, p.guard.Zone(), m)
	if err := c.Send(answer); err != nil {
		p.count(func(s *Stats) { s.Undelivered++ })
	}
	switch then {
	case keychange.Use:
		p.count(func(s *Stats) { s.Keys++ })
		_ = p.options.Envelope.Switch(keychange.Generation(m)) // a dead line is dialled again
	case keychange.Took:
		p.count(func(s *Stats) { s.Keys++ })
	case keychange.Make:
		go func() { // ends with the center
			ctx, cancel := context.WithTimeout(p.life, changeTime)
			defer cancel()
			_, _ = p.ChangeKey(ctx) // the host asks again
		}()
	}
}

// ChangeKey makes the next generation of the link's key and brings it to the host. It is used when
// that has shown that it has the same.
func (p *POS) ChangeKey(ctx context.Context) (generation uint16, err error) {
	p.changing.Lock()
	defer p.changing.Unlock()
	generation, err = keychange.Bring(ctx, p.options.KBPK, p.options.Envelope,
		func(ctx context.Context, order, block string) (*format.Message, error) {
			ctx, cancel := context.WithTimeout(ctx, keyAnswerTime)
			defer cancel()
			c := p.connection(ctx)
			if c == nil {
				return nil, errors.New("no connection was signed on in time")
			}
			return p.askHost(ctx, c, format.New("1804").Set(24, keychange.Function).
				Set(53, order).Set(96, block))
		})
	if err == nil {
		p.count(func(s *Stats) { s.Keys++ })
	}
	return generation, err
}

package issuer

import (
	"context"
	"fmt"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/keychange"
	"cardswitch/conformance/wire"
)

// changeTime is how long a change of a key may take that the peer asked for, and how long one
// answer is waited for.
const changeTime, keyAnswerTime = 30 * time.Second, 5 * time.Second

// keyCame answers a message that brings a key, or asks for one.
func (i *Issuer) keyCame(l *line, c *wire.Conn, m *format.Message) {
	i.count(func(s *Stats) { s.Network++ })
	if l.mute.Load() {
		return
	}
	answer, then := keychange.Answer(i.options.KBPK, l.Envelope, i.guard.Zone(), m)
	i.send(c, answer)
	switch then {
	case keychange.Use:
		i.count(func(s *Stats) { s.Keys++ })
		if err := l.Envelope.Switch(keychange.Generation(m)); err != nil {
			i.options.Logger.Warn("a link key isn't used", "issuer", i.options.Name, "link", l.Name,
				"error", err)
		}
	case keychange.Took:
		i.count(func(s *Stats) { s.Keys++ })
	case keychange.Make:
		go func() { // ends with the center
			ctx, cancel := context.WithTimeout(i.life, changeTime)
			defer cancel()
			if _, err := i.ChangeKey(ctx, l.Name); err != nil {
				i.options.Logger.Warn("the link key isn't changed", "issuer", i.options.Name,
					"link", l.Name, "error", err)
			}
		}()
	}
}

// ChangeKey makes the next generation of a link's key and brings it to the peer. It is used when
// that has shown that it has the same.
func (i *Issuer) ChangeKey(ctx context.Context, link string) (generation uint16, err error) {
	l := i.line(link)
	if l == nil {
		return 0, fmt.Errorf("no link %q", link)
	}
	l.changing.Lock()
	defer l.changing.Unlock()
	generation, err = keychange.Bring(ctx, i.options.KBPK, l.Envelope,
		func(ctx context.Context, order, block string) (*format.Message, error) {
			c := l.any()
			if c == nil {
				return nil, fmt.Errorf("link %s is down", link)
			}
			ctx, cancel := context.WithTimeout(ctx, keyAnswerTime)
			defer cancel()
			return i.request(ctx, l, c, format.New("1804").Set(24, keychange.Function).
				Set(53, order).Set(96, block))
		})
	if err != nil {
		return 0, fmt.Errorf("link %s: %w", link, err)
	}
	i.count(func(s *Stats) { s.Keys++ })
	return generation, nil
}

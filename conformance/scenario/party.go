package scenario

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/wire"
)

// arrival is one message that came, or what came in its place.
type arrival struct {
	message *format.Message
	conn    *wire.Conn
	fault   error
}

// party is one side that the scenario plays.
type party struct {
	name    string
	role    string
	manual  bool
	format  *format.Format
	door    Door
	station *station // of an issuer
	numbers *numbers
	last    arrival         // what was expected last
	allowed map[string]bool // what may be left over

	mu     sync.Mutex
	conn   *wire.Conn // of a merchant, or the last an issuer was spoken to on
	inbox  []arrival
	sent   []*format.Message
	closed bool
	wake   chan struct{} // closed whenever something happens
}

func newParty(name, role string, f *format.Format, n *numbers) *party {
	return &party{name: name, role: role, format: f, numbers: n, wake: make(chan struct{}),
		allowed: make(map[string]bool)}
}

// arrive takes a message in. Network management is answered by itself unless the scenario
// said manual: a host tests its lines whenever it likes. What is still about an earlier scenario is
// answered too and not shown to this one.
func (p *party) arrive(c *wire.Conn, a arrival) {
	if a.fault == nil && p.numbers.past(a.message) {
		if a.message.IsRequest() {
			_ = c.Send(automatic(a.message)) // its scenario is over
		}
		return
	}
	if a.fault == nil && !p.manual && a.message.IsRequest() && a.message.MTI[1] == '8' {
		_ = c.Send(automatic(a.message)) // a dead line shows in the next step
		return
	}
	p.change(func() {
		p.conn = c
		p.inbox = append(p.inbox, a)
	})
}

func (p *party) change(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn()
	close(p.wake)
	p.wake = make(chan struct{})
}

// take waits for the first message that pick wants. Without one it tells why.
func (p *party) take(ctx context.Context, pick func(arrival) bool) (arrival, error) {
	for {
		p.mu.Lock()
		n := slices.IndexFunc(p.inbox, pick)
		if n >= 0 {
			a := p.inbox[n]
			p.inbox = slices.Delete(p.inbox, n, n+1)
			p.mu.Unlock()
			return a, nil
		}
		wake, closed := p.wake, p.closed
		p.mu.Unlock()
		if closed {
			return arrival{}, errors.New("the connection was closed")
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return arrival{}, errors.New("nothing came in time")
		}
	}
}

// untilClosed waits for the host to hang up.
func (p *party) untilClosed(ctx context.Context) bool {
	for {
		p.mu.Lock()
		wake, closed := p.wake, p.closed
		p.mu.Unlock()
		if closed {
			return true
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return false
		}
	}
}

// quiet waits and reports the first message that came meanwhile.
func (p *party) quiet(ctx context.Context, span time.Duration) (arrival, bool) {
	ctx, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	a, err := p.take(ctx, func(arrival) bool { return true })
	return a, err != nil
}

// send writes a message on c, or on the party's own connection.
func (p *party) send(c *wire.Conn, m *format.Message) error {
	if c == nil {
		c = p.connection()
	}
	if c == nil {
		return errors.New("there is no connection")
	}
	if m.IsRequest() {
		p.mu.Lock()
		p.sent = append(p.sent, m)
		p.mu.Unlock()
	}
	return c.Send(m)
}

func (p *party) connection() *wire.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil && p.station != nil {
		return p.station.any()
	}
	return p.conn
}

// request finds what a response answers, among what the party sent.
func (p *party) request(answer *format.Message) *format.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := len(p.sent) - 1; n >= 0; n-- {
		m := p.sent[n]
		if format.Response(m.MTI) == answer.MTI && m.Get(11) == answer.Get(11) {
			return m
		}
	}
	return nil
}

// lastSent is the request that a repeat repeats.
func (p *party) lastSent() *format.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sent) == 0 {
		return nil
	}
	return p.sent[len(p.sent)-1]
}

// left lists what came and nobody expected.
func (p *party) left() []arrival {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inbox
}

// automatic answers what no scenario wants to see.
func automatic(m *format.Message) *format.Message {
	switch {
	case m.MTI[1] == '8':
		return format.Answer(m, "800")
	case m.MTI[1] == '4':
		return format.Answer(m, "400")
	case m.MTI[2] == '2':
		return format.Answer(m, "900")
	}
	return format.Answer(m, "100")
}

package pos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/keychange"
	"cardswitch/conformance/wire"
)

// lane is one persistent connection, dialled again whenever it ends.
type lane struct {
	addresses []string
	at        int // of addresses: where the next connection goes
	silent    int // where this lane was left waiting, plus one; 0: nowhere

	mu   sync.Mutex
	conn *wire.Conn // nil while down or not signed on
}

const (
	shortPause = 20 * time.Millisecond
	// longPause is the most between two tries where there is one address. Of several nodes one takes
	// over soon, so there it is less.
	longPause = time.Second
	nextPause = 2 * shortPause
)

// keep holds one lane open until ctx ends. Where one address doesn't let it in, the next may: of
// several nodes only one serves.
func (p *POS) keep(ctx context.Context, l *lane) {
	pause, most := shortPause, longPause
	if len(l.addresses) > 1 {
		most = nextPause
	}
	for ; ctx.Err() == nil; l.at = (l.at + 1) % len(l.addresses) {
		if p.connect(ctx, l) {
			pause = shortPause
			continue
		}
		select {
		case <-time.After(pause + rand.N(pause)):
		case <-ctx.Done():
		}
		pause = min(2*pause, most)
	}
}

// connect dials, signs on, and stays until the connection ends. It reports whether it got on.
func (p *POS) connect(ctx context.Context, l *lane) bool {
	nc, err := p.options.DialFunc(ctx, l.addresses[l.at])
	if err != nil {
		return false
	}
	options := wire.Options{
		Format:     p.format,
		Framing:    p.options.Framing,
		Envelope:   p.options.Envelope,
		Dialed:     true,
		Refused:    func(*wire.Conn, error) { p.count(func(s *Stats) { s.Refused++ }) },
		Received:   func(c *wire.Conn, m *format.Message) { p.received(l, c, m) },
		Unreadable: func(*wire.Conn, []byte, error) { p.count(func(s *Stats) { s.Unreadable++ }) },
	}
	if p.guard != nil {
		options.Guard = p.guard
	}
	c, err := wire.Open(nc, options)
	if err != nil {
		return false
	}
	defer c.Close()
	if !p.signedOn(ctx, l, c) {
		return false
	}
	p.put(l, c)
	defer p.put(l, nil)
	p.count(func(s *Stats) { s.Connections++ })
	var cut atomic.Bool
	if p.options.Echo > 0 {
		go p.watch(ctx, c, &cut)
	}
	select {
	case <-c.Done():
		if cut.Load() {
			l.silent = l.at + 1
		}
	case <-ctx.Done():
		if !p.options.NoSignOn {
			wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = p.manage(wait, c, "802") // we leave anyway
		}
	}
	return true
}

// openTime is a merchant's patience with a host that takes the connection and says nothing.
const openTime = 5 * time.Second

// signedOn opens a connection's envelope and signs on. Who tests connections has no more patience
// for this than for a few tests, or for one where it was left waiting just before: a host that
// stands still takes connections, and another one may serve by now.
func (p *POS) signedOn(ctx context.Context, l *lane, c *wire.Conn) bool {
	patience := openTime
	if p.options.Echo > 0 {
		patience = min(patience, 4*p.options.Echo)
		if l.silent == l.at+1 {
			patience = min(patience, p.options.Echo)
		}
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if c.Ready(wait) == nil && (p.options.NoSignOn || p.manage(wait, c, "801") == nil) {
		l.silent = 0
		return true
	}
	if wait.Err() != nil {
		l.silent = l.at + 1
	}
	return false
}

// watch cuts a connection on which an echo test isn't answered by the time of the next.
func (p *POS) watch(ctx context.Context, c *wire.Conn, cut *atomic.Bool) {
	ticker := time.NewTicker(p.options.Echo)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-c.Done():
			return
		case <-ctx.Done():
			return
		}
		wait, cancel := context.WithTimeout(ctx, p.options.Echo)
		err := p.manage(wait, c, "831")
		cancel()
		if err != nil && ctx.Err() == nil {
			cut.Store(errors.Is(err, context.DeadlineExceeded))
			c.Cut()
			return
		}
	}
}

// manage sends an 1804 on one connection and waits for its acceptance.
func (p *POS) manage(ctx context.Context, c *wire.Conn, function string) error {
	a, err := p.askHost(ctx, c, format.New("1804").Set(24, function))
	if err == nil && a.Get(39) != "800" {
		return fmt.Errorf("function %s answered %s", function, a.Get(39))
	}
	return err
}

// askHost stamps a 1804, sends it and waits for its answer.
func (p *POS) askHost(
	ctx context.Context, c *wire.Conn, m *format.Message,
) (*format.Message, error) {
	m = p.stamp(m).Set(93, p.options.Peer).Set(94, p.options.Institution)
	reply := p.expect(m)
	defer p.forget(m)
	if err := c.Send(m); err != nil {
		return nil, err
	}
	select {
	case a := <-reply:
		return a, nil
	case <-c.Done():
		return nil, wire.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// received takes one message of the host, in the order they came.
func (p *POS) received(l *lane, c *wire.Conn, m *format.Message) {
	switch {
	case m.IsResponse():
		p.answered(m)
	case m.MTI == "1804" && m.Get(24) == keychange.Function:
		p.keyCame(c, m)
	case strings.HasPrefix(m.MTI, "180"):
		if m.Get(24) == "802" {
			p.put(l, nil)
		}
		if m.Get(24) == "801" {
			p.put(l, c)
		}
		if err := c.Send(format.Answer(m, "800")); err != nil {
			p.count(func(s *Stats) { s.Undelivered++ })
		}
	default:
		p.count(func(s *Stats) { s.Unasked++ })
	}
}

// put says which connection a lane offers, and wakes whoever waits for one.
func (p *POS) put(l *lane, c *wire.Conn) {
	l.mu.Lock()
	l.conn = c
	l.mu.Unlock()
	p.mu.Lock()
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
}

// pick takes the next usable connection in turn.
func (p *POS) pick() *wire.Conn {
	start := p.turn.Add(1)
	for n := range uint64(len(p.lanes)) {
		l := p.lanes[(start+n)%uint64(len(p.lanes))]
		l.mu.Lock()
		c := l.conn
		l.mu.Unlock()
		if c != nil {
			return c
		}
	}
	return nil
}

// connection waits for a usable connection.
func (p *POS) connection(ctx context.Context) *wire.Conn {
	for {
		p.mu.Lock()
		changed := p.changed
		p.mu.Unlock()
		if c := p.pick(); c != nil {
			return c
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

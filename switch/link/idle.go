package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/hsm/envelope"
)

const (
	// earlyBytes bounds what a peer may say on a connection that nobody serves yet. One that says
	// more doesn't wait for us.
	earlyBytes = 64 << 10
	// lastWords bounds the reading of why a peer ended it: all of that has come already.
	lastWords = 100 * time.Millisecond
)

// dead is when TCP gives an idle connection up whose other end doesn't answer: after 25 s. Nobody
// sends on it, so nothing else would show it.
func dead() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second,
		Count: 3}
}

// Dialer makes connections of one line ahead of the time when they are needed, on a node that isn't
// the active one.
type Dialer struct {
	name    string
	config  LinkConfig
	secrets *secrets
	framing framing
	terms   envelope.Terms // of the center, as far as this node has heard
	dial    func(ctx context.Context, address string) (net.Conn, error)
	backoff *backoff
}

// NewDialer reads the TLS files of a line, if it has any. Dial nil is TCP; seed 0 draws one.
func NewDialer(center string, config LinkConfig, seed uint64,
	dial func(ctx context.Context, address string) (net.Conn, error)) (*Dialer, error) {
	config.complete()
	d := &Dialer{name: center + "/" + config.Name, config: config, dial: dial}
	if d.dial == nil {
		d.dial = dialTCP
	}
	d.backoff = newBackoff(config.Redial, seed, d.name)
	var err error
	if d.framing, err = config.framing(); err != nil || config.TLS == nil {
		return d, err
	}
	d.secrets, err = config.TLS.load(config.Dial)
	return d, err
}

// Name is "center/link".
func (d *Dialer) Name() string { return d.name }

// Address is the one dialled.
func (d *Dialer) Address() string { return d.config.Dial }

// Same tells whether both make the same connections.
func (d *Dialer) Same(o *Dialer) bool {
	return d.name == o.name && transport(&d.config, d.secrets) == transport(&o.config, o.secrets)
}

// transport is all by which a connection differs from another one when it is taken over.
func transport(config *LinkConfig, s *secrets) string {
	is := config.Dial
	if s != nil {
		is += s.print
	}
	if config.Greeting != nil {
		is += fmt.Sprintf("|%+v|%d|%s|%s", config.Framing, config.MaxFrame, config.Envelope.print(),
			config.Greeting.Print())
	}
	return is
}

// Wait is the time until the next dial, after a connection that stood that long: the line's.
func (d *Dialer) Wait(stood time.Duration) time.Duration { return d.backoff.wait(stood) }

// Dial connects and agrees on TLS if the line has it. Then it signs on, where the line has a
// greeting; else TLS is all that is sent, and it reads ahead from then on.
func (d *Dialer) Dial(ctx context.Context) (*Idle, error) {
	trying, cancel := context.WithTimeout(ctx, d.config.ConnectTimeout)
	defer cancel()
	raw, err := d.dial(trying, d.config.Dial)
	if err != nil {
		return nil, err
	}
	c := &Idle{name: d.name, transport: transport(&d.config, d.secrets), secure: d.secrets != nil,
		since: time.Now(), ended: make(chan struct{})}
	if k, ok := raw.(interface {
		SetKeepAliveConfig(net.KeepAliveConfig) error
	}); ok {
		_ = k.SetKeepAliveConfig(dead()) // a system that can't notices at the first use
	}
	c.socket = &socket{Conn: raw, fence: &c.fence}
	if c.conn, err = agree(trying, c.socket, d.secrets); err != nil {
		return nil, err
	}
	if d.config.Greeting != nil {
		c.greeted = d.greeted(c.conn)
		err := d.shake(trying, c)
		if err == nil {
			err = c.signOn(trying)
		}
		if err != nil {
			c.Close()
			return nil, err
		}
		tending, hush := context.WithCancel(context.Background())
		c.hush = hush
		go c.tend(tending)
		return c, nil
	}
	// From here on nothing leaves: neither a message nor what TLS would say by itself.
	c.fence.told.Store(true)
	c.fence.shut.Store(true)
	go c.watch()
	return c, nil
}

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// agree is TLS over a connection just dialled, or the connection itself where there is none.
func agree(trying context.Context, s *socket, secrets *secrets) (net.Conn, error) {
	if secrets == nil {
		return s, nil
	}
	conn := tls.Client(s, secrets.client)
	err := conn.HandshakeContext(trying)
	if err == nil {
		return conn, nil
	}
	s.Conn.Close()
	if errors.Is(err, WrongName) {
		return nil, err
	}
	return nil, because(HandshakeFail, err)
}

// Idle is a connection of a line that nobody has used yet. Nothing leaves on it, and what comes is
// kept for whoever will use it; one with a greeting is signed on and stays it.
type Idle struct {
	name, transport string
	secure          bool
	since           time.Time
	conn            net.Conn // TLS, or the socket
	socket          *socket
	fence           fence
	greeted         *greeted // nil: nothing is said
	hush            func()   // ends what is about to be said
	waking          sync.Mutex
	releasing       atomic.Bool
	used            bool          // by a line
	ended           chan struct{} // when it is watched no longer
	err             error         // why it ended by itself; set before ended is closed
}

// Name is the line's, "center/link".
func (c *Idle) Name() string { return c.name }

// Since is when it was dialled.
func (c *Idle) Since() time.Time { return c.since }

// Ended is closed when it has ended, or is released.
func (c *Idle) Ended() <-chan struct{} { return c.ended }

// Err says why it ended by itself; nil if it didn't. Valid once Ended is closed.
func (c *Idle) Err() error { return c.err }

// SignedOn tells whether the center has taken it for signed on.
func (c *Idle) SignedOn() bool { return c.greeted != nil }

// tend keeps it signed on until the connection ends, or is released.
func (c *Idle) tend(ctx context.Context) {
	defer close(c.ended)
	defer c.hush()
	c.err = c.attend(ctx)
	if c.releasing.Load() && errors.Is(c.err, context.Canceled) {
		c.err = nil
	}
	if c.err != nil {
		c.part(c.err)
		c.Close()
	}
}

// watch reads ahead until the connection ends, or is released.
func (c *Idle) watch() {
	defer close(c.ended)
	buf := make([]byte, 4096)
	for {
		n, err := c.socket.Conn.Read(buf)
		c.socket.early = append(c.socket.early, buf[:n]...)
		switch {
		case len(c.socket.early) > earlyBytes:
			c.err = fmt.Errorf("%w: it goes on sending, and nobody serves it yet", TooLong)
		case err == nil:
			continue
		case c.releasing.Load() && errors.Is(err, os.ErrDeadlineExceeded):
			return
		default:
			c.err = c.why(err)
		}
		c.Close()
		return
	}
}

// why is the reason of an end: with TLS the peer may have said it, as that our certificate isn't
// one that it takes.
func (c *Idle) why(err error) error {
	if c.secure {
		_ = c.socket.SetReadDeadline(time.Now().Add(lastWords))
		if _, said := c.conn.Read(make([]byte, 1)); said != nil {
			err = said
		}
	}
	return readCause(err)
}

// Release ends the watch, and tells whether the connection still stands: it belongs to the caller
// then, with what it has received.
func (c *Idle) Release() bool {
	c.waking.Lock()
	c.releasing.Store(true)
	_ = c.socket.SetDeadline(time.Unix(1, 0)) // wakes who reads or writes
	c.waking.Unlock()
	if c.hush != nil {
		c.hush()
	}
	<-c.ended
	if c.err != nil {
		return false
	}
	return c.socket.SetDeadline(time.Time{}) == nil
}

// Close ends it, in order: there is nothing to be lost. It may be called any time, and again.
func (c *Idle) Close() { _ = c.socket.Conn.Close() }

// fits finds the connection that this line would have made.
func (n *Line) fits(ready []*Idle) *Idle {
	is := transport(&n.config, n.secrets)
	for _, c := range ready {
		if c.name == n.fullName() && c.transport == is {
			c.used = true
			return c
		}
	}
	return nil
}

// use makes the connection one of a network: what leaves from now on asks that one's fence.
func (c *Idle) use(n *Network) *socket {
	if k, ok := c.socket.Conn.(interface {
		SetKeepAliveConfig(net.KeepAliveConfig) error
	}); ok {
		_ = k.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true}) // as one just dialled has it
	}
	c.socket.behind(&n.fence)
	return c.socket
}

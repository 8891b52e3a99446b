package link

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/spec"
)

// Line is one configured link of a center; its connections are Links.
type Line struct {
	center  *Center
	config  LinkConfig
	dialect *spec.Dialect
	framing framing
	secrets *secrets  // nil: plain
	sealed  *Envelope // nil: messages travel as they are
	print   string    // lines with equal prints are the same
	port    *port     // where it listens; this and dialing under the network's mutex
	dialing bool

	held      atomic.Bool // drained by an operator
	removed   atomic.Bool // no longer configured
	signedOff atomic.Bool // by an operator: we don't sign on
	resumed   chan struct{}
	hangUp    context.CancelFunc // ends the dialer

	limit  atomic.Int64 // requests in flight that a slow start allows
	good   atomic.Uint64
	health health // under the center's mutex

	connects, dialFailures atomic.Uint64
	ends                   tally
	totals                 counters // of connections that have ended

	mu        sync.Mutex
	lastError string
	lastDown  time.Time
}

func newLine(c *Center, config *CenterConfig, own *LinkConfig) (*Line, error) {
	n := &Line{center: c, config: *own, dialect: config.Dialect, resumed: make(chan struct{}, 1)}
	n.limit.Store(unlimited)
	n.health.born = c.network.now()
	n.hangUp = func() {}
	var err error
	if n.framing, err = own.framing(); err != nil {
		return nil, err
	}
	plain := *own
	plain.TLS, plain.Envelope, plain.Greeting = nil, nil, nil
	n.print = fmt.Sprintf("%+v|%x|%v|%s", plain, config.Dialect.Fingerprint(), config.Identities,
		own.Envelope.print())
	n.sealed = own.Envelope
	if own.TLS == nil {
		return n, nil
	}
	if n.secrets, err = own.TLS.load(own.Dial); err != nil {
		return nil, err
	}
	n.print += n.secrets.print
	return n, nil
}

// ID is the registry's number of the line.
func (n *Line) ID() uint16 { return n.config.ID }

// Name is the configured one, unique in its center.
func (n *Line) Name() string { return n.config.Name }

// Order is 0 for the primary, 1 for the standby, 2 for the DR line.
func (n *Line) Order() int { return n.config.Order }

// Center is whose line it is.
func (n *Line) Center() *Center { return n.center }

// address tells ports apart: port 0 is another one for each line.
func (n *Line) address() string {
	if strings.HasSuffix(n.config.Listen, ":0") {
		return n.config.Listen + " for " + n.center.name + "/" + n.config.Name
	}
	return n.config.Listen
}

// Links are its live connections.
func (n *Line) Links() []*Link {
	var out []*Link
	for _, l := range n.center.Links() {
		if l.line == n {
			out = append(out, l)
		}
	}
	return out
}

// Addr is where it listens, nil if it dials or the network hasn't started.
func (n *Line) Addr() net.Addr {
	n.center.network.mu.Lock()
	defer n.center.network.mu.Unlock()
	if n.port == nil {
		return nil
	}
	return n.port.listener.Addr()
}

// Drain ends its connections in order and lets no new one in until Resume.
func (n *Line) Drain() { n.shut(&n.held) }

// shut sets why the line takes nothing new, and drains what it has. Under the mutex of Center.add,
// so that no connection slips in between.
func (n *Line) shut(why *atomic.Bool) {
	n.center.mu.Lock()
	why.Store(true)
	n.center.mu.Unlock()
	for _, l := range n.Links() {
		l.Drain()
	}
}

// Cut ends its connections at once, whatever is in flight, and lets no new one in until Resume.
func (n *Line) Cut() {
	n.center.mu.Lock()
	n.held.Store(true)
	n.center.mu.Unlock()
	for _, l := range n.Links() {
		l.fail(Cut)
	}
}

// Resume lets connections in again, or dials.
func (n *Line) Resume() {
	n.held.Store(false)
	n.center.mu.Lock()
	n.health.forgive(n.center.network.now())
	n.center.mu.Unlock()
	select {
	case n.resumed <- struct{}{}:
	default:
	}
}

// Ask makes Due return this duty once for each of its links, by an operator's wish. After a
// SendSignOff it stays signed off until a SendSignOn.
func (n *Line) Ask(duty Duty) []Asked {
	switch duty {
	case SendSignOn:
		n.signedOff.Store(false)
	case SendSignOff:
		n.signedOff.Store(true)
	}
	var asked []Asked
	for _, l := range n.Links() {
		asked = append(asked, l.ask(duty))
	}
	return asked
}

// Forget takes any term of the center as its first again, on all its lines.
func (n *Line) Forget() { n.center.terms.Forget() }

// retire takes the line out: no new connections, those there are drained.
func (n *Line) retire() {
	n.hangUp()
	n.shut(&n.removed)
}

func (n *Line) logger() *slog.Logger {
	return n.center.network.logger.With("center", n.center.name, "link", n.config.Name)
}

func (l *Link) logger() *slog.Logger { return l.line.logger().With("connection", l.number) }

// serve takes the connection in and is its life.
func (n *Line) serve(l *Link) error {
	if err := n.center.add(l); err != nil {
		n.ends[causeOf(err)].Add(1)
		l.socket.Close()
		return err
	}
	n.connects.Add(1)
	n.center.endOlder()
	l.logger().Info("link up", "remote", l.socket.RemoteAddr().String(), "tls", n.secrets != nil,
		"envelope", l.envelopeText())
	l.run()
	return nil
}

// ended notes why a connection ended.
func (n *Line) ended(l *Link) {
	cause := causeOf(l.cause)
	n.ends[cause].Add(1)
	n.note(l.cause)
	l.logger().Info("link down", "cause", l.cause.Error(), "stood", time.Since(l.since).String(),
		"in_flight", l.InFlight())
}

// remove forgets a connection whose Handler.Down has returned.
func (n *Line) remove(l *Link) {
	n.center.remove(l)
	n.center.network.removed()
}

// note keeps the last error for the operators.
func (n *Line) note(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lastError, n.lastDown = err.Error(), time.Now()
}

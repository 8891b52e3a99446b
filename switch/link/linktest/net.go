// Package linktest is a network in memory, for tests on the virtual clock of a bubble.
//
// It has listeners, dialers and connections with buffers, deadlines, delay and failures.
//
// A connection behaves as TCP does where it matters here: writes go into a bounded buffer and block
// when it is full, a close lets the other side read what was sent, a cut loses it.
package linktest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Net is a network of its own. The zero value is not usable: see New.
type Net struct {
	mu        sync.Mutex
	listeners map[string]*listener
	next      uint16 // port numbers given out
	buffer    int
	shape     func(local, remote string, c *Conn)
}

// New is an empty network whose connections buffer that many bytes each way.
func New(buffer int) *Net {
	return &Net{listeners: map[string]*listener{}, next: 40000, buffer: buffer}
}

// Shape has f called with the dialer's end of each new connection, to set delays or cuts on it.
func (n *Net) Shape(f func(local, remote string, c *Conn)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.shape = f
}

// Listen listens on host:port; port 0 draws one.
func (n *Net) Listen(address string) (net.Listener, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if at.Port() == 0 {
		n.next++
		at = netip.AddrPortFrom(at.Addr(), n.next)
	}
	if n.listeners[at.String()] != nil {
		return nil, fmt.Errorf("listen %s: address already in use", at)
	}
	l := &listener{net: n, at: at, backlog: make(chan *Conn, 1024), closed: make(chan struct{})}
	n.listeners[at.String()] = l
	return l, nil
}

// Dial connects from 127.0.0.1.
func (n *Net) Dial(ctx context.Context, address string) (net.Conn, error) {
	return n.DialFrom(ctx, "127.0.0.1", address)
}

// DialFrom connects from that host. Without a listener the connection is refused.
func (n *Net) DialFrom(ctx context.Context, host, address string) (net.Conn, error) {
	from, err := netip.ParseAddr(host)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n.mu.Lock()
	l := n.listeners[address]
	n.next++
	local := netip.AddrPortFrom(from, n.next)
	shape := n.shape
	n.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("dial %s: connection refused", address)
	}
	mine, theirs := pipe(n.buffer, local, l.at)
	if shape != nil {
		shape(local.String(), address, mine)
	}
	select {
	case l.backlog <- theirs:
		return mine, nil
	case <-l.closed:
		return nil, fmt.Errorf("dial %s: connection refused", address)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Pipe is one connection without a listener, buffering that many bytes each way.
func Pipe(buffer int) (a, b *Conn) {
	return pipe(buffer, netip.MustParseAddrPort("127.0.0.1:1"),
		netip.MustParseAddrPort("127.0.0.1:2"))
}

func pipe(buffer int, a, b netip.AddrPort) (*Conn, *Conn) {
	there, back := newHalf(buffer), newHalf(buffer)
	return &Conn{in: back, out: there, local: a, remote: b},
		&Conn{in: there, out: back, local: b, remote: a}
}

type listener struct {
	net     *Net
	at      netip.AddrPort
	backlog chan *Conn
	once    sync.Once
	closed  chan struct{}
}

func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.at) }

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	case c := <-l.backlog:
		return c, nil
	}
}

// Close refuses new connections, and cuts those nobody accepted.
func (l *listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		err = nil
		l.net.mu.Lock()
		delete(l.net.listeners, l.at.String())
		l.net.mu.Unlock()
		close(l.closed)
		for {
			select {
			case c := <-l.backlog:
				c.Cut()
				continue
			default:
			}
			break
		}
	})
	return err
}

// ErrCut is what both ends see after a Cut.
var ErrCut = errors.New("connection reset by peer")

// Conn is one end of a connection.
type Conn struct {
	in, out       *half
	local, remote netip.AddrPort
	resets        atomic.Bool
}

func (c *Conn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c *Conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

func (c *Conn) Read(b []byte) (int, error)  { return c.in.read(b) }
func (c *Conn) Write(b []byte) (int, error) { return c.out.write(b) }

// Close ends both directions; the other end can still read what was sent, unless it was sending
// itself: then it is cut, as TCP resets a connection with unread bytes.
func (c *Conn) Close() error {
	if c.resets.Load() {
		c.Cut()
	}
	if c.in.abandon() {
		c.out.cut()
	}
	return c.out.finish(true)
}

// SetLinger with 0 seconds makes Close a Cut, as TCP's does; others change nothing.
func (c *Conn) SetLinger(seconds int) error {
	c.resets.Store(seconds == 0)
	return nil
}

// CloseWrite ends what this end sends.
func (c *Conn) CloseWrite() error { return c.out.finish(false) }

// Cut breaks the connection for both ends at once; bytes on their way are lost.
func (c *Conn) Cut() {
	c.in.cut()
	c.out.cut()
}

// CutAfter lets n more bytes out of this end, then cuts both directions in the middle of a write.
func (c *Conn) CutAfter(n int) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.left, c.out.fuse = n, c.Cut
}

// Delay makes what this end sends arrive later: f is asked for each write. Order is kept.
func (c *Conn) Delay(f func(bytes int) time.Duration) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.delay = f
}

func (c *Conn) SetDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readBy, t)
	c.out.setDeadline(&c.out.writeBy, t)
	return nil
}

func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readBy, t)
	return nil
}

func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writeBy, t)
	return nil
}

package world

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"cardswitch/switch/link/linktest"
)

// network is the cables between the parties. A cable is named by the address that is listened on,
// and outlives the connections over it.
type network struct {
	clock  *clock
	net    *linktest.Net
	cables map[string]*cable // by address; all are there from the start
	order  []*cable
}

// cable is one line between a center and the switch.
type cable struct {
	network *network
	name    string
	line    string // of the center
	listens bool   // the node does
	at      string
	latency time.Duration
	ways    [2]*way // 0: from who dials to who listens

	mu    sync.Mutex
	ends  []*end // of connections that may stand
	until time.Time
}

// way is one direction of a cable.
type way struct {
	class class
	draws drawer
	until time.Time // nothing arrives before
	wrote time.Time // the last write, and when it arrives
	comes time.Time
}

func newNetwork(c *clock, room int) *network {
	return &network{clock: c, net: linktest.New(room), cables: map[string]*cable{}}
}

// lay lays a cable to an address.
func (n *network) lay(name, line, at string, latency time.Duration, seed uint64) *cable {
	k := ofWires + class(2*len(n.order))
	w := &cable{network: n, name: name, line: line, at: at, latency: latency}
	for i := range w.ways {
		w.ways[i] = &way{class: k + class(i), draws: drawer{seed, uint64(k) + uint64(i)}}
	}
	n.cables[at] = w
	n.order = append(n.order, w)
	return w
}

var errUnreachable = errors.New("no route to host")

// dial connects to an address over its cable. It takes as long as a message there and one back.
func (n *network) dial(ctx context.Context, at string) (net.Conn, error) {
	w := n.cables[at]
	select {
	case <-time.After(n.clock.in(w.ways[1].class, 2*w.latency)):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w.mu.Lock()
	now := time.Now()
	away := now.Before(w.until) || now.Before(w.ways[0].until) || now.Before(w.ways[1].until)
	w.mu.Unlock()
	if away {
		return nil, errUnreachable
	}
	conn, err := n.net.Dial(ctx, at)
	if err != nil {
		return nil, err
	}
	return w.attach(conn.(*linktest.Conn), 0), nil
}

// listen listens at the end of a cable.
func (n *network) listen(at string) (net.Listener, error) {
	l, err := n.net.Listen(at)
	if err != nil {
		return nil, err
	}
	return &listener{l, n.cables[at]}, nil
}

type listener struct {
	net.Listener
	cable *cable
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.cable.attach(conn.(*linktest.Conn), 1), nil
}

// endsKept is how many ends of a cable are known: of the connection that stands, and of one before
// that one side may still believe in.
const endsKept = 4

// attach lets a connection run over the cable. side is that of the end: 0 dialed.
func (w *cable) attach(conn *linktest.Conn, side int) *end {
	e := &end{Conn: conn, cable: w, left: -1}
	way := w.ways[side]
	conn.Delay(func(int) time.Duration {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.delay(way)
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends = append(w.ends[max(0, len(w.ends)-endsKept):], e)
	return e
}

// delay is how long what is written now takes. What is written at one instant arrives at one
// instant, in however many writes: that depends on who of several goroutines runs first.
func (w *cable) delay(y *way) time.Duration {
	now := time.Now()
	if !now.Equal(y.wrote) {
		d := w.latency/2 + time.Duration(y.draws.at(now).Int64N(int64(w.latency)))
		d = max(d, time.Until(w.until), time.Until(y.until), time.Until(y.comes))
		y.wrote, y.comes = now, now.Add(w.network.clock.in(y.class, d))
	}
	return y.comes.Sub(now)
}

// cut breaks what runs over the cable. What is on its way is lost.
func (w *cable) cut() {
	w.mu.Lock()
	ends := w.ends
	w.ends = nil
	w.mu.Unlock()
	for _, e := range ends {
		e.Conn.Cut()
	}
}

// tear lets so many more bytes through from side, swallows what follows, and cuts when they have
// arrived: the other side has half a message then.
func (w *cable) tear(side, bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.ends {
		if e.side() == side {
			e.left = bytes
		}
	}
}

// stall lets nothing arrive for a while, and nobody connect.
func (w *cable) stall(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = time.Now().Add(d)
}

// heal ends a stall; what waits comes when it was to come.
func (w *cable) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until, w.ways[0].until, w.ways[1].until = time.Time{}, time.Time{}, time.Time{}
}

// end is one end of a connection.
type end struct {
	*linktest.Conn
	cable *cable
	left  int  // bytes that still get out; negative: all
	torn  bool // the end is near
	mute  bool
	of    *pausing        // of the process whose end it is; nil: of a center
	speak func(late bool) // called before bytes leave, late from a pause; nil: nobody asks
	hear  func()          // and when some have come
}

// Read notes what comes.
func (e *end) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	if e.of != nil {
		e.of.pass(ofReads)
	}
	if n > 0 && e.hear != nil {
		e.hear()
	}
	return n, err
}

func (e *end) side() int {
	if e.Conn.RemoteAddr().String() == e.cable.at {
		return 0
	}
	return 1
}

// Write gives what it may to the cable; what it may not is gone all the same, as far as the writer
// knows.
func (e *end) Write(b []byte) (int, error) {
	w := e.cable
	late := e.of != nil && e.of.pass(ofWrites)
	if late { // it is in the system call already, that asks for no deadline
		_ = e.SetWriteDeadline(time.Time{})
	}
	w.mu.Lock()
	out := b
	if e.mute {
		out = nil
	}
	if e.left >= 0 {
		out = out[:min(len(out), e.left)]
		e.left -= len(out)
		if e.left == 0 && !e.torn {
			e.torn = true
			time.AfterFunc(w.network.clock.in(ofWorld, 2*w.latency+time.Millisecond), e.Conn.Cut)
		}
	}
	w.mu.Unlock()
	if len(out) == 0 {
		return len(b), nil
	}
	if e.speak != nil {
		e.speak(late)
	}
	if _, err := e.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close waits while the process is paused, and holds up nobody.
func (e *end) Close() error {
	if e.of == nil {
		return e.Conn.Close()
	}
	return e.of.later(e.Conn.Close)
}

// CloseWrite does as well.
func (e *end) CloseWrite() error {
	if e.of == nil {
		return e.Conn.CloseWrite()
	}
	return e.of.later(e.Conn.CloseWrite)
}

// silence makes one end of each connection over the cable mute: what it writes reaches nobody.
func (w *cable) silence(side int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.ends {
		if e.side() == side {
			e.mute = true
		}
	}
}

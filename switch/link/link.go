package link

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// State is how far a link's session is.
type State uint32

// The states of a link.
const (
	Down     State = iota
	Up             // connected, not signed on
	SignedOn       // ready for requests
	Draining       // no new requests; it ends when those in flight are answered
)

// String is the state as operators read it.
func (s State) String() string {
	switch s {
	case Up:
		return "up"
	case SignedOn:
		return "signed-on"
	case Draining:
		return "draining"
	}
	return "down"
}

// Link is one live connection.
type Link struct {
	// Data is the handler's own. It may be set in Handler.Up and read in later calls.
	Data any

	line   *Line
	number uint64
	conn   net.Conn // what is read and written: TLS or the socket
	socket *socket  // what is closed
	since  time.Time

	sealed *sealed // nil: messages travel as they are
	words  *Words  // nil: nothing was said before the node became the active one

	// Of the reader.
	stream *stream
	batch  []Inbound
	readBy time.Duration // the read deadline, since the network's epoch

	// Of the writer.
	outbox  outbox
	writeBy time.Duration
	written chan struct{} // closed when the writer has ended

	session  session
	signedOn atomic.Bool
	draining atomic.Bool
	closing  atomic.Bool // nothing more is taken in or queued; what waits is still written
	dead     atomic.Bool
	end      sync.Once
	cause    error // why it ended; set before dead

	inFlight  atomic.Int64
	congested atomic.Bool  // its queue was full, and half of it still is
	misses    atomic.Int32 // echoes in a row without answer
	received  atomic.Int64 // nanoseconds since the network's epoch
	sent      atomic.Int64
	counters  counters
}

func newLink(line *Line, socket *socket, conn net.Conn, stream *stream, sealed *sealed) *Link {
	n := line.center.network
	l := &Link{
		line:    line,
		number:  n.connections.Add(1),
		conn:    conn,
		socket:  socket,
		since:   time.Now(),
		stream:  stream,
		sealed:  sealed,
		written: make(chan struct{}),
	}
	stream.framing = &line.framing
	l.outbox.wake = make(chan struct{}, 1)
	l.outbox.limit = line.config.QueueBytes
	now := n.now()
	l.received.Store(int64(now))
	l.sent.Store(int64(now))
	l.armRead(now)
	return l
}

// ID is the registry's number of the line.
func (l *Link) ID() uint16 { return l.line.config.ID }

// Number counts connections since the start: no two links have the same.
func (l *Link) Number() uint64 { return l.number }

// Name is the line's.
func (l *Link) Name() string { return l.line.config.Name }

// Remote is the address at the other end.
func (l *Link) Remote() string { return l.socket.RemoteAddr().String() }

// From is the same, for who passes the connection on.
func (l *Link) From() net.Addr { return l.socket.RemoteAddr() }

// Order is the line's: 0 primary, 1 standby, 2 DR.
func (l *Link) Order() int { return l.line.config.Order }

// Line is the configured link that this is a connection of.
func (l *Link) Line() *Line { return l.line }

// Center is whose connection this is.
func (l *Link) Center() *Center { return l.line.center }

// State is how far its session is.
func (l *Link) State() State {
	switch {
	case l.dead.Load():
		return Down
	case l.draining.Load(), l.closing.Load():
		return Draining
	case l.signedOn.Load():
		return SignedOn
	}
	return Up
}

// InFlight is how many requests Acquire counted.
func (l *Link) InFlight() int { return int(l.inFlight.Load()) }

// LastReceived is when bytes last came.
func (l *Link) LastReceived() time.Time { return l.at(&l.received) }

// LastSent is when bytes last went.
func (l *Link) LastSent() time.Time { return l.at(&l.sent) }

func (l *Link) at(of *atomic.Int64) time.Time {
	return l.line.center.network.epoch.Add(time.Duration(of.Load()))
}

// Words are how this node has signed on over the connection when it wasn't the active one; nil if
// it hasn't.
func (l *Link) Words() *Words { return l.words }

// Acquire counts a request in flight on this link and its center. It is false, and nothing is
// counted, if the center's window, or the part of it that a slow start allows, is full.
func (l *Link) Acquire() bool {
	c := l.line.center
	if c.inFlight.Add(1) > c.window.Load() {
		c.inFlight.Add(-1)
		return false
	}
	if l.inFlight.Add(1) > l.line.limit.Load() {
		l.Release()
		return false
	}
	return true
}

// Release is told once for each Acquire, whatever became of the request, on a dead link too.
func (l *Link) Release() {
	l.inFlight.Add(-1)
	l.line.center.inFlight.Add(-1)
}

// Drain lets no new requests in. When those in flight are answered, Due signs off and ends it.
func (l *Link) Drain() {
	if l.draining.Swap(true) {
		return
	}
	l.line.center.rank()
	limit := l.line.config.DrainTimeout
	time.AfterFunc(limit, func() { l.Close(DrainTooLong) })
}

// Close takes nothing more in, writes what waits, then ends the connection.
func (l *Link) Close(cause error) {
	if l.closing.Swap(true) {
		return
	}
	l.end.Do(func() { l.cause = cause })
	l.outbox.refuse()
	l.line.center.rank()
}

// fail ends the connection at once.
func (l *Link) fail(cause error) {
	l.end.Do(func() { l.cause = cause })
	if l.dead.Swap(true) {
		return
	}
	l.outbox.refuse()
	l.socket.Close()
	l.line.center.rank()
}

// Package wire is one connection of a simulator, on moov's iso8583-connection.
//
// Only the part of that library which survives a hostile peer is used: NewFrom with a net.Conn
// of our own that sets the write deadline, a message reader of our own that frames, decodes and
// dispatches in order and hands nothing back, and Connection.Write with whole frames. Its Send,
// Reply, Pool and server hang, reorder or crash on the money path.
package wire

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moov-io/iso8583"
	connection "github.com/moov-io/iso8583-connection"

	"cardswitch/conformance/format"
)

// Options say how a connection reads and writes. The handlers run in the reader, in order:
// a slow one holds its peer back.
type Options struct {
	Format       *format.Format
	Framing      Framing
	WriteTimeout time.Duration // default 5 s
	Envelope     *Envelope     // nil: messages travel in clear
	Guard        Guard         // nil: messages have no code, and no keys are named
	Dialed       bool          // this end dialled; an envelope begins with that one
	Patient      bool          // who dialled may say nothing for as long as it likes
	Received     func(c *Conn, m *format.Message)
	Unreadable   func(c *Conn, message []byte, err error)
	Refused      func(c *Conn, err error) // an envelope was, by us or by the peer
	Closed       func(c *Conn)
}

// Guard packs a message with what protects it, and checks one that came (package protect).
type Guard interface {
	Pack(m *format.Message) ([]byte, error)
	Check(raw []byte, m *format.Message) error
}

// Conn is one connection with a peer.
type Conn struct {
	options Options
	framer  framer
	socket  *socket
	cover   *cover // nil: messages travel in clear
	moov    *connection.Connection
	ready   chan struct{}
	tpdu    atomic.Pointer[[]byte]
}

// Open takes over an established connection.
func Open(nc net.Conn, o Options) (*Conn, error) {
	framer, err := o.Framing.compile()
	if err != nil {
		nc.Close()
		return nil, err
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 5 * time.Second
	}
	c := &Conn{
		options: o,
		framer:  framer,
		socket:  &socket{Conn: nc, timeout: o.WriteTimeout},
		ready:   make(chan struct{}),
	}
	if o.Envelope != nil {
		if c.cover, err = o.Envelope.begin(o.Dialed, o.Patient, c.Close); err != nil {
			nc.Close()
			return nil, err
		}
		if !o.Patient {
			_ = nc.SetReadDeadline(time.Now().Add(handshakeTime)) // a dead one shows at the first read
		}
	}
	c.moov, err = connection.NewFrom(c.socket, o.Format.Spec(), nil, nil,
		connection.SetMessageReader(c),
		connection.ConnectionClosedHandler(func(*connection.Connection) { c.closed() }))
	if err != nil {
		nc.Close()
		return nil, err
	}
	if c.cover != nil {
		o.Envelope.opened(c)
	}
	close(c.ready)
	return c, nil
}

// ReadMessage is moov's hook: it reads one frame, dispatches it, and leaves moov nothing to do.
func (c *Conn) ReadMessage(r io.Reader) (*iso8583.Message, error) {
	<-c.ready
	message, tpdu, err := c.next(r)
	if err != nil {
		return nil, err
	}
	if tpdu != nil {
		c.tpdu.Store(&tpdu)
	}
	m, err := c.options.Format.Unpack(message)
	if err == nil && c.options.Guard != nil {
		err = c.options.Guard.Check(message, m)
	}
	switch {
	case err == nil && c.options.Received != nil:
		c.options.Received(c, m)
	case err != nil && c.options.Unreadable != nil:
		c.options.Unreadable(c, message, err)
	}
	return nil, nil
}

func (c *Conn) next(r io.Reader) (message, tpdu []byte, err error) {
	if c.cover == nil {
		return c.framer.next(r)
	}
	body, err := c.uncover(r)
	if err != nil {
		return nil, nil, err
	}
	return c.framer.split(body)
}

// Send writes one message.
func (c *Conn) Send(m *format.Message) error {
	pack := c.options.Format.Pack
	if c.options.Guard != nil {
		pack = c.options.Guard.Pack
	}
	b, err := pack(m)
	if err != nil {
		return err
	}
	return c.SendBytes(b)
}

// SendBytes writes these bytes as one message, whatever they are.
func (c *Conn) SendBytes(message []byte) error {
	var tpdu []byte
	if p := c.tpdu.Load(); p != nil {
		tpdu = *p
	}
	if c.cover != nil {
		return c.sendCovered(c.framer.headed(message, tpdu))
	}
	return c.SendFrame(c.framer.frame(message, tpdu))
}

// SendFrame writes bytes with no length of ours in front, and no envelope around them, to break
// the framing itself.
func (c *Conn) SendFrame(b []byte) error {
	n, err := c.moov.Write(b)
	if err == nil && n != len(b) {
		return io.ErrShortWrite
	}
	return err
}

// Close ends the connection in order.
func (c *Conn) Close() {
	c.sayClosed()
	c.moov.Close()
}

// Cut ends the connection with a reset, the way a dying machine or a firewall does.
func (c *Conn) Cut() {
	if tcp, ok := c.socket.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.socket.Close()
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.moov.Done() }

// Peer is the other end's address.
func (c *Conn) Peer() string { return c.socket.RemoteAddr().String() }

func (c *Conn) closed() {
	if c.cover != nil {
		<-c.ready // or it would be noted afterwards
		c.options.Envelope.closed(c)
	}
	if c.options.Closed != nil {
		c.options.Closed(c)
	}
}

// ErrClosed is what Send returns on a connection that has ended.
var ErrClosed = connection.ErrConnectionClosed

// Unsent reports whether the error proves that not one byte of the message left.
func Unsent(err error) bool { return errors.Is(err, ErrClosed) }

// socket gives every write a deadline, which moov doesn't.
type socket struct {
	net.Conn
	timeout time.Duration
	once    sync.Once
	err     error
}

func (s *socket) Write(b []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return 0, err
	}
	return s.Conn.Write(b)
}

// Close is safe to call twice: Cut closes, and then moov does.
func (s *socket) Close() error {
	s.once.Do(func() { s.err = s.Conn.Close() })
	return s.err
}

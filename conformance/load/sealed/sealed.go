// Package sealed puts the connections of a load test into envelopes, at little cost.
//
// Around a connection it is one again: what is written are whole messages with a two-byte length,
// as many as the caller likes at once, and what is read are such messages. Between, each travels as
// an envelope of its own. It uses the switch's own package envelope, which the simulators don't:
// here a second implementation would only be measured beside the first.
package sealed

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"cardswitch/conformance/load/wire"
	"cardswitch/hsm/envelope"
	"cardswitch/hsm/mac"
)

// Secret is what the link keys of one run are made of.
type Secret []byte

// Key is a generation of the key of a link, named "center/link": 32 bytes.
func (s Secret) Key(link string, generation uint16) []byte {
	h := hmac.New(sha256.New, s)
	fmt.Fprintf(h, "%s %d", link, generation)
	return h.Sum(nil)
}

// bufferSize holds several hundred messages, the most that one read or write may carry.
const bufferSize = 256 << 10

// handshakeTime bounds the handshake.
const handshakeTime = 10 * time.Second

// prf is AES-CMAC under a link key.
type prf struct {
	mu  sync.Mutex
	mac *mac.Mac
}

func (p *prf) PRF(message []byte) (out [16]byte, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mac.Sum(out[:0], message)
	return out, nil
}

// End is one side of links, with the keys and the connections that it has.
type End struct {
	// Fault says what goes wrong with the n-th key that the switch brings, from 1; nil: nothing.
	Fault func(n int) KeyFault
	// Terms are those of the switch, if it is a cluster: one of an earlier term is refused. nil: they
	// aren't heeded.
	Terms *envelope.Terms

	secret  Secret
	brought int
	mu      sync.Mutex
	keys    map[string][]envelope.Key // by link, the oldest first
	conns   map[string]map[*Conn]bool
}

// NewEnd is an end that has the first generation of every key.
func NewEnd(secret Secret) *End {
	return &End{secret: secret, keys: map[string][]envelope.Key{},
		conns: map[string]map[*Conn]bool{}}
}

// known gives all generations of a link's key. Called with mu held.
func (e *End) known(link string) []envelope.Key {
	if e.keys[link] == nil {
		m, err := mac.New(mac.Spec{Algorithm: mac.AESCMAC, Size: 16}, e.secret.Key(link, 1))
		if err != nil {
			panic(err) // a hash has the size of a key
		}
		e.keys[link] = []envelope.Key{{Generation: 1, PRF: &prf{mac: m}}}
	}
	return e.keys[link]
}

func (e *End) key(link string, generation uint16) (envelope.Key, envelope.Policy, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, k := range e.known(link) {
		if k.Generation == generation {
			return k, envelope.Policy{Terms: e.Terms}, true
		}
	}
	return envelope.Key{}, envelope.Policy{}, false
}

// install makes a key known to all connections of a link, those to come included.
func (e *End) install(link string, k envelope.Key) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keys[link] = append(e.known(link), k)
	for c := range e.conns[link] {
		if err := c.session.Install(k.Generation, k.PRF); err != nil {
			return err
		}
	}
	return nil
}

// use lets all connections of a link send under a key that was installed.
func (e *End) use(link string, generation uint16) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for c := range e.conns[link] {
		if err := c.session.Switch(generation); err != nil {
			return err
		}
	}
	return nil
}

// begin takes a connection in, which learns of the keys that came while it was made.
func (e *End) begin(c *Conn) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	link := c.session.Link()
	at, _ := c.session.Positions()
	for _, k := range e.known(link) {
		if k.Generation > at.Generation {
			if err := c.session.Install(k.Generation, k.PRF); err != nil {
				return err
			}
		}
	}
	if e.conns[link] == nil {
		e.conns[link] = map[*Conn]bool{}
	}
	e.conns[link][c] = true
	return nil
}

// Dial agrees on the envelope of a link over a connection just made, under the newest key.
func (e *End) Dial(conn net.Conn, link string) (*Conn, error) {
	e.mu.Lock()
	known := e.known(link)
	newest := known[len(known)-1].Generation
	e.mu.Unlock()
	h, err := envelope.NewInitiator(link, newest, e.key)
	if err != nil {
		return nil, err
	}
	return e.shake(conn, h)
}

// Accept agrees on the envelope of whichever link the other side names.
func (e *End) Accept(conn net.Conn) (*Conn, error) {
	return e.shake(conn, envelope.NewAcceptor(e.key))
}

// Conn is a connection in envelopes. One goroutine may read while another writes. New link keys
// that the switch brings are taken and used; who reads sees nothing of it.
type Conn struct {
	net.Conn
	end     *End
	session *envelope.Session
	opener  *envelope.Opener
	in      []byte // as it came
	opened  []byte // messages with their lengths, not read yet
	room    []byte // of opened

	mu     sync.Mutex // over what follows
	sealer *envelope.Sealer
	out    []byte
}

func (e *End) shake(conn net.Conn, h *envelope.Handshake) (*Conn, error) {
	c := &Conn{Conn: conn, end: e, in: make([]byte, 0, bufferSize),
		room: make([]byte, 0, bufferSize)}
	if err := conn.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return nil, err
	}
	if hello := h.Hello(); hello != nil {
		if _, err := conn.Write(framed(nil, hello)); err != nil {
			return nil, err
		}
	}
	for h.Session() == nil {
		frame, rest := wire.Next(c.in)
		if frame == nil {
			if err := c.fill(); err != nil {
				return nil, fmt.Errorf("the envelope's handshake: %w", err)
			}
			continue
		}
		answers, refused := h.Receive(frame)
		c.in = c.in[:copy(c.in, rest)]
		var out []byte
		for _, a := range answers {
			out = framed(out, a)
		}
		if _, err := conn.Write(out); err != nil || refused != nil {
			return nil, errors.Join(refused, err)
		}
	}
	c.session = h.Session()
	c.opener, c.sealer = c.session.Opener(), c.session.Sealer()
	if err := e.begin(c); err != nil {
		return nil, err
	}
	return c, conn.SetDeadline(time.Time{})
}

// Close ends the connection.
func (c *Conn) Close() error {
	c.end.mu.Lock()
	delete(c.end.conns[c.session.Link()], c)
	c.end.mu.Unlock()
	return c.Conn.Close()
}

func framed(dst, frame []byte) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(frame))), frame...)
}

// fill reads what the socket has.
func (c *Conn) fill() error {
	n, err := c.Conn.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	return err
}

// Read gives messages with their lengths, as many as have come and fit.
func (c *Conn) Read(b []byte) (int, error) {
	for len(c.opened) == 0 {
		if err := c.open(); err != nil {
			return 0, err
		}
		if len(c.opened) > 0 {
			break
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.opened)
	c.opened = c.opened[n:]
	return n, nil
}

// open opens the envelopes that have come whole.
func (c *Conn) open() error {
	c.opened = c.room[:0]
	rest := c.in
	for {
		frame, behind := wire.Next(rest)
		if frame == nil {
			break
		}
		message, err := c.opener.Open(frame)
		if err != nil {
			return err // io.EOF if the other side ended in order
		}
		if isKeyChange(message) {
			if err := c.takeKey(message); err != nil {
				return err
			}
			rest = behind
			continue
		}
		c.opened, rest = framed(c.opened, message), behind
	}
	c.in = c.in[:copy(c.in, rest)]
	c.room = c.opened[:0]
	return nil
}

// Write seals the messages of b, which must be whole, and writes them at once.
func (c *Conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = c.out[:0]
	for rest := b; len(rest) > 0; {
		message, behind := wire.Next(rest)
		if message == nil {
			return 0, io.ErrShortWrite
		}
		c.out = binary.BigEndian.AppendUint16(c.out, uint16(c.sealer.Size(len(message))))
		var err error
		if c.out, err = c.sealer.Seal(c.out, message); err != nil {
			return 0, err
		}
		rest = behind
	}
	if _, err := c.Conn.Write(c.out); err != nil {
		return 0, err
	}
	return len(b), nil
}

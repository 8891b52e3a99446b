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

func (s Secret) keys(link string, generation uint16) (envelope.Key, envelope.Policy, bool) {
	m, err := mac.New(mac.Spec{Algorithm: mac.AESCMAC, Size: 16}, s.Key(link, generation))
	return envelope.Key{Generation: generation, PRF: &prf{mac: m}}, envelope.Policy{}, err == nil
}

// Dial agrees on the envelope of a link over a connection just made, under the first generation of
// its key.
func (s Secret) Dial(conn net.Conn, link string) (*Conn, error) {
	h, err := envelope.NewInitiator(link, 1, s.keys)
	if err != nil {
		return nil, err
	}
	return shake(conn, h)
}

// Accept agrees on the envelope of whichever link the other side names.
func (s Secret) Accept(conn net.Conn) (*Conn, error) {
	return shake(conn, envelope.NewAcceptor(s.keys))
}

// Conn is a connection in envelopes. One goroutine may read while another writes.
type Conn struct {
	net.Conn
	opener *envelope.Opener
	sealer *envelope.Sealer
	in     []byte // as it came
	opened []byte // messages with their lengths, not read yet
	room   []byte // of opened
	out    []byte
}

func shake(conn net.Conn, h *envelope.Handshake) (*Conn, error) {
	c := &Conn{Conn: conn, in: make([]byte, 0, bufferSize), room: make([]byte, 0, bufferSize)}
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
	c.opener, c.sealer = h.Session().Opener(), h.Session().Sealer()
	return c, conn.SetDeadline(time.Time{})
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
		c.opened, rest = framed(c.opened, message), behind
	}
	c.in = c.in[:copy(c.in, rest)]
	c.room = c.opened[:0]
	return nil
}

// Write seals the messages of b, which must be whole, and writes them at once.
func (c *Conn) Write(b []byte) (int, error) {
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

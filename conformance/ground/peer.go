package ground

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"cardswitch/conformance/format"
)

// Peer is one end of a connection, played by hand: it can do what no good center would. Frames
// have a length of two bytes in front.
type Peer struct {
	net.Conn
	Format *format.Format
}

// Call connects to an address of the ground.
func (g *Ground) Call(address, dialect string) (*Peer, error) {
	f, err := format.Named(dialect)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := g.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return &Peer{conn, f}, nil
}

// Framed puts the length in front of the bytes of a message.
func Framed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}

// Frame is the message as it goes over the wire.
func (p *Peer) Frame(m *format.Message) ([]byte, error) {
	b, err := p.Format.Pack(m)
	return Framed(b), err
}

// Send writes one message.
func (p *Peer) Send(m *format.Message) error {
	b, err := p.Frame(m)
	if err != nil {
		return err
	}
	_, err = p.Write(b)
	return err
}

// Next reads one message.
func (p *Peer) Next(within time.Duration) (*format.Message, error) {
	if err := p.SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	var head [2]byte
	if _, err := io.ReadFull(p, head[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(p, body); err != nil {
		return nil, err
	}
	return p.Format.Unpack(body)
}

// Ask sends a message and waits for its answer; what else comes on the way is passed over, echo
// tests are answered.
func (p *Peer) Ask(m *format.Message, within time.Duration) (*format.Message, error) {
	if err := p.Send(m); err != nil {
		return nil, err
	}
	for end := time.Now().Add(within); time.Now().Before(end); {
		a, err := p.Next(time.Until(end))
		if err != nil {
			return nil, err
		}
		if a.MTI == format.Response(m.MTI) && a.Get(11) == m.Get(11) {
			return a, nil
		}
		if a.MTI == "1804" {
			if err := p.Send(format.Answer(a, "800")); err != nil {
				return nil, err
			}
		}
	}
	return nil, errors.New("no answer came")
}

// SignOn signs a merchant on.
func (p *Peer) SignOn(institution string) error {
	a, err := p.Ask(format.New("1804").Set(11, "000001").Set(12, "261122120000").
		Set(24, "801").Set(93, "99999000001").Set(94, institution), 5*time.Second)
	if err == nil && a.Get(39) != "800" {
		err = fmt.Errorf("sign-on answered %s", a.Get(39))
	}
	return err
}

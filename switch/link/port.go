package link

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"cardswitch/spec"
)

const (
	// maxGreeting bounds the connections of an address that have not said yet whose they are.
	maxGreeting = 128
	// greetTime bounds the TLS handshake and the first message together.
	greetTime = 30 * time.Second
	// shakeTime bounds the handshake of an envelope: an honest one takes milliseconds, and what
	// hangs in one takes a place from those that share the address.
	shakeTime = 10 * time.Second
	// acceptPause is how long an acceptor rests after an error, as when files run out.
	acceptPause = 100 * time.Millisecond
)

// port is one address that is listened on, for the lines that share it.
type port struct {
	network  *Network
	address  string
	listener net.Listener
	lines    atomic.Pointer[[]*Line]
	greeting atomic.Int32
	refused  tally
	closed   atomic.Bool
}

// accept is the acceptor.
func (p *port) accept() {
	defer p.network.done.Done()
	for {
		conn, err := p.listener.Accept()
		switch {
		case p.closed.Load():
			if err == nil {
				conn.Close()
			}
			return
		case err != nil:
			p.network.logger.Warn("accept failed", "address", p.address, "error", err.Error(),
				"hint", "see the limit of open files")
			time.Sleep(acceptPause)
			continue
		}
		// Who isn't allowed costs no more than this.
		lines := p.allowed(conn.RemoteAddr())
		if len(lines) == 0 {
			p.refuse(conn, NotAllowed)
			continue
		}
		if !p.network.fence.open() {
			p.refuse(conn, p.network.fence.refuses())
			continue
		}
		if p.greeting.Add(1) > maxGreeting {
			p.greeting.Add(-1)
			p.refuse(conn, TooMany)
			continue
		}
		p.network.done.Add(1)
		go p.receive(conn, lines)
	}
}

// receive finds the line of a connection, and is then its reader.
func (p *port) receive(conn net.Conn, lines []*Line) {
	defer p.network.done.Done()
	var line *Line
	var l *Link
	err := guard(p.network.logger, func() (err error) {
		defer p.greeting.Add(-1)
		line, l, err = p.greet(p.network.socket(conn), lines)
		return err
	})
	if err != nil {
		p.refuse(conn, err)
		return
	}
	if err := guard(l.logger(), func() error { return line.serve(l) }); err != nil {
		l.logger().Warn("connection refused", "cause", err.Error(),
			"remote", conn.RemoteAddr().String())
	}
}

// greet asks the certificate, then the first message, until one line is left.
func (p *port) greet(s *socket, lines []*Line) (*Line, *Link, error) {
	stop := p.network.breaks(s)
	defer stop()
	s.SetDeadline(time.Now().Add(greetTime))
	conn := net.Conn(s)
	if lines[0].secrets != nil {
		secure := tls.Server(s, lines[0].secrets.server)
		if err := secure.Handshake(); err != nil {
			return nil, nil, because(HandshakeFail, err)
		}
		leaf := secure.ConnectionState().PeerCertificates[0]
		lines = slices.DeleteFunc(lines, func(n *Line) bool {
			return !bearsAny(leaf, n.secrets.names)
		})
		conn = secure
	}
	stream := newStream(conn, &framing{})
	if len(lines) == 0 {
		return nil, nil, WrongName
	}
	stream.framing = &lines[0].framing
	line := lines[0]
	var sealed *sealed
	if line.sealed != nil {
		s.SetDeadline(time.Now().Add(shakeTime))
		var err error
		if line, sealed, err = admit(stream, lines); err != nil {
			return nil, nil, err
		}
		stream.framing = &line.framing
	} else if len(lines) > 1 {
		var err error
		if line, err = identify(stream, lines); err != nil {
			return nil, nil, err
		}
	}
	s.SetDeadline(time.Time{})
	return line, newLink(line, s, conn, stream, sealed), nil
}

// identify finds the line by the first message, which stays in the stream.
func identify(s *stream, lines []*Line) (*Line, error) {
	// The configuration has seen to it, but for a certificate with the names of several centers.
	for _, n := range lines[1:] {
		if n.config.Framing != lines[0].config.Framing || !n.dialect.Same(lines[0].dialect) {
			return nil, Unidentified
		}
	}
	for {
		body, fault := s.next()
		if fault != 0 {
			return nil, fault
		}
		if body != nil {
			s.start -= s.framing.head + len(body)
			return sender(s.framing, body, lines)
		}
		if _, err := s.fill(); err != nil {
			return nil, because(Unidentified, readCause(err))
		}
	}
}

func sender(f *framing, body []byte, lines []*Line) (*Line, error) {
	_, frame, fault := f.split(body)
	if fault != 0 {
		return nil, fault
	}
	var m spec.Message
	if fault := lines[0].dialect.Index(&m, frame); !fault.OK() {
		return nil, because(Unidentified, fault.Err())
	}
	// Network management names its originator; other messages who forwarded them, else who began.
	for _, element := range []int{94, 33, 32} {
		if !m.Has(element) || element == 94 && m.MTI().Class() != 8 {
			continue
		}
		id := string(m.Append(nil, element))
		for _, n := range lines {
			if slices.Contains(n.center.config.Load().Identities, id) {
				return n, nil
			}
		}
	}
	return nil, Unidentified
}

// allowed are the lines that take connections from there.
func (p *port) allowed(from net.Addr) []*Line {
	at, err := netip.ParseAddrPort(from.String())
	if err != nil {
		return nil
	}
	var out []*Line
	for _, n := range *p.lines.Load() {
		if slices.ContainsFunc(n.config.From, func(in netip.Prefix) bool {
			return in.Contains(at.Addr())
		}) {
			out = append(out, n)
		}
	}
	return out
}

func (p *port) refuse(conn net.Conn, why error) {
	conn.Close()
	p.refused[causeOf(why)].Add(1)
	p.network.logger.Warn("connection refused", "address", p.address,
		"remote", conn.RemoteAddr().String(), "cause", why.Error(),
		"hint", hintOf(why))
}

func hintOf(why error) string {
	switch {
	case errors.Is(why, NotAllowed):
		return "add the source to from of a link, if it may connect"
	case errors.Is(why, HandshakeFail), errors.Is(why, WrongName):
		return "compare the certificate with ca and names of the links of this address"
	case errors.Is(why, OldTerm):
		return "the center has another active node since; if it was set up anew, see " +
			"`cardswitch link forget`"
	case errors.Is(why, Refused):
		return "compare the link id, the key's check value and its generation with the center; if this " +
			"switch was set up anew, the center must forget its terms"
	case errors.Is(why, Unidentified):
		return "see that DE 32, DE 33 or DE 94 of the first message is one of a center here"
	case errors.Is(why, Fenced):
		return "give the center the addresses of all nodes; see `cardswitch cluster status`"
	case errors.Is(why, TooMany):
		return "too many connections have not sent their first message"
	}
	return "see the framing of the links of this address"
}

package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

// newSingle reads no further than it is asked to.
func newSingle(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(&oneByte{r}, 16) }

// oneByte gives one byte at a time, so that a buffer before it takes none too many.
type oneByte struct{ io.Reader }

func (o *oneByte) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return o.Reader.Read(p[:1])
}

// accept is the acceptor.
func (w *Wire) accept() {
	for {
		conn, err := w.listener.Accept()
		if w.ctx.Err() != nil {
			return
		}
		if err != nil {
			w.log.Warn("no connection can be taken from other nodes", "error", err)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-w.ctx.Done():
				return
			}
			continue
		}
		if !w.enter(conn) {
			_ = conn.Close()
			continue
		}
		w.done.Go(func() {
			err := w.welcome(conn)
			w.leave(conn)
			if err != nil && w.ctx.Err() == nil && !errors.Is(err, io.EOF) && w.isNews(conn, err) {
				w.log.Info("a connection of another node ended", "remote", conn.RemoteAddr().String(),
					"error", err.Error())
			}
		})
	}
}

// isNews tells whether it wasn't said of that host within a minute: a node that may not come in
// tries again and again.
func (w *Wire) isNews(conn net.Conn, err error) bool {
	host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	text := err.Error()
	what, now := host+text[strings.LastIndex(text, ": ")+1:], time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if said, ok := w.said[what]; ok && now.Sub(said) < time.Minute {
		return false
	}
	if len(w.said) >= mostConns {
		clear(w.said)
	}
	w.said[what] = now
	return true
}

// enter counts a connection; false if there are too many, or the node ends.
func (w *Wire) enter(conn net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.conns) >= mostConns || w.ctx.Err() != nil {
		return false
	}
	w.conns[conn] = true
	return true
}

func (w *Wire) leave(conn net.Conn) {
	_ = conn.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, conn)
}

// welcome hears who dials, and is then the connection's life.
func (w *Wire) welcome(raw net.Conn) error {
	_ = raw.SetDeadline(time.Now().Add(shakeTime))
	conn := tls.Server(raw, w.config.Identity.server(w.config.Group))
	if err := conn.HandshakeContext(w.ctx); err != nil {
		return err
	}
	in := newFrames(conn)
	k, body, err := in.next(mostHello)
	if err != nil {
		return err
	}
	h, err := parseHello(body)
	if err != nil || k != kindHello {
		return errHello
	}
	state := conn.ConnectionState()
	proven := w.config.Identity.proven(&state, w.config.Cluster)
	v := w.judge(&h, proven)
	if proven == h.From && h.Cluster == w.config.Cluster {
		w.notes(h.From, h.Generation)
	}
	if v.Code == accepted && h.For == forJoin {
		v.Code, v.Text = notServed, "this node lets nobody join"
	}
	if v.Code == accepted && h.For == forPass {
		if err := w.takes(&h); err != nil {
			v.Code, v.Text = notServed, err.Error()
		}
	}
	if _, err := conn.Write(appendFrame(nil, kindVerdict, v.append(nil))); err != nil {
		return err
	}
	switch {
	case v.Code == newGeneration:
		w.superseded(h.Generation)
		return nil
	case v.Code != accepted:
		return errors.New(v.Text)
	}
	_ = conn.SetDeadline(time.Time{})
	w.meet(Peer{h.From, h.Address})
	switch h.For {
	case forMessages:
		return w.hear(conn, in, h.From)
	case forStream:
		return w.stream(conn, h.From, string(h.Request))
	case forPass:
		return w.taken(conn, raw, &h)
	}
	return errHello
}

// hear is the reader of a connection for messages.
func (w *Wire) hear(conn net.Conn, in *frames, from uint64) error {
	p, ok := w.peer(from)
	if !ok {
		return errClosed
	}
	defer w.config.Ended(from)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(silence))
		k, body, err := in.next(MaxMessage)
		if err != nil {
			return err
		}
		p.bytesIn.Add(uint64(len(body) + frameHead + 1))
		p.heardNS.Store(time.Now().UnixNano())
		switch {
		case k == kindMessage:
			p.received.Add(1)
			w.config.Receive(from, body)
		case k == kindPing && len(body) == 8:
			_ = conn.SetWriteDeadline(time.Now().Add(silence))
			if _, err := conn.Write(appendFrame(nil, kindPong, body)); err != nil {
				return err
			}
		default:
			return errFrame
		}
	}
}

// stream writes what was asked for.
func (w *Wire) stream(conn *tls.Conn, from uint64, request string) error {
	why := errors.New("this node serves nothing")
	if w.config.Serve != nil {
		ctx, cancel := context.WithCancel(w.ctx)
		defer cancel()
		why = w.config.Serve(ctx, from, request, &parts{conn: conn})
	}
	text := ""
	if why != nil {
		text = why.Error()
	}
	_ = conn.SetWriteDeadline(time.Now().Add(streamTime))
	_, err := conn.Write(appendFrame(nil, kindEnd, []byte(text)))
	if err != nil {
		return err
	}
	return conn.CloseWrite()
}

// parts writes a stream.
type parts struct {
	conn net.Conn
	buf  []byte
}

const mostPart = 256 << 10

// Write is io's.
func (p *parts) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		part := b[:min(len(b), mostPart)]
		p.buf = appendFrame(p.buf[:0], kindPart, part)
		_ = p.conn.SetWriteDeadline(time.Now().Add(streamTime))
		if _, err := p.conn.Write(p.buf); err != nil {
			return n, err
		}
		n, b = n+len(part), b[len(part):]
	}
	return n, nil
}

// Stream asks a peer for something. What is read ends with io.EOF only if it is whole. The caller
// closes it.
func (w *Wire) Stream(ctx context.Context, from uint64, request string) (io.ReadCloser, error) {
	p, ok := w.peer(from)
	if !ok {
		return nil, errClosed
	}
	conn, _, err := w.shake(ctx, p.Peer, hello{For: forStream, Request: []byte(request)})
	if err != nil {
		return nil, err
	}
	return &stream{conn: conn, in: newFrames(conn),
		stop: context.AfterFunc(ctx, func() { _ = conn.Close() })}, nil
}

type stream struct {
	conn net.Conn
	in   *frames
	part []byte
	end  error
	stop func() bool
}

// Read is io's.
func (s *stream) Read(b []byte) (int, error) {
	for len(s.part) == 0 && s.end == nil {
		_ = s.conn.SetReadDeadline(time.Now().Add(streamTime))
		k, body, err := s.in.next(mostPart)
		switch {
		case errors.Is(err, io.EOF):
			s.end = io.ErrUnexpectedEOF
		case err != nil:
			s.end = err
		case k == kindPart:
			s.part = body
		case k == kindEnd && len(body) == 0:
			s.end = io.EOF
		case k == kindEnd:
			s.end = errors.New(string(body))
		default:
			s.end = errFrame
		}
	}
	if len(s.part) == 0 {
		return 0, s.end
	}
	n := copy(b, s.part)
	s.part = s.part[n:]
	return n, nil
}

// Close ends it.
func (s *stream) Close() error {
	s.stop()
	return s.conn.Close()
}

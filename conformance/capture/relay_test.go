package capture

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"cardswitch/conformance/ground"
	"cardswitch/conformance/wire"
)

// relay stands between two ends and keeps all bytes that go through it.
type relay struct {
	mu      sync.Mutex
	streams []*stream // two for each connection
	running sync.WaitGroup
}

// stream is one direction of one connection.
type stream struct {
	door    string
	framing wire.Framing
	bytes   []byte
}

// between listens at a door and brings who comes to another.
func (r *relay) between(
	t *testing.T, g *ground.Ground, door, behind string, framing wire.Framing,
) {
	t.Helper()
	l, err := g.Listen(door)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := g.Dial(context.Background(), behind)
			if err != nil {
				a.Close()
				continue
			}
			r.running.Go(func() {
				defer a.Close()
				defer b.Close()
				var back sync.WaitGroup
				back.Go(func() { r.pass(b.(*net.TCPConn), a.(*net.TCPConn), door, framing) })
				r.pass(a.(*net.TCPConn), b.(*net.TCPConn), door, framing)
				back.Wait()
			})
		}
	}()
}

// pass keeps bytes before it lets them go, so that what an end has got is there, and all that the
// other has sent, even to one that has gone.
func (r *relay) pass(from, to *net.TCPConn, door string, framing wire.Framing) {
	defer to.CloseWrite()
	s := &stream{door: door, framing: framing}
	r.mu.Lock()
	r.streams = append(r.streams, s)
	r.mu.Unlock()
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		r.mu.Lock()
		s.bytes = append(s.bytes, b[:n]...)
		r.mu.Unlock()
		if err != nil {
			return
		}
		_, _ = to.Write(b[:n])
	}
}

// frames takes a stream apart by its lengths.
func (s *stream) frames(t *testing.T) (list [][]byte) {
	t.Helper()
	width := 2
	if s.framing.Length == "binary4" || s.framing.Length == "ascii4" {
		width = 4
	}
	for rest := s.bytes; len(rest) > 0; {
		if len(rest) < width {
			t.Fatalf("%s: %v", s.door, io.ErrUnexpectedEOF)
		}
		var n int
		switch {
		case s.framing.Length == "ascii4":
			var err error
			if n, err = strconv.Atoi(string(rest[:4])); err != nil {
				t.Fatal(err)
			}
		case width == 4:
			n = int(binary.BigEndian.Uint32(rest))
		default:
			n = int(binary.BigEndian.Uint16(rest))
		}
		if s.framing.Inclusive {
			n -= width
		}
		if n < 24 || n > len(rest)-width {
			t.Fatalf("%s: a length of %d", s.door, n)
		}
		list = append(list, rest[width:width+n])
		rest = rest[width+n:]
	}
	return list
}

package link

import "net"

const (
	readBuffer    = 32 << 10
	maxReadBuffer = 256 << 10
)

// stream cuts frames from a connection, with one buffer that is used again and again.
type stream struct {
	conn       net.Conn
	framing    *framing
	buf        []byte
	start, end int  // of what was read and not cut
	filled     bool // the last read took all room there was
}

func newStream(conn net.Conn, f *framing) *stream {
	return &stream{conn: conn, framing: f, buf: make([]byte, readBuffer)}
}

// next is the body of the next frame, nil if more must be read first. It refers to the buffer and
// is valid until fill.
func (s *stream) next() ([]byte, Cause) {
	for {
		body, size, fault := s.framing.cut(s.buf[s.start:s.end])
		if fault != 0 || size == 0 {
			return nil, fault
		}
		if len(body) > 0 {
			s.start += size
			return body, 0
		}
		if !s.framing.keepAlive {
			return nil, EmptyFrame
		}
		s.start += size
	}
}

// fill reads once, as much as the socket has and the buffer holds.
func (s *stream) fill() (int, error) {
	// Moves less than one frame: all whole ones were cut.
	s.end = copy(s.buf, s.buf[s.start:s.end])
	s.start = 0
	if s.filled && len(s.buf) < s.bound() {
		grown := make([]byte, min(2*len(s.buf), s.bound()))
		copy(grown, s.buf[:s.end])
		s.buf = grown
	}
	n, err := s.conn.Read(s.buf[s.end:])
	s.end += n
	s.filled = s.end == len(s.buf)
	return n, err
}

// bound is the largest buffer: it holds at least one frame of the largest size.
func (s *stream) bound() int { return max(maxReadBuffer, s.framing.head+s.framing.wire) }

// wait is the body of the next frame, for who reads one after the other.
func (s *stream) wait() ([]byte, error) {
	for {
		body, fault := s.next()
		if fault != 0 {
			return nil, fault
		}
		if body != nil {
			return body, nil
		}
		if _, err := s.fill(); err != nil {
			return nil, readCause(err)
		}
	}
}

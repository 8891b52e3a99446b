package world

import (
	"net"
	"time"

	"cardswitch/conformance/load/wire"
)

// session is one connection of a shop or a bank. What it sends leaves in order, one write a
// message; a peer that doesn't read holds up its writer only.
type session struct {
	world *World
	conn  net.Conn
	line  int
	timed class
	on    bool      // signed on
	deaf  time.Time // nothing is read until then
	gone  bool
	heard bool // the switch has said something on it
	out   chan []byte
	takes func() // called as a message has come; nil: nobody asks
}

// sessionRoom is how many messages may wait for a peer that doesn't read. More are lost, as they
// would be with the connection.
const sessionRoom = 4096

func (w *World) newSession(conn net.Conn, line int, timed class) *session {
	s := &session{world: w, conn: conn, line: line, timed: timed, out: make(chan []byte, sessionRoom)}
	w.parties.Go(func() {
		for b := range s.out {
			if _, err := conn.Write(b); err != nil {
				conn.Close()
			}
		}
	})
	return s
}

// heeds has a session of a center watched that can tell terms: conn is what its envelopes go over.
func (w *World) heeds(s *session, conn net.Conn, name string) {
	if w.fencing != nil && w.options.Sealed {
		dialed := conn.(*end).dialed()
		s.takes = func() { w.fencing.took(name, dialed) }
	}
}

// send queues a message. Called with the world's lock held.
func (s *session) send(frame []byte) {
	if s.gone {
		return
	}
	select {
	case s.out <- frame:
	default:
	}
}

// silence is how long a party waits for anything at all on a connection: more than the switch lets
// pass between two echo tests.
const silence = 7 * time.Second

// serve reads messages until the connection ends, and gives each to handle, with the world's lock
// held.
func (s *session) serve(handle func(*session, *message)) {
	w := s.world
	buffer := make([]byte, 0, 64<<10)
	for {
		w.mu.Lock()
		pause := time.Until(s.deaf)
		w.mu.Unlock()
		if pause > 0 {
			w.clock.sleep(s.timed, pause)
		}
		_ = s.conn.SetReadDeadline(time.Now().Add(silence))
		n, err := s.conn.Read(buffer[len(buffer):cap(buffer)])
		if err != nil {
			break
		}
		rest := buffer[:len(buffer)+n]
		w.mu.Lock()
		for body, next := wire.Next(rest); body != nil; body, next = wire.Next(rest) {
			rest = next
			m := &message{}
			if !m.Scan(append([]byte(nil), body...)) {
				w.violation("a message that can't be walked came from the switch: %q", body)
				break
			}
			if s.takes != nil {
				s.takes()
			}
			handle(s, m)
		}
		w.mu.Unlock()
		buffer = buffer[:copy(buffer[:cap(buffer)], rest)]
	}
	s.conn.Close()
	w.mu.Lock()
	s.gone = true
	close(s.out)
	w.mu.Unlock()
}

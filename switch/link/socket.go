package link

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"sync/atomic"
	"syscall"
)

// fence is asked before each system call that writes. In a cluster only the active node may send,
// and it must know so at this moment: it may have been paused or cut off for any time since it
// decided what to send.
type fence struct {
	mayLeave func() bool // nil: always
	shut     atomic.Bool // for good
	told     atomic.Bool
	logger   *slog.Logger
}

func (f *fence) open() bool { return !f.shut.Load() && (f.mayLeave == nil || f.mayLeave()) }

// refuses says so once, not for each of thousands of connections.
func (f *fence) refuses() error {
	if !f.told.Swap(true) {
		f.logger.Error("this node is no longer the active one: nothing leaves it any more",
			"hint", "merchants and issuers find the node that is; see `cardswitch cluster status`")
	}
	return Fenced
}

// socket is the connection itself, below TLS and envelope: every byte that is sent passes here.
type socket struct {
	net.Conn
	torn  atomic.Bool // a write failed after some of its bytes had left
	fence *fence
	early []byte // of who reads: came before anybody did

	// Of who writes, one at a time.
	raw  syscall.RawConn // nil: in a simulation, or without a fence
	push func(fd uintptr) bool
	rest []byte
	err  error
}

func (n *Network) socket(conn net.Conn) *socket {
	s := &socket{Conn: conn}
	s.behind(&n.fence)
	return s
}

// behind puts the socket behind a fence. Nobody writes meanwhile.
func (s *socket) behind(f *fence) {
	s.fence = f
	if system, ok := s.Conn.(syscall.Conn); ok && f.mayLeave != nil {
		if raw, err := system.SyscallConn(); err == nil {
			s.raw, s.push = raw, s.pushSome
		}
	}
}

// Read gives first what came early.
func (s *socket) Read(b []byte) (int, error) {
	if len(s.early) == 0 {
		return s.Conn.Read(b)
	}
	n := copy(b, s.early)
	if s.early = s.early[n:]; len(s.early) == 0 {
		s.early = nil
	}
	return n, nil
}

// Write sends b. The fence is asked again whenever the peer has made it wait.
func (s *socket) Write(b []byte) (n int, err error) {
	switch {
	case s.raw != nil:
		s.rest, s.err = b, nil
		err = s.raw.Write(s.push)
		n, err = len(b)-len(s.rest), errors.Join(err, s.err)
		s.rest = nil
	case !s.fence.open():
		err = s.fence.refuses()
	default:
		n, err = s.Conn.Write(b)
	}
	if err != nil && n > 0 {
		s.torn.Store(true)
	}
	if errors.Is(err, Fenced) {
		_ = s.Close() // it is lost anyway
	}
	return n, err
}

// pushSome writes as much as the system takes; false: it has to be asked again later.
func (s *socket) pushSome(fd uintptr) bool {
	for len(s.rest) > 0 {
		if !s.fence.open() {
			s.err = s.fence.refuses()
			return true
		}
		n, err := syscall.Write(int(fd), s.rest)
		switch {
		case err == nil:
			s.rest = s.rest[n:]
		case err == syscall.EAGAIN:
			return false
		case err != syscall.EINTR:
			s.err = os.NewSyscallError("write", err)
			return true
		}
	}
	return true
}

// Close ends the connection. Behind a shut fence it resets it: what the system still holds of it
// doesn't leave either.
func (s *socket) Close() error {
	if c, ok := s.Conn.(interface{ SetLinger(int) error }); ok && !s.fence.open() {
		_ = c.SetLinger(0) // it may be closed already
	}
	return s.Conn.Close()
}

// CloseWrite ends what this side sends.
func (s *socket) CloseWrite() error {
	side, ok := s.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	if !s.fence.open() {
		return s.fence.refuses()
	}
	return side.CloseWrite()
}

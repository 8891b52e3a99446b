package wire

import (
	"context"
	"net"
	"syscall"
)

// Both set TCP_NODELAY by themselves.

func listenTCP(address string) (net.Listener, error) {
	l := net.ListenConfig{Control: impatient}
	return l.Listen(context.Background(), "tcp", address)
}

func dialTCP(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{Control: impatient}
	return d.DialContext(ctx, "tcp", address)
}

// impatient lets the system give a connection up whose other end acknowledges nothing for so long;
// by itself it would try for a quarter of an hour.
func impatient(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) { err = setUserTimeout(int(fd), silence) }); e != nil {
		return e
	}
	return err
}

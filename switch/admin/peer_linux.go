package admin

import (
	"net"

	"golang.org/x/sys/unix"
)

// peer is the user whose process opened the other end of a unix socket, as the kernel knows it.
func peer(conn net.Conn) (uid int, ok bool) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, false
	}
	var credential *unix.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) {
		credential, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err != nil || asked != nil {
		return 0, false
	}
	return int(credential.Uid), true
}

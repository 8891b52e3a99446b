//go:build !linux

package admin

import "net"

// peer can't be told here, so nobody has a role: this switch is for Linux.
func peer(net.Conn) (uid int, ok bool) { return 0, false }

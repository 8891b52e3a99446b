package load

import (
	"syscall"
	"time"
)

// rest sleeps in the kernel: Go's own timers round up to a millisecond when a process is idle,
// which would be most of what an open loop measures.
func rest(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	syscall.Nanosleep(&t, nil) // woken early by a signal, it only looks at the clock sooner
}

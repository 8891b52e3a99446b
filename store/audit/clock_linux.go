package audit

import "golang.org/x/sys/unix"

// clockNow asks the kernel; that takes about a microsecond.
func clockNow() Clock {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	switch {
	case err != nil:
		return ClockUnknown
	case state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0:
		return ClockFree
	}
	return ClockSynchronized
}

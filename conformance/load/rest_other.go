//go:build !linux

package load

import "time"

// rest sleeps as exactly as the system can.
func rest(d time.Duration) { time.Sleep(d) }

package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// sealOff keeps what is in this process's memory there: card numbers and keys leave it by no core
// file, and no other process of the same user may look inside (ptrace, /proc/PID/mem). Who is root
// still may. (Reference crypto.md section 6; PCI DSS 3.7.)
func sealOff() error {
	none := unix.Rlimit{}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &none); err != nil {
		return fmt.Errorf("forbid core files: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid others to look inside: %w", err)
	}
	return nil
}

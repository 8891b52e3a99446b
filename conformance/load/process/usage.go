package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process took of the machine since it started.
type Usage struct {
	CPU     time.Duration
	Written uint64 // bytes the kernel sent to storage for it
	RSS     uint64 // bytes resident now
}

// clockTick is the unit of /proc/<pid>/stat on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// UsageOf reads /proc: it works on Linux only.
func UsageOf(pid int) (Usage, error) {
	var u Usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, fmt.Errorf("usage of a process: %w", err)
	}
	// The name in parentheses may hold spaces; the fields behind it can't.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, system := number(fields[11]), number(fields[12])
	u.CPU = time.Duration(user+system) * clockTick
	u.RSS = number(fields[21]) * uint64(os.Getpagesize())
	io, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return u, fmt.Errorf("usage of a process: %w", err)
	}
	for line := range strings.Lines(string(io)) {
		if value, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			u.Written = number(strings.TrimSpace(value))
		}
	}
	return u, nil
}

func number(text string) uint64 {
	v, _ := strconv.ParseUint(text, 10, 64)
	return v
}

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Machine is where a result was measured; without it figures can't be compared.
type Machine struct {
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`
	Kernel  string `json:"kernel"`
	Go      string `json:"go"`
	FsyncUS int64  `json:"fsync_p50_us"`
	Fsync99 int64  `json:"fsync_p99_us"`
	Busy    string `json:"load_average"` // over the minute before: what else was going on
}

// describe reads the machine's facts and measures the disk under dir.
func describe(dir string) (Machine, error) {
	m := Machine{CPU: "unknown", Cores: runtime.NumCPU(), Kernel: "unknown", Go: runtime.Version()}
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
	if averages, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Busy, _, _ = strings.Cut(string(averages), " ")
	}
	var err error
	m.FsyncUS, m.Fsync99, err = fsync(dir)
	return m, err
}

// fsync measures a write of 4 KiB made durable, as a small commit is.
func fsync(dir string) (p50, p99 int64, err error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, 0, fmt.Errorf("bench: measure the disk: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 4096)
	times := make([]int64, 300)
	for i := range times {
		begin := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0, 0, fmt.Errorf("bench: measure the disk: %w", err)
		}
		if err := f.Sync(); err != nil {
			return 0, 0, fmt.Errorf("bench: measure the disk: %w", err)
		}
		times[i] = time.Since(begin).Microseconds()
	}
	slices.Sort(times)
	return times[len(times)/2], times[len(times)*99/100], nil
}

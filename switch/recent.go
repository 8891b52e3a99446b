package cardswitch

import (
	"math/bits"
	"sync"
	"time"
)

// recent is a coarse picture of the latencies of the last seconds for the status page: counts by
// power of two with eight steps between, in two windows of which the older is shown with the newer.
type recent struct {
	mu      sync.Mutex
	windows [2][40 * 8]uint32
	now     int
	max     [2]time.Duration
}

// add notes one latency. It is called under the switch's lock, so its own is never waited for long.
func (r *recent) add(took time.Duration) {
	r.mu.Lock()
	r.windows[r.now][slot(took)]++
	r.max[r.now] = max(r.max[r.now], took)
	r.mu.Unlock()
}

// turn begins a new window and forgets the oldest.
func (r *recent) turn() {
	r.mu.Lock()
	r.now = 1 - r.now
	r.windows[r.now] = [40 * 8]uint32{}
	r.max[r.now] = 0
	r.mu.Unlock()
}

// slot is where a latency is counted: its highest bit in microseconds, and the three below.
func slot(took time.Duration) int {
	us := uint64(max(took.Microseconds(), 0))
	if us < 8 {
		return int(us)
	}
	high := bits.Len64(us) - 1
	return min((high-2)*8+int(us>>(high-3)&7), 40*8-1)
}

// lower is the smallest latency of a slot, in microseconds.
func lower(slot int) int64 {
	if slot < 8 {
		return int64(slot)
	}
	high := slot/8 + 2
	return 1<<high + int64(slot%8)<<(high-3)
}

// latency gives the percentiles of both windows.
func (r *recent) latency() Latency {
	r.mu.Lock()
	defer r.mu.Unlock()
	var total uint64
	for i := range r.windows[0] {
		total += uint64(r.windows[0][i]) + uint64(r.windows[1][i])
	}
	out := Latency{Max: max(r.max[0], r.max[1]).Microseconds()}
	var seen uint64
	for i := range r.windows[0] {
		seen += uint64(r.windows[0][i]) + uint64(r.windows[1][i])
		for _, p := range [...]struct {
			at *int64
			of uint64
		}{{&out.P50, 500}, {&out.P99, 990}, {&out.P999, 999}} {
			if *p.at == 0 && total > 0 && seen*1000 >= total*p.of {
				*p.at = min(lower(i+1), out.Max)
			}
		}
	}
	return out
}

package cardswitch

import (
	"testing"
	"time"
)

// A percentile is at most an eighth above what was measured, and never above the longest.
func TestPercentilesAreNotAboveTheLongest(t *testing.T) {
	var r recent
	for _, ms := range []int{1, 2, 3, 3018} {
		r.add(time.Duration(ms) * time.Millisecond)
	}
	l := r.latency()
	if l.Max != 3_018_000 || l.P999 != l.Max || l.P99 != l.Max {
		t.Errorf("%+v", l)
	}
	if l.P50 < 2000 || l.P50 > 2250 {
		t.Errorf("p50 is %d µs", l.P50)
	}
}

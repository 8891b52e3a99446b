package cardswitch

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"pgregory.net/rapid"
)

// Prometheus's own histogram is the oracle, at the bounds too.
func TestMeterCountsAsPrometheusDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		oracle := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "x",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, meterBounds)})
		took := rapid.OneOf(
			rapid.Map(rapid.IntRange(0, 19), func(i int) time.Duration { return leastBucket << i }),
			rapid.Map(rapid.Int64Range(1, int64(time.Minute)),
				func(ns int64) time.Duration { return time.Duration(ns) }))
		var m meter
		for _, d := range rapid.SliceOfN(took, 0, 50).Draw(t, "took") {
			d = max(d+time.Duration(rapid.Int64Range(-1, 1).Draw(t, "beside")), 1)
			m.add(0, d)
			oracle.Observe(d.Seconds())
		}
		var want dto.Metric
		if err := oracle.Write(&want); err != nil {
			t.Fatal(err)
		}
		count, _, buckets := m.histogram()
		if count != want.Histogram.GetSampleCount() {
			t.Errorf("%d counted, want %d", count, want.Histogram.GetSampleCount())
		}
		counted := make(map[float64]uint64)
		for _, b := range want.Histogram.Bucket {
			counted[b.GetUpperBound()] = b.GetCumulativeCount()
		}
		if diff := cmp.Diff(counted, buckets); diff != "" {
			t.Error(diff)
		}
	})
}

func TestMeterTellsOutcomesApart(t *testing.T) {
	for action, want := range map[uint16]outcome{0: approved, 99: approved, 400: accepted,
		900: accepted, 901: accepted, 800: accepted, 100: declined, 208: declined, 911: refused,
		914: refused} {
		var m meter
		if m.add(action, 0); m.outcomes[want] != 1 {
			t.Errorf("action %03d counts as %v, want %s", action, m.outcomes, outcomeNames[want])
		}
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	var m meter
	if n := testing.AllocsPerRun(100, func() { m.add(911, 20*time.Second) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

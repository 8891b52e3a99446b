package load

import (
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is what a run measured and counted. Latencies are those of requests sent within the
// window.
type Report struct {
	TPS        float64           `json:"tps"`
	P50        int64             `json:"p50_us"`
	P90        int64             `json:"p90_us"`
	P99        int64             `json:"p99_us"`
	P999       int64             `json:"p999_us"`
	Max        int64             `json:"max_us"`
	Measured   uint64            `json:"measured"`
	Sent       uint64            `json:"sent"`
	Approved   uint64            `json:"approved"`
	Amount     uint64            `json:"amount"`
	Unanswered uint64            `json:"unanswered"`
	Mismatched uint64            `json:"mismatched"`
	Unknown    uint64            `json:"unknown"`
	Malformed  uint64            `json:"malformed"`
	Actions    map[string]uint64 `json:"actions"`
}

// Clean says whether every request got exactly one answer, its own, and an approval.
func (r Report) Clean() bool {
	return r.Sent == r.Approved && r.Unanswered+r.Mismatched+r.Unknown+r.Malformed == 0
}

func summarize(lanes []*lane, config Config) Report {
	all := hdrhistogram.New(1, lanes[0].latencies.HighestTrackableValue(), 3)
	r := Report{Actions: map[string]uint64{}}
	for _, l := range lanes {
		all.Merge(l.latencies)
		r.Measured += l.counts.Measured
		r.Sent += l.sent.Load()
		r.Unanswered += l.sent.Load() - l.received.Load()
		r.Approved += l.counts.Approved
		r.Amount += l.counts.Amount
		r.Mismatched += l.counts.Mismatched
		r.Unknown += l.counts.Unknown
		r.Malformed += l.counts.Malformed
		for action, n := range l.counts.actions {
			if n > 0 {
				r.Actions[fmt.Sprintf("%03d", action)] += n
			}
		}
	}
	r.TPS = float64(r.Measured) / config.Duration.Seconds()
	r.P50 = all.ValueAtQuantile(50)
	r.P90 = all.ValueAtQuantile(90)
	r.P99 = all.ValueAtQuantile(99)
	r.P999 = all.ValueAtQuantile(99.9)
	r.Max = all.Max()
	return r
}

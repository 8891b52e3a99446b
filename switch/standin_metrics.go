package cardswitch

import (
	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/switch/standin"
)

// standInMetrics are the figures of one issuer's stand-in, for Prometheus and the status page.
type standInMetrics struct {
	standing  prometheus.Gauge
	decisions [3]prometheus.Counter
	counts    [3]uint64 // of decisions; guarded by Switch.mu
}

func (m *metrics) standIn(center string) *standInMetrics {
	one := &standInMetrics{standing: m.standing.WithLabelValues(center)}
	for i, name := range [...]string{"approved", "declined", "abstained"} {
		one.decisions[i] = m.decisions.WithLabelValues(center, name)
	}
	return one
}

func (m *standInMetrics) mode(stands bool) {
	m.standing.Set(0)
	if stands {
		m.standing.Set(1)
	}
}

func (m *standInMetrics) decided(o standin.Outcome) {
	i := 2
	switch o {
	case standin.Approve:
		i = 0
	case standin.Decline:
		i = 1
	}
	m.decisions[i].Inc()
	m.counts[i]++
}

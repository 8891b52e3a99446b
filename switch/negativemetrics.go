package cardswitch

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// negativeMetrics reads how the negative lists stand when Prometheus asks.
type negativeMetrics struct {
	status                         func() []NegativeStatus
	cards, age, overdue, unusable  *prometheus.Desc
	refused, marked, loads, waited *prometheus.Desc
}

func newNegativeMetrics(status func() []NegativeStatus) *negativeMetrics {
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"center"}, more...), nil)
	}
	return &negativeMetrics{status: status,
		cards: desc("cardswitch_negative_cards",
			"Cards on an issuer's negative list, by file: regular, emergency.", "file"),
		age: desc("cardswitch_negative_age_seconds", "Age of the regular file in force."),
		overdue: desc("cardswitch_negative_overdue",
			"1: the regular file is older than its period."),
		unusable: desc("cardswitch_negative_unusable",
			"1: the regular file isn't what was imported, and isn't used."),
		refused: desc("cardswitch_negative_refused_total",
			"Requests refused because their card is listed."),
		marked: desc("cardswitch_negative_marked_total",
			"Requests of listed cards that went on, as the mode says."),
		waited: desc("cardswitch_negative_waiting", "Regular files that wait for their time."),
		loads:  desc("cardswitch_negative_loading", "1: a regular file is coming by messages.")}
}

// Describe is prometheus.Collector's.
func (m *negativeMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.cards, m.age, m.overdue, m.unusable, m.refused,
		m.marked, m.waited, m.loads} {
		out <- d
	}
}

// Collect is prometheus.Collector's.
func (m *negativeMetrics) Collect(out chan<- prometheus.Metric) {
	for _, s := range m.status() {
		gauge := func(d *prometheus.Desc, v float64, more ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v,
				append([]string{s.Issuer}, more...)...)
		}
		yes := func(d *prometheus.Desc, is bool) {
			if is {
				gauge(d, 1)
			} else {
				gauge(d, 0)
			}
		}
		gauge(m.cards, float64(s.Cards), "regular")
		gauge(m.cards, float64(s.Urgent), "emergency")
		if s.InForce != nil {
			gauge(m.age, time.Since(time.Unix(0, s.InForce.Imported)).Seconds())
		}
		yes(m.overdue, s.Overdue)
		yes(m.unusable, s.Error != "")
		yes(m.loads, s.Load != nil)
		gauge(m.waited, float64(len(s.Waiting)))
		out <- prometheus.MustNewConstMetric(m.refused, prometheus.CounterValue, float64(s.Refused),
			s.Issuer)
		out <- prometheus.MustNewConstMetric(m.marked, prometheus.CounterValue, float64(s.Marked),
			s.Issuer)
	}
}

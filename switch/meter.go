package cardswitch

import (
	"math/bits"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/switch/link"
	"cardswitch/switch/txn"
)

// outcome is what an answer said.
type outcome uint8

const (
	approved outcome = iota
	accepted
	declined
	refused
	outcomes
)

var outcomeNames = [outcomes]string{"approved", "accepted", "declined", "refused"}

func outcomeOf(action uint16) outcome {
	switch {
	case txn.Approves(int(action)):
		return approved
	case action == 400 || action == 800 || action == 900 || action == 901:
		return accepted
	case action >= 900:
		return refused
	}
	return declined
}

const (
	// leastBucket doubles from bucket to bucket; the last ends at 33 s, after every answer_time.
	leastBucket = 250 * time.Microsecond
	meterBounds = 18
)

// meter counts the answers of one center or one link: what they said, and how long those took that
// went by an issuer. It is guarded by Switch.mu, so that counting on the path is plain additions;
// Prometheus gets copies.
type meter struct {
	outcomes [outcomes]uint64
	took     [meterBounds + 1]uint64 // the last: longer than all bounds
	sum      time.Duration
}

func (m *meter) add(action uint16, took time.Duration) {
	m.outcomes[outcomeOf(action)]++
	if took <= 0 {
		return
	}
	m.took[min(bits.Len64(uint64((took-1)/leastBucket)), meterBounds)]++
	m.sum += took
}

// histogram is what Prometheus calls one: the bounds in seconds, each with all that took less.
func (m *meter) histogram() (count uint64, seconds float64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64, meterBounds)
	for i, n := range m.took {
		count += n
		if i < meterBounds {
			buckets[(leastBucket << i).Seconds()] = count
		}
	}
	return count, m.sum.Seconds(), buckets
}

// lineMeter is a link's. The links have theirs by the registry's number, so that it is found
// without a look at a name.
type lineMeter struct {
	meter
	center, link string

	commit prometheus.Observer
	seen   uint64 // of the committer: the last write that was counted
}

// meterOf gives the meter of a connection's link; nil for a question that no connection of this
// process asked.
func (t *tables) meterOf(c txn.Carrier) *lineMeter {
	if l, ok := c.(*link.Link); ok && int(l.ID()) < len(t.meters) {
		return t.meters[l.ID()]
	}
	return nil
}

// giveMeter makes sure that the link with this number has one.
func (t *tables) giveMeter(id uint16, m *metrics, center, name string) {
	for len(t.meters) <= int(id) {
		t.meters = append(t.meters, nil)
	}
	if t.meters[id] == nil {
		t.meters[id] = &lineMeter{center: center, link: name,
			commit: m.lineCommit.WithLabelValues(center, name)}
	}
}

// measured counts an answer of the switch on the link that gets it. took is zero for an answer that
// asked no issuer.
func (s *Switch) measured(c txn.Carrier, action uint16, took time.Duration) {
	if m := s.tables.Load().meterOf(c); m != nil {
		m.add(action, took)
	}
}

// written counts one durable write for each link that waited for it. It is the committer's.
func (s *Switch) written(touched []*link.Link, number uint64, took time.Duration) {
	if took == 0 {
		return
	}
	t := s.tables.Load()
	for _, l := range touched {
		if m := t.meterOf(l); m != nil && m.seen != number {
			m.seen = number
			m.commit.Observe(took.Seconds())
		}
	}
}

// meters shows the answers of centers and links when Prometheus asks.
type meters struct {
	s *Switch

	outcomes, took, lineOutcomes, lineTook *prometheus.Desc
}

func newMeters(s *Switch) *meters {
	const (
		outcomesHelp = "Answers by what they said: approved, accepted, declined, refused."
		tookHelp     = "Time from a request's arrival to the decision on its answer."
	)
	line := []string{"center", "link"}
	return &meters{s: s,
		outcomes: prometheus.NewDesc("cardswitch_outcomes_total", outcomesHelp,
			[]string{"center", "outcome"}, nil),
		took: prometheus.NewDesc("cardswitch_answer_seconds", tookHelp, line[:1], nil),
		lineOutcomes: prometheus.NewDesc("cardswitch_link_outcomes_total", outcomesHelp,
			append(line, "outcome"), nil),
		lineTook: prometheus.NewDesc("cardswitch_link_answer_seconds", tookHelp, line, nil)}
}

// Describe is prometheus.Collector's.
func (m *meters) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.outcomes, m.took, m.lineOutcomes, m.lineTook} {
		out <- d
	}
}

// Collect is prometheus.Collector's.
func (m *meters) Collect(out chan<- prometheus.Metric) {
	centers, lines := m.copies()
	for name, one := range centers {
		show(out, &one, m.outcomes, m.took, name)
	}
	for i := range lines {
		show(out, &lines[i].meter, m.lineOutcomes, m.lineTook, lines[i].center, lines[i].link)
	}
}

// copies takes what there is, so that the lock isn't held while it is shown.
func (m *meters) copies() (centers map[string]meter, lines []lineMeter) {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	centers = make(map[string]meter)
	for _, c := range m.s.centers {
		centers[c.name] = c.metrics.meter
	}
	for _, l := range m.s.tables.Load().meters {
		if l != nil {
			lines = append(lines, lineMeter{meter: l.meter, center: l.center, link: l.link})
		}
	}
	return centers, lines
}

func show(out chan<- prometheus.Metric, m *meter, count, took *prometheus.Desc, labels ...string) {
	for i, n := range m.outcomes {
		out <- prometheus.MustNewConstMetric(count, prometheus.CounterValue, float64(n),
			append(labels, outcomeNames[i])...)
	}
	n, seconds, buckets := m.histogram()
	out <- prometheus.MustNewConstHistogram(took, n, seconds, buckets, labels...)
}

package cardswitch

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/spec"
	"cardswitch/switch/txn"
)

// metrics are the figures that Prometheus reads. Labels are centers, message types and outcomes
// only: bounded, and never anything of a card.
type metrics struct {
	requests   *prometheus.CounterVec
	outcomes   *prometheus.CounterVec
	latency    *prometheus.HistogramVec
	sent       *prometheus.CounterVec
	events     *prometheus.CounterVec
	inFlight   *prometheus.GaugeVec
	owed       *prometheus.GaugeVec
	shelved    *prometheus.GaugeVec
	commit     prometheus.Histogram
	records    prometheus.Counter
	synced     prometheus.CounterFunc
	reloads    prometheus.Gauge
	open       prometheus.Gauge
	freeBytes  prometheus.Gauge
	indexLag   prometheus.Gauge
	undeliver  prometheus.Counter
	registerer prometheus.Registerer

	lastCommit atomic.Int64
	counts     counts
	recent     recent
}

// counts are the same figures for the status page, over all centers.
type counts struct {
	requests, repeats, approved, declined, refused atomic.Uint64
	timedOut, late, reversals, delivered           atomic.Uint64
}

// centerMetrics are one center's figures, with their labels resolved, so that counting on the
// path is one atomic addition.
type centerMetrics struct {
	all                                         *metrics
	requests                                    map[spec.MTI]prometheus.Counter
	other                                       prometheus.Counter
	approved, accepted, declined, refused, sent prometheus.Counter
	unasked                                     prometheus.Counter
	deliveryRetries, deliveryAlarms, moved      prometheus.Counter
	repeats, timeouts, late                     tally
	reversals, delivered                        tally
	latency                                     prometheus.Observer
	inFlight, owed, shelved                     prometheus.Gauge
}

// tally counts for Prometheus and for the status page.
type tally struct {
	prometheus.Counter
	total *atomic.Uint64
}

// Inc counts one.
func (t tally) Inc() {
	t.Counter.Inc()
	t.total.Add(1)
}

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help},
			[]string{"center"})
	}
	one := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &metrics{registerer: r,
		requests: counter("cardswitch_requests_total",
			"Requests and advices that came from a center.", "center", "mti"),
		outcomes: counter("cardswitch_outcomes_total",
			"Answers by what they said: approved, accepted, declined, refused.", "center", "outcome"),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "cardswitch_answer_seconds",
			Help:    "Time from a request's arrival to the decision on its answer.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 18)}, []string{"center"}),
		sent: counter("cardswitch_sent_total",
			"Messages given to a center's links, answers excepted.", "center"),
		events: counter("cardswitch_events_total",
			"What an operator wants to know of: timeouts, reversals, repeats and the like.",
			"center", "event"),
		inFlight: gauge("cardswitch_in_flight", "Requests that wait for their answer."),
		owed:     gauge("cardswitch_owed", "Advices that a center must still get."),
		shelved:  gauge("cardswitch_worklist", "Advices on a center's work list."),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "cardswitch_journal_commit_seconds", Help: "Time of one durable write.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16)}),
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cardswitch_journal_records_total", Help: "Journal records made durable."}),
		undeliver: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cardswitch_answers_kept_total",
			Help: "Answers that no link would carry; the merchant's repeat gets them."}),
		reloads: one("cardswitch_reload_timestamp_seconds",
			"When the configuration was last reloaded."),
		open:      one("cardswitch_open_transactions", "Transactions that wait for an issuer."),
		freeBytes: one("cardswitch_disk_free_bytes", "Free space where the journal is."),
		indexLag: one("cardswitch_index_lag_records",
			"Records committed but not yet in the index."),
	}
	r.MustRegister(m.requests, m.outcomes, m.latency, m.sent, m.events, m.inFlight, m.owed,
		m.shelved, m.commit, m.records, m.undeliver, m.reloads, m.open, m.freeBytes, m.indexLag)
	return m
}

// countSynced publishes the journal's own count of bytes made durable.
func (m *metrics) countSynced(bytes func() float64) {
	m.synced = prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "cardswitch_journal_synced_bytes_total",
		Help: "Bytes written and synced to the journal's log."}, bytes)
	m.registerer.MustRegister(m.synced)
}

func (m *metrics) center(name string) *centerMetrics {
	event := func(e string) prometheus.Counter { return m.events.WithLabelValues(name, e) }
	both := func(e string, total *atomic.Uint64) tally { return tally{event(e), total} }
	c := &centerMetrics{all: m, requests: make(map[spec.MTI]prometheus.Counter),
		other:    m.requests.WithLabelValues(name, "other"),
		approved: m.outcomes.WithLabelValues(name, "approved"),
		accepted: m.outcomes.WithLabelValues(name, "accepted"),
		declined: m.outcomes.WithLabelValues(name, "declined"),
		refused:  m.outcomes.WithLabelValues(name, "refused"),
		sent:     m.sent.WithLabelValues(name),
		unasked:  event("unasked"), moved: event("moved"),
		repeats:         both("repeat", &m.counts.repeats),
		timeouts:        both("timeout", &m.counts.timedOut),
		late:            both("late", &m.counts.late),
		reversals:       both("reversal", &m.counts.reversals),
		delivered:       both("delivered", &m.counts.delivered),
		deliveryRetries: event("delivery_retry"), deliveryAlarms: event("delivery_alarm"),
		latency:  m.latency.WithLabelValues(name),
		inFlight: m.inFlight.WithLabelValues(name), owed: m.owed.WithLabelValues(name),
		shelved: m.shelved.WithLabelValues(name)}
	for _, s := range services() {
		c.requests[s.mti] = m.requests.WithLabelValues(name, s.mti.String())
	}
	return c
}

// request counts a message that came.
func (c *centerMetrics) request(m spec.MTI) {
	if n, ok := c.requests[m.Original()]; ok {
		n.Inc()
	} else {
		c.other.Inc()
	}
	if m.Class() != 8 {
		c.all.counts.requests.Add(1)
	}
}

// outcome counts an answer to a merchant, and how long it took if it went by an issuer.
func (c *centerMetrics) outcome(action uint16, took time.Duration) {
	switch {
	case txn.Approves(int(action)):
		c.approved.Inc()
	case action == 400 || action == 900 || action == 800:
		c.accepted.Inc()
	case action >= 900:
		c.refused.Inc()
	default:
		c.declined.Inc()
	}
	if took > 0 {
		c.latency.Observe(took.Seconds())
	}
}

// answered counts, once a transaction, what its merchant was told.
func (m *metrics) answered(action uint16, took time.Duration) {
	switch {
	case txn.Approves(int(action)):
		m.counts.approved.Add(1)
	case action >= 900:
		m.counts.refused.Add(1)
	default:
		m.counts.declined.Add(1)
	}
	m.recent.add(took)
}

// committed counts one durable write.
func (m *metrics) committed(records int, took int64) {
	m.lastCommit.Store(took)
	m.records.Add(float64(records))
	m.commit.Observe(time.Duration(took).Seconds())
}

func (m *metrics) reloaded(at time.Time) { m.reloads.Set(float64(at.Unix())) }

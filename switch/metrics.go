package cardswitch

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/hsm"
	"cardswitch/spec"
)

// metrics are the figures that Prometheus reads. Labels are centers, message types and outcomes
// only: bounded, and never anything of a card.
type metrics struct {
	requests   *prometheus.CounterVec
	sent       *prometheus.CounterVec
	events     *prometheus.CounterVec
	inFlight   *prometheus.GaugeVec
	owed       *prometheus.GaugeVec
	held       *prometheus.GaugeVec
	shelved    *prometheus.GaugeVec
	periods    *prometheus.GaugeVec
	commit     prometheus.Histogram
	lineCommit *prometheus.HistogramVec
	records    prometheus.Counter
	synced     prometheus.CounterFunc
	reloads    prometheus.Gauge
	open       prometheus.Gauge
	freeBytes  prometheus.Gauge
	indexLag   prometheus.Gauge
	undeliver  prometheus.Counter
	security   *prometheus.CounterVec
	standing   *prometheus.GaugeVec
	decisions  *prometheus.CounterVec
	modules    *prometheus.HistogramVec
	coding     prometheus.Observer
	carrying   prometheus.Observer
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
	all                                    *metrics
	meter                                  meter
	requests                               map[spec.MTI]prometheus.Counter
	other, sent, unasked                   prometheus.Counter
	deliveryRetries, deliveryAlarms, moved prometheus.Counter
	held, expired, otherDay, outOfBalance  prometheus.Counter
	heldTooLong                            prometheus.Counter
	periods                                [3]prometheus.Gauge // ended, late, out
	repeats, timeouts, late                tally
	reversals, delivered                   tally
	inFlight, owed, waiting, shelved       prometheus.Gauge
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
		sent: counter("cardswitch_sent_total",
			"Messages given to a center's links, answers excepted.", "center"),
		events: counter("cardswitch_events_total",
			"What an operator wants to know of: timeouts, reversals, repeats and the like.",
			"center", "event"),
		inFlight: gauge("cardswitch_in_flight", "Requests that wait for their answer."),
		owed:     gauge("cardswitch_owed", "Advices that a center must still get."),
		held: gauge("cardswitch_held",
			"Requests that wait behind what is owed for their card."),
		shelved: gauge("cardswitch_worklist", "Advices on a center's work list."),
		periods: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "cardswitch_periods",
			Help: "Business days that ended and aren't agreed: all, late ones, out of balance."},
			[]string{"center", "state"}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "cardswitch_journal_commit_seconds", Help: "Time of one durable write.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16)}),
		lineCommit: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "cardswitch_link_commit_seconds",
			Help:    "Time of the durable writes that messages for a link waited for.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16)}, []string{"center", "link"}),
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cardswitch_journal_records_total", Help: "Journal records made durable."}),
		undeliver: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cardswitch_answers_kept_total",
			Help: "Answers that no link would carry; the merchant's repeat gets them."}),
		reloads: one("cardswitch_reload_timestamp_seconds",
			"When the configuration was last reloaded."),
		security: counter("cardswitch_security_events_total",
			"Messages not trusted, PINs not carried, messages that couldn't be protected.",
			"center", "cause"),
		modules: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cardswitch_security_module_seconds", Help: "Time of the security module's work.",
			Buckets: prometheus.ExponentialBuckets(1e-6, 4, 12)}, []string{"operation"}),
		standing: gauge("cardswitch_standin", "1 while stand-in decides for an issuer, else 0."),
		decisions: counter("cardswitch_standin_decisions_total",
			"Decisions of stand-in: approved, declined, abstained.", "center", "decision"),
		open:      one("cardswitch_open_transactions", "Transactions that wait for an issuer."),
		freeBytes: one("cardswitch_disk_free_bytes", "Free space where the journal is."),
		indexLag: one("cardswitch_index_lag_records",
			"Records committed but not yet in the index."),
	}
	r.MustRegister(m.requests, m.sent, m.events, m.inFlight, m.owed, m.held, m.shelved, m.periods,
		m.commit, m.lineCommit, m.records, m.undeliver, m.security, m.modules, m.reloads,
		m.standing, m.decisions,
		m.open, m.freeBytes, m.indexLag)
	m.coding = m.modules.WithLabelValues(hsm.MakeMAC.String())
	m.carrying = m.modules.WithLabelValues(hsm.TranslateZonePIN.String())
	return m
}

// moduleTook measures the security module.
func (m *metrics) moduleTook(o hsm.Operation, took time.Duration) {
	if o == hsm.TranslateZonePIN {
		m.carrying.Observe(took.Seconds())
		return
	}
	if o == hsm.MakeMAC {
		m.coding.Observe(took.Seconds())
		return
	}
	m.modules.WithLabelValues(o.String()).Observe(took.Seconds())
}

// countLanes publishes how many messages wait for the security module.
func (m *metrics) countLanes(waiting func() int) {
	m.registerer.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cardswitch_security_waiting", Help: "Messages that wait for the security module."},
		func() float64 { return float64(waiting()) }))
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
		other:   m.requests.WithLabelValues(name, "other"),
		sent:    m.sent.WithLabelValues(name),
		unasked: event("unasked"), moved: event("moved"), otherDay: event("other_day"),
		outOfBalance:    event("out_of_balance"),
		repeats:         both("repeat", &m.counts.repeats),
		timeouts:        both("timeout", &m.counts.timedOut),
		late:            both("late", &m.counts.late),
		reversals:       both("reversal", &m.counts.reversals),
		delivered:       both("delivered", &m.counts.delivered),
		deliveryRetries: event("delivery_retry"), deliveryAlarms: event("delivery_alarm"),
		inFlight: m.inFlight.WithLabelValues(name), owed: m.owed.WithLabelValues(name),
		expired: event("authorization_expired"),
		held:    event("held"), waiting: m.held.WithLabelValues(name),
		heldTooLong: event("held_too_long"),
		shelved:     m.shelved.WithLabelValues(name)}
	for _, cause := range [...]string{causeCode, causePIN} {
		m.security.WithLabelValues(name, cause)
	}
	for i, state := range [...]string{"ended", "late", "out"} {
		c.periods[i] = m.periods.WithLabelValues(name, state)
	}
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

// answered counts, once a transaction, what its merchant was told after so long.
func (m *metrics) answered(action uint16, took time.Duration) {
	m.told(action)
	m.recent.add(took)
}

func (m *metrics) told(action uint16) {
	switch outcomeOf(action) {
	case approved:
		m.counts.approved.Add(1)
	case refused:
		m.counts.refused.Add(1)
	default:
		m.counts.declined.Add(1)
	}
}

// committed counts one durable write.
func (m *metrics) committed(records int, took time.Duration) {
	m.lastCommit.Store(int64(took))
	m.records.Add(float64(records))
	m.commit.Observe(took.Seconds())
}

func (m *metrics) reloaded(at time.Time) { m.reloads.Set(float64(at.Unix())) }

package cardswitch

import (
	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/switch/link"
)

// linkMetrics reads the links' own counters when Prometheus asks, so that the path counts nothing
// twice. Labels are the configured names: a connection's number never becomes one.
type linkMetrics struct {
	status func() link.Status

	frames, bytes, faulty, unsent, full, connects, failures, ended *prometheus.Desc
	up, inFlight, queued                                           *prometheus.Desc
}

func newLinkMetrics(status func() link.Status) *linkMetrics {
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"center", "link"}, more...), nil)
	}
	return &linkMetrics{status: status,
		frames: desc("cardswitch_link_frames_total", "Messages on a link.", "direction"),
		bytes:  desc("cardswitch_link_bytes_total", "Bytes on a link.", "direction"),
		faulty: desc("cardswitch_link_faulty_total", "Messages that could not be read."),
		unsent: desc("cardswitch_link_unsent_total",
			"Messages that never left a link that broke, and went another way."),
		full: desc("cardswitch_link_queue_full_total",
			"Messages that a link's full queue would not take."),
		connects: desc("cardswitch_link_connects_total", "Connections that came to stand."),
		failures: desc("cardswitch_link_dial_failures_total", "Connections that did not."),
		ended:    desc("cardswitch_link_ended_total", "Connections that ended.", "cause"),
		up:       desc("cardswitch_link_signed_on", "Connections that are signed on."),
		inFlight: desc("cardswitch_link_in_flight", "Requests that wait for their answer."),
		queued:   desc("cardswitch_link_queued_bytes", "Bytes that wait to be written."),
	}
}

// Describe is prometheus.Collector's.
func (m *linkMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.frames, m.bytes, m.faulty, m.unsent, m.full, m.connects,
		m.failures, m.ended, m.up, m.inFlight, m.queued} {
		out <- d
	}
}

// Collect is prometheus.Collector's.
func (m *linkMetrics) Collect(out chan<- prometheus.Metric) {
	for _, c := range m.status().Centers {
		for i := range c.Lines {
			m.collect(out, c.Name, &c.Lines[i])
		}
	}
}

func (m *linkMetrics) collect(out chan<- prometheus.Metric, center string, l *link.LineStatus) {
	count := func(d *prometheus.Desc, v uint64, more ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v),
			append([]string{center, l.Name}, more...)...)
	}
	n := &l.Counters
	count(m.frames, n.FramesIn, "in")
	count(m.frames, n.FramesOut, "out")
	count(m.bytes, n.BytesIn, "in")
	count(m.bytes, n.BytesOut, "out")
	count(m.faulty, n.Faulty)
	count(m.unsent, n.Unsent)
	count(m.full, n.QueueFull)
	count(m.connects, n.Connects)
	count(m.failures, n.DialFailures)
	for cause, v := range n.Ended {
		count(m.ended, v, cause)
	}
	up, inFlight, queued := 0, 0, 0
	for _, one := range l.Links {
		if one.State == link.SignedOn.String() {
			up++
		}
		inFlight += one.InFlight
		queued += one.Queued
	}
	for _, g := range []struct {
		desc  *prometheus.Desc
		value int
	}{{m.up, up}, {m.inFlight, inFlight}, {m.queued, queued}} {
		out <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, float64(g.value),
			center, l.Name)
	}
}

package admin

import (
	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/switch/link"
)

// LinkMetrics publishes the state of every link when it is asked for. Its figures are the ones
// of `cardswitch link list`.
type LinkMetrics struct {
	links   func() link.Status
	figures []linkMetric
}

// linkMetric is one figure of a configured link.
type linkMetric struct {
	description *prometheus.Desc
	kind        prometheus.ValueType
	value       func(*link.LineStatus) float64
}

// NewLinkMetrics reads from links.
func NewLinkMetrics(links func() link.Status) *LinkMetrics {
	m := &LinkMetrics{links: links}
	add := func(kind prometheus.ValueType, name, help string,
		value func(*link.LineStatus) float64) {
		description := prometheus.NewDesc("cardswitch_link_"+name, help,
			[]string{"center", "link"}, nil)
		m.figures = append(m.figures, linkMetric{description, kind, value})
	}
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	add(gauge, "signed_on", "Whether the link is ready for requests.",
		func(l *link.LineStatus) float64 { return truth(l.State == link.SignedOn.String()) })
	add(gauge, "sick", "Whether another link is preferred although this one stands.",
		func(l *link.LineStatus) float64 { return truth(l.Sick) })
	add(gauge, "held", "Whether an operator drained the link.",
		func(l *link.LineStatus) float64 { return truth(l.Held) })
	add(gauge, "connections", "Live connections.",
		func(l *link.LineStatus) float64 { return float64(len(l.Links)) })
	add(gauge, "in_flight", "Requests that wait for their answer.", inFlight)
	add(counter, "received_messages_total", "Messages that came.",
		func(l *link.LineStatus) float64 { return float64(l.Counters.FramesIn) })
	add(counter, "sent_messages_total", "Messages that left.",
		func(l *link.LineStatus) float64 { return float64(l.Counters.FramesOut) })
	add(counter, "received_bytes_total", "Bytes that came.",
		func(l *link.LineStatus) float64 { return float64(l.Counters.BytesIn) })
	add(counter, "sent_bytes_total", "Bytes that left.",
		func(l *link.LineStatus) float64 { return float64(l.Counters.BytesOut) })
	add(counter, "faulty_messages_total", "Messages that could not be read.",
		func(l *link.LineStatus) float64 { return float64(l.Counters.Faulty) })
	add(counter, "connects_total", "Connections made.",
		func(l *link.LineStatus) float64 { return float64(l.Counters.Connects) })
	add(counter, "dial_failures_total", "Connections that could not be made.",
		func(l *link.LineStatus) float64 { return float64(l.Counters.DialFailures) })
	return m
}

// Describe is the prometheus package's.
func (m *LinkMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, f := range m.figures {
		to <- f.description
	}
}

// Collect is the prometheus package's.
func (m *LinkMetrics) Collect(to chan<- prometheus.Metric) {
	for _, center := range m.links().Centers {
		for i := range center.Lines {
			line := &center.Lines[i]
			for _, f := range m.figures {
				to <- prometheus.MustNewConstMetric(f.description, f.kind, f.value(line),
					center.Name, line.Name)
			}
		}
	}
}

func inFlight(l *link.LineStatus) float64 {
	total := 0
	for i := range l.Links {
		total += l.Links[i].InFlight
	}
	return float64(total)
}

func truth(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

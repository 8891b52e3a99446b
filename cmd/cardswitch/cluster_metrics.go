package main

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// clusterMetrics are the figures of `cluster status`, read when they are asked for.
type clusterMetrics struct {
	n                                        *node
	active, term, lease, inSync, log, sync   *prometheus.Desc
	connected, entries, bytes, behind, trips *prometheus.Desc
	took, takeovers, records, heard, spare   *prometheus.Desc
	warm, warmWanted, warmFailed, warmLost   *prometheus.Desc
}

func newClusterMetrics(n *node) *clusterMetrics {
	one := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("cardswitch_cluster_"+name, help, labels, nil)
	}
	return &clusterMetrics{n: n,
		active: one("active", "1 while this node is the active one, else 0."),
		term:   one("term", "Number of the present election."),
		lease:  one("lease_seconds", "How long this node may still send; 0 on a standby."),
		inSync: one("in_sync_nodes", "Data nodes that have all; known to the active node only."),
		spare: one("redundant", "1 while losing one more node neither loses nor stops anything; "+
			"known to the active node only."),
		log:  one("log_bytes", "Size of the log that is kept for members that lag."),
		sync: one("sync_seconds", "How long the last durable write of the log took."),
		connected: one("member_connected", "1 while there is a connection to the member.",
			"member", "role"),
		entries: one("member_behind_entries", "Entries that a member lacks.", "member", "role"),
		records: one("member_behind_records", "Records of the journal that a member lacks.",
			"member", "role"),
		heard:  one("heard_seconds", "How long ago a node of another site heard the active one."),
		bytes:  one("member_behind_bytes", "Bytes that a member lacks.", "member", "role"),
		behind: one("member_behind_seconds", "Age of the oldest that a member lacks.", "member", "role"),
		trips: one("member_trip_seconds", "How long a message to the member and back takes.",
			"member", "role"),
		took:      one("takeover_seconds", "How long this node took to be active, last time."),
		takeovers: one("takeovers_total", "How often this node became the active one."),
		warm: one("warm_links", "Connections to issuers that this node keeps ready while it isn't the "+
			"active one."),
		warmWanted: one("warm_links_wanted", "Those that it should keep ready now."),
		warmFailed: one("warm_dial_failures_total", "Dials of such connections that failed."),
		warmLost:   one("warm_lost_total", "Such connections that ended by themselves.")}
}

// Describe is Prometheus's.
func (c *clusterMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.active, c.term, c.lease, c.inSync, c.log, c.sync,
		c.connected, c.entries, c.bytes, c.behind, c.trips, c.took, c.takeovers,
		c.records, c.heard, c.spare, c.warm, c.warmWanted, c.warmFailed, c.warmLost} {
		to <- d
	}
}

// Collect is Prometheus's.
func (c *clusterMetrics) Collect(to chan<- prometheus.Metric) {
	s := c.n.ClusterStatus()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	active := s.State == "active"
	gauge(c.active, number(active))
	gauge(c.term, float64(s.Term))
	gauge(c.lease, float64(s.LeaseMS)/1e3)
	gauge(c.inSync, float64(s.InSync))
	gauge(c.log, float64(s.LogMB<<20))
	gauge(c.sync, float64(s.SyncUS)/1e6)
	if active { // nobody else knows
		gauge(c.spare, number(s.Redundant))
	}
	if h := s.Heard; h != nil && h.MS >= 0 {
		gauge(c.heard, float64(h.MS)/1e3)
	}
	if t := s.LastTakeover; t != nil {
		gauge(c.took, float64(t.US)/1e6)
	}
	ready := 0
	for i := range s.Warm {
		ready += int(number(s.Warm[i].Ready))
	}
	gauge(c.warm, float64(ready))
	gauge(c.warmWanted, float64(len(s.Warm)))
	total := func(d *prometheus.Desc, v uint64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	total(c.takeovers, c.n.takeovers.Load())
	counts := c.n.warm.Counts()
	total(c.warmFailed, counts.Failures)
	total(c.warmLost, counts.Lost)
	for i := range s.Members {
		m := &s.Members[i]
		labels := []string{strconv.FormatUint(m.Node, 10), m.Role}
		gauge(c.connected, number(m.Connected), labels...)
		if m.TripUS > 0 {
			gauge(c.trips, float64(m.TripUS)/1e6, labels...)
		}
		if active {
			gauge(c.entries, float64(m.Entries), labels...)
			gauge(c.records, float64(m.Records), labels...)
			gauge(c.bytes, float64(m.Bytes), labels...)
			gauge(c.behind, float64(m.MS)/1e3, labels...)
		}
	}
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

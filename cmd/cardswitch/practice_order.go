package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/dr/drill"
	"cardswitch/dr/replica"
	"cardswitch/store/audit"
)

// Drill is admin's.
func (n *node) Drill(ctx context.Context, kind string, text json.RawMessage, who string,
	tell func(any)) (any, error) {
	var o drill.Order
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, err
	}
	o.Kind, o.Who = drill.Kind(kind), who
	if err := o.Complete(); err != nil {
		return nil, err
	}
	if !n.practice.ordering.TryLock() {
		return nil, fmt.Errorf("%w: %s", drill.ErrUnderWay, n.busy())
	}
	defer n.practice.ordering.Unlock()
	if other := n.othersBusy(ctx); other != "" {
		return nil, fmt.Errorf("%w at another node: %s", drill.ErrUnderWay, other)
	}
	id := fmt.Sprintf("of %s for %s", o.Kind, who)
	n.practice.ordered.Store(&id)
	defer n.practice.ordered.Store(nil)
	report := drill.Run(ctx, ground{n}, o, func(e drill.Event) { tell(e) })
	result := audit.Done
	if report.Outcome != drill.Passed && report.Outcome != drill.Ready {
		result = audit.Failed
	}
	err := n.tell(context.WithoutCancel(ctx), audit.DrillOrdered, result, fmt.Sprintf("%s %s",
		report.ID, report.Outcome), o.Why)
	if report.Outcome != drill.Refused && !o.DryRun {
		err = errors.Join(err, n.history().Keep(report))
		n.learnHistory(context.WithoutCancel(ctx))
	}
	return report, err
}

// othersBusy names a drill that another node has a part in.
func (n *node) othersBusy(ctx context.Context) string {
	for _, other := range n.others() {
		var id string
		if err := n.askOther(ctx, other, "busy", nil, &id); err == nil && id != "" {
			return id
		}
	}
	return ""
}

// others are the numbers of the other nodes with a journal.
func (n *node) others() (list []uint64) {
	for _, m := range n.replica.Status().Members {
		if m.ID != n.number() && m.Kind != replica.Witness {
			list = append(list, m.ID)
		}
	}
	return list
}

// askOther asks a node that may be away.
func (n *node) askOther(ctx context.Context, node uint64, verb string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return n.askNode(ctx, node, verb, in, out)
}

// learnHistory asks all nodes for theirs.
func (n *node) learnHistory(ctx context.Context) []drill.Summary {
	all, err := n.history().List()
	if err != nil {
		n.log.Warn("the history of drills can't be read", "error", err)
	}
	for _, other := range n.others() {
		var list []drill.Summary
		if err := n.askOther(ctx, other, "history", nil, &list); err == nil {
			all = drill.Merge(all, list)
		}
	}
	n.practice.known.Store(&all)
	return all
}

// History is admin's.
func (n *node) History(ctx context.Context) any { return n.learnHistory(ctx) }

// Report is admin's.
func (n *node) Report(ctx context.Context, id string) (any, error) {
	own, err := n.history().Report(id)
	if !errors.Is(err, fs.ErrNotExist) {
		return own, err
	}
	for _, other := range n.others() {
		var r drill.Report
		if err := n.askOther(ctx, other, "report", id, &r); err == nil {
			return &r, nil
		}
	}
	return nil, fs.ErrNotExist
}

// Calendar is admin's.
func (n *node) Calendar() any { return n.calendar() }

func (n *node) calendar() []drill.Due {
	var rules []drill.Rule
	for _, r := range n.config.Load().Drills.Calendar {
		rules = append(rules, drill.Rule{Kind: drill.Kind(r.Kind), Every: r.Every()})
	}
	var known []drill.Summary
	if k := n.practice.known.Load(); k != nil {
		known = *k
	}
	return drill.Calendar(rules, known, time.Now())
}

// Overdue is admin's.
func (n *node) Overdue() (kinds []string) {
	for _, d := range n.calendar() {
		if d.Overdue {
			kinds = append(kinds, string(d.Kind))
		}
	}
	return kinds
}

// drillsLook is how often the other nodes are asked for their history.
const drillsLook = time.Minute

// tendDrills knows which drills were done at any node.
func (n *node) tendDrills(ctx context.Context) {
	n.removeRehearsal()
	ticker := time.NewTicker(drillsLook)
	defer ticker.Stop()
	for {
		n.learnHistory(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// drillMetrics are what monitoring sees of the calendar.
type drillMetrics struct {
	n             *node
	overdue, last *prometheus.Desc
}

func newDrillMetrics(n *node) *drillMetrics {
	one := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("cardswitch_drill_"+name, help, []string{"kind"}, nil)
	}
	return &drillMetrics{n: n,
		overdue: one("overdue", "1 if a drill of the calendar should have been done by now, else 0."),
		last:    one("last_time_seconds", "Unix time of the newest one that passed; 0: none has.")}
}

// Describe is Prometheus's.
func (d *drillMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- d.overdue
	to <- d.last
}

// Collect is Prometheus's.
func (d *drillMetrics) Collect(to chan<- prometheus.Metric) {
	for _, due := range d.n.calendar() {
		last := 0.0
		if !due.Last.IsZero() {
			last = float64(due.Last.Unix())
		}
		for desc, v := range map[*prometheus.Desc]float64{d.overdue: number(due.Overdue), d.last: last} {
			to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, string(due.Kind))
		}
	}
}

package drill

import (
	"fmt"
	"time"
)

// Rows are the report's figures in the order in which they are read: a name and a value each.
func (r *Report) Rows() (rows [][2]string) {
	add := func(name, format string, a ...any) {
		rows = append(rows, [2]string{name, fmt.Sprintf(format, a...)})
	}
	add("drill", "%s, %s", r.ID, r.title())
	add("ordered", "by %s at node %d: %s", r.Order.Who, r.Node, r.Order.Why)
	outcome := string(r.Outcome)
	if r.Because != "" {
		outcome += ": " + r.Because
	}
	add("outcome", "%s", outcome)
	if x := r.Restored; x != nil && x.Took > 0 {
		r.restoredRows(x, add)
	}
	for i := range r.Rehearsed {
		r.rehearsedRows(&r.Rehearsed[i], add)
	}
	if r.Fault.IsZero() {
		return rows
	}
	add("fault", "%s, node %d", r.Fault.Local().Format("2006-01-02 15:04:05.000"), r.Target)
	if r.Detected > 0 {
		add("noticed after", "%s", round(r.Detected))
	}
	if r.TookOver > 0 {
		add("taken over after", "%s, by node %d", round(r.TookOver), r.Successor)
	}
	if m := r.Measured; m != nil {
		m.rows(add)
	}
	add("doubled", "%d by the journal", r.doubled())
	r.countRows(add)
	if len(r.Books) > 0 {
		add("journals", "%s", r.agreement())
	}
	if r.Whole > 0 {
		add("all nodes whole after", "%s", round(r.Whole))
	} else {
		add("all nodes whole after", "NOT yet")
	}
	add("left at the end", "%d to be delivered, %d more on the work list", r.Owed, r.Shelved)
	return rows
}

func (m *Measured) rows(add func(string, string, ...any)) {
	add("answered again after", "%s; the last answer before it to the first after it: %s",
		round(m.Back), round(m.Gap))
	add("usual pause", "%s at %.0f answers a second", round(m.Usual), m.Before.PerSec)
	add("p99 before, during", "%s, %s", round(m.Before.P99), round(m.During.P99))
	add("answered", "%d in %s", m.During.Answers, round(m.span()))
	add("declined, reversed", "%d, as their outcome wasn't known", m.During.Reversed)
	add("refused", "%d by the switch itself", m.During.Refused)
	if m.During.ByUs > 0 {
		add("by stand-in, advices", "%d", m.During.ByUs)
	}
	d := &m.InDoubt
	add("in doubt", "%d with issuers at that moment: %d answered, %d reversed, %d otherwise, "+
		"%d still open", d.All, d.Answered, d.Reversed, d.Other, d.Open)
}

// span is the time after the fault that was measured.
func (m *Measured) span() time.Duration {
	if m.During.PerSec == 0 {
		return 0
	}
	return time.Duration(float64(m.During.Answers) / m.During.PerSec * float64(time.Second))
}

func (r *Report) countRows(add func(string, string, ...any)) {
	c := r.Count
	if c == nil {
		add("lost", "not known without the partners' books; the business day's comparison tells, "+
			"or --generate")
		return
	}
	add("receipts", "%s", c.Receipts)
	add("journal", "%s", c.Journal)
	if c.Issuers != "" {
		add("issuers", "%s", c.Issuers)
	} else {
		add("issuers", "not compared; name their ledgers with --ledger")
	}
	add("lost, doubled, unexplained", "%d, %d, %d of %d generated transactions", c.Lost, c.Doubled,
		c.Unexplained, c.Transactions)
	add("merchants' pause, p99", "%s, %s", round(c.Gap), round(c.P99))
}

func (r *Report) restoredRows(x *Restored, add func(string, string, ...any)) {
	add("backup", "%s: %d files, %.1f MB", x.Backup, x.Files, float64(x.Bytes)/1e6)
	add("brought back in", "%s, checked in %s", round(x.Restored), round(x.Took-x.Restored))
	add("newest record", "of %s, %s ago; %d records came later", x.Newest.Local().Format(
		time.DateTime), round(x.Behind), x.Lacks)
	add("records", "%d, totals are what they come to (%d)", x.Records, x.Totals)
	add("owed", "%d to be delivered, %d on the work list", x.Owed, x.Shelved)
	if x.Note != "" {
		add("note", "%s", x.Note)
	}
}

func (r *Report) doubled() int {
	if r.Measured == nil {
		return 0
	}
	return r.Measured.Doubled
}

func (r *Report) agreement() string {
	for _, b := range r.Books {
		if !b.Agrees {
			return fmt.Sprintf("node %d's is NOT that of the others%s", b.Node, where(b.Fault))
		}
	}
	return fmt.Sprintf("%d nodes have the same records %d to %d", len(r.Books), r.Measured.First,
		r.Measured.Last)
}

// title is the kind of drill in words.
func (r *Report) title() string {
	switch o := &r.Order; {
	case o.Kind == Node && o.Hard:
		return "the active node ends at once"
	case o.Kind == Node:
		return "planned hand-over"
	case o.Kind == Link:
		return "link " + o.Center + "/" + o.Link + " cut for " + o.Lasts.String()
	case o.Kind == Network:
		return "the active node cut off for " + o.Lasts.String()
	case o.Kind == Disk:
		return "the active node's disk stalls for " + o.Lasts.String()
	case o.Kind == Restore:
		return "restore of the newest backup"
	}
	return "the other site promoted, on a copy"
}

func round(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

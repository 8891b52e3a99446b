package lab

import (
	"fmt"
	"slices"
	"time"

	"cardswitch/conformance/count"
	"cardswitch/conformance/envelope"
	"cardswitch/dr/drill"
)

// Report is what a run came to.
type Report struct {
	Seed       uint64        `json:"seed"`
	Namespaces bool          `json:"namespaces"` // each node had its own network
	Elapsed    time.Duration `json:"elapsed"`
	Faults     []Measure     `json:"faults"`
	Cannot     []string      `json:"cannot,omitempty"` // what this machine doesn't let us do
	Folder     string        `json:"folder,omitempty"` // of the run, if it is left
	Count      *count.Report `json:"count"`

	Lost        int      `json:"lost"`
	Double      int      `json:"double"`
	Unexplained int      `json:"unexplained"`        // in all, those two included
	Refused     int      `json:"refused"`            // connections, of a node that is alone
	Owed        int      `json:"owed"`               // still to be delivered when time was up
	Journals    []string `json:"journals,omitempty"` // that differ or aren't whole
	Died        []string `json:"died,omitempty"`     // nodes that ended by themselves: their words

	// Terms is what the partners heard of the cluster's terms in their envelopes.
	Terms envelope.TermCounts `json:"terms"`

	Drills []*drill.Report `json:"drills,omitempty"` // that were ordered

	Site *SiteLoss `json:"site,omitempty"`
}

// Measure is one fault with what the merchants saw of it.
type Measure struct {
	Kind     Kind          `json:"kind"`
	At       time.Time     `json:"at"`
	Gap      time.Duration `json:"gap"`      // from the last answer before to the first one after
	After    time.Duration `json:"after"`    // from the fault to that first one
	P99      time.Duration `json:"p99"`      // of the answers of the three seconds after the fault
	Declined int           `json:"declined"` // by the cluster itself or an issuer, meanwhile

	// Others is the gap of the other shards.
	Others time.Duration `json:"others,omitempty"`
}

// measure looks at the answers from a second before a fault on.
func measure(k Kind, at time.Time, answers []answer) Measure {
	return measureUntil(k, at, at.Add(watched), answers)
}

func measureUntil(k Kind, at, until time.Time, answers []answer) Measure {
	g := gapOf(answers, at.Add(-100*time.Millisecond), until)
	m := Measure{Kind: k, At: at, Gap: g.length, After: max(0, g.to.Sub(at))}
	var approved []answer
	for _, a := range answers {
		switch {
		case a.at.Before(at):
		case a.undone:
		case a.approved:
			approved = append(approved, a)
		default:
			m.Declined++
		}
	}
	m.P99 = percentile(approved, 0.99)
	return m
}

func (r *Report) add(m Measure) { r.Faults = append(r.Faults, m) }

func (r *Report) cannot(k Kind, err error) {
	r.Cannot = append(r.Cannot, fmt.Sprintf("%s: %v", k, err))
}

// Summary is all faults of one kind.
type Summary struct {
	Kind               Kind
	Times              int
	Median, Worst, P99 time.Duration
	Declined           int
}

// Summaries are in the order of Kinds.
func (r *Report) Summaries() (list []Summary) {
	for _, k := range append(Kinds(), Joining, Home) {
		s := Summary{Kind: k}
		var gaps []time.Duration
		for _, m := range r.Faults {
			if m.Kind == k {
				gaps = append(gaps, m.Gap)
				s.P99, s.Declined = max(s.P99, m.P99), s.Declined+m.Declined
			}
		}
		if s.Times = len(gaps); s.Times > 0 {
			slices.Sort(gaps)
			s.Median, s.Worst = gaps[len(gaps)/2], gaps[len(gaps)-1]
			list = append(list, s)
		}
	}
	return list
}

// Clean says whether no transaction was lost, doubled, left unexplained or owed, no partner took a
// message of an older term once it had one of a newer, no node ended by itself, and an upgrade or a
// restart declined nothing and refused nobody; and whether partners heard terms at all. How long it
// took is for the reader to judge.
func (r *Report) Clean() bool {
	if r == nil || slices.ContainsFunc(r.Drills, failed) {
		return false
	}
	return r.Count != nil && r.Site.clean() && r.Lost+r.Double+r.Unexplained+r.Owed+
		r.Terms.Older+len(r.Journals)+len(r.Died) == 0 && r.Terms.Messages > 0 &&
		r.declined(Upgrade)+r.declined(Restart)+r.Refused == 0
}

func (r *Report) declined(k Kind) (n int) {
	for _, m := range r.Faults {
		if m.Kind == k {
			n += m.Declined
		}
	}
	return n
}

func failed(d *drill.Report) bool { return d.Outcome != drill.Passed }

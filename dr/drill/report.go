package drill

import (
	"fmt"
	"strings"
	"time"
)

// Outcome is how a drill ended.
type Outcome string

// The outcomes.
const (
	Ready   Outcome = "ready"   // it could be done; it was only looked
	Refused Outcome = "refused" // it can't be done now
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"  // something is wrong with the cluster
	Aborted Outcome = "aborted" // it was ended early
)

// Report is what came of a drill.
type Report struct {
	ID        string        `json:"id"`
	Order     Order         `json:"order"`
	Node      uint64        `json:"node"` // at which it was ordered
	Begun     time.Time     `json:"begun"`
	Ended     time.Time     `json:"ended"`
	Outcome   Outcome       `json:"outcome"`
	Because   string        `json:"because,omitempty"`
	Checks    []Check       `json:"checks"`
	Events    []Event       `json:"events,omitempty"`
	Target    uint64        `json:"target,omitempty"` // the node that was hurt
	Fault     time.Time     `json:"fault,omitzero"`   // when
	Detected  time.Duration `json:"detected_ns,omitempty"`
	TookOver  time.Duration `json:"took_over_ns,omitempty"`
	Successor uint64        `json:"successor,omitempty"`
	Whole     time.Duration `json:"whole_ns,omitempty"` // until all nodes were back
	Measured  *Measured     `json:"measured,omitempty"`
	Owed      int           `json:"owed"`    // at the end
	Shelved   int           `json:"shelved"` // more on the work list than before
	Books     []Book        `json:"books,omitempty"`
	Count     *Count        `json:"count,omitempty"`
	Restored  *Restored     `json:"restored,omitempty"`
	Rehearsed []Rehearsed   `json:"rehearsed,omitempty"`
	Advice    []string      `json:"advice"` // what the operator should do
}

// Event is something that happened during a drill.
type Event struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// Book is a node's journal of the time of the drill.
type Book struct {
	Node   uint64 `json:"node"`
	Sum    string `json:"sum"`
	Agrees bool   `json:"agrees"`
	Fault  string `json:"fault,omitempty"`
}

// Count is the three-way count of generated traffic: merchants' receipts, the journal, issuers'
// postings.
type Count struct {
	Transactions int    `json:"transactions"`
	Receipts     string `json:"receipts"` // sums in words
	Journal      string `json:"journal"`
	Issuers      string `json:"issuers,omitempty"` // empty: their books weren't to be had
	Lost         int    `json:"lost"`
	Doubled      int    `json:"doubled"`
	Unexplained  int    `json:"unexplained"` // in all, these two included
	// Gap and P99 are those of the merchants.
	Gap time.Duration `json:"gap_ns"`
	P99 time.Duration `json:"p99_ns"`
}

// Restored is what a backup came to.
type Restored struct {
	Backup   string        `json:"backup"`
	Files    int           `json:"files"`
	Bytes    int64         `json:"bytes"`
	Records  uint64        `json:"records"`
	Newest   time.Time     `json:"newest"`    // the last record that came back
	Behind   time.Duration `json:"behind_ns"` // of now
	Lacks    uint64        `json:"lacks"`     // records that the node has and it hasn't
	Owed     int           `json:"owed"`
	Shelved  int           `json:"shelved"`
	Totals   int           `json:"totals"`
	Restored time.Duration `json:"restored_ns"`
	Took     time.Duration `json:"took_ns"` // with all checks
	Note     string        `json:"note,omitempty"`
}

func newID(k Kind, at time.Time) string {
	return at.UTC().Format("20060102T150405Z") + "-" + string(k)
}

func (r *Report) end(o Outcome, because string) { r.Outcome, r.Because = o, because }

func (r *Report) measured(m Measured) { r.Measured = &m }

// Seen adds what the partners' own books say of generated traffic.
func (r *Report) Seen(c Count) {
	r.Count = &c
	if r.Outcome == Passed && c.Unexplained > 0 {
		r.end(Failed, fmt.Sprintf("%d transactions aren't explained by the three books",
			c.Unexplained))
	}
	r.advise()
}

// judge says whether the cluster did what it should have.
func (r *Report) judge() {
	var wrong []string
	m := r.Measured
	if m.InDoubt.Open > 0 {
		wrong = append(wrong, fmt.Sprintf("%d requests are still in doubt", m.InDoubt.Open))
	}
	if m.Doubled > 0 {
		wrong = append(wrong, fmt.Sprintf("%d questions were approved twice", m.Doubled))
	}
	for _, b := range r.Books {
		if !b.Agrees {
			wrong = append(wrong, fmt.Sprintf("node %d's journal isn't that of the others", b.Node))
		}
	}
	if r.Order.Kind != Link && r.Successor == 0 {
		wrong = append(wrong, "no other node took over")
	}
	if r.Order.Kind == Link && r.Detected == 0 && m.Before.Answers > 0 {
		wrong = append(wrong, "nothing went over the issuer's other links")
	}
	r.end(Passed, "")
	if len(wrong) > 0 {
		r.end(Failed, strings.Join(wrong, "; "))
	}
}

// aim is how soon the service is to be back.
const aim = time.Second

// advise says what the operator should do.
func (r *Report) advise() {
	r.Advice = nil
	add := func(format string, a ...any) { r.Advice = append(r.Advice, fmt.Sprintf(format, a...)) }
	switch r.Outcome {
	case Refused:
		for _, c := range r.Checks {
			if !c.OK {
				add("%s: %s", c.What, c.Hint)
			}
		}
		return
	case Ready:
		add("do it without --dry-run when the moment is right")
		return
	case Aborted:
		add("what was done is undone; find the reason in the nodes' logs before the next one")
	}
	r.adviseBooks(add)
	if len(r.Advice) == 0 {
		add("nothing: it went as it should")
	}
}

func (r *Report) adviseBooks(add func(string, ...any)) {
	if x := r.Restored; x != nil {
		if r.Outcome == Failed {
			add("make a whole backup now (`cardswitch backup create --whole`), then drill again")
		}
		if x.Lacks > 0 && r.Outcome == Passed {
			add("a loss of all nodes now would lose %d records; backup.tail makes it fewer", x.Lacks)
		}
		return
	}
	for i := range r.Rehearsed {
		x := &r.Rehearsed[i]
		if x.Lacks > 0 {
			add("a loss of the site at that moment would have left %d records in the window (%s)", x.Lacks,
				round(x.Behind))
		}
		if !x.Removed {
			add("remove the copy from node %d's data folder, or start it again: it does so then", x.Node)
		}
	}
	if r.Fault.IsZero() {
		return
	}
	if r.Whole == 0 {
		add("bring all nodes back: `cardswitch cluster status` says which are away or lag")
	}
	for _, b := range r.Books {
		if !b.Agrees {
			add("take node %d out of service and verify its journal (`cardswitch journal verify`)%s",
				b.Node, where(b.Fault))
		}
	}
	m := r.Measured
	if m == nil {
		return
	}
	if m.InDoubt.Open > 0 || m.Doubled > 0 {
		add("see `cardswitch journal tail --from %d` for what is in doubt or double", m.First)
	}
	if r.Shelved > 0 {
		add("%d more advices wait on the work list: `cardswitch worklist list`", r.Shelved)
	}
	if m.Gap > aim && m.Gap > 2*m.Usual {
		add("nobody was answered for %s, aimed at is %s: look at cluster.election, the links' "+
			"reconnects and the nodes' load at that moment", m.Gap.Round(time.Millisecond), aim)
	}
	if r.Count != nil && r.Count.Unexplained > 0 {
		add("compare the issuers' listings of the day: `cardswitch settle compare`")
	}
}

func where(fault string) string {
	if fault == "" {
		return ""
	}
	return ": " + fault
}

// Summary is a line of the history.
type Summary struct {
	ID      string        `json:"id"`
	Kind    Kind          `json:"kind"`
	Hard    bool          `json:"hard,omitempty"`
	Node    uint64        `json:"node"`
	Begun   time.Time     `json:"begun"`
	Outcome Outcome       `json:"outcome"`
	Because string        `json:"because,omitempty"`
	Who     string        `json:"who"`
	Why     string        `json:"why"`
	Gap     time.Duration `json:"gap_ns,omitempty"`
	P99     time.Duration `json:"p99_ns,omitempty"`
}

// Summary is the report in a line.
func (r *Report) Summary() Summary {
	s := Summary{ID: r.ID, Kind: r.Order.Kind, Hard: r.Order.Hard, Node: r.Node, Begun: r.Begun,
		Outcome: r.Outcome, Because: r.Because, Who: r.Order.Who, Why: r.Order.Why}
	if m := r.Measured; m != nil {
		s.Gap, s.P99 = m.Gap, m.During.P99
	}
	for i := range r.Rehearsed {
		s.Gap = max(s.Gap, r.Rehearsed[i].Ready)
	}
	return s
}

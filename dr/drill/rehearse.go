package drill

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rehearsed is what the promotion of another site's node came to, practised on a copy of its
// journal that nothing leaves.
type Rehearsed struct {
	Node       uint64        `json:"node"`
	Generation uint64        `json:"generation"` // that it would have begun
	Last       uint64        `json:"last"`       // record: what came after it would be the window
	LastAt     time.Time     `json:"last_at"`
	Lacks      uint64        `json:"lacks"` // records of the active node, as that one knew
	LackBytes  uint64        `json:"lack_bytes"`
	Behind     time.Duration `json:"behind_ns"`
	Steps      []Step        `json:"steps"`
	Ready      time.Duration `json:"ready_ns"` // from the second person's word until it would serve
	Replayed   int           `json:"replayed"`
	InDoubt    int           `json:"in_doubt"`         // requests that it would answer and reverse
	Doubts     []Doubt       `json:"doubts,omitempty"` // of these, the first ones
	Owed       int           `json:"owed"`             // to be delivered, reversals of these too
	Shelved    int           `json:"shelved"`
	Records    uint64        `json:"records"` // all seals and the chain of which were checked
	Totals     int           `json:"totals"`
	Keys       int           `json:"keys"`      // that its module opened
	Tokens     int           `json:"tokens"`    // that were tried, and opened
	Lists      int           `json:"lists"`     // regular negative files
	Bytes      int64         `json:"bytes"`     // of the copy
	Meanwhile  uint64        `json:"meanwhile"` // records that it followed while it was rehearsed
	Removed    bool          `json:"removed"`   // the copy is
	Fault      string        `json:"fault,omitempty"`
}

// Doubt is a request that a promoted site would have answered and reversed, not knowing what the
// site that serves went on to do with it.
type Doubt struct {
	Txn    uint64 `json:"transaction"`
	Became string `json:"became"` // Approved, Declined, StillOpen
}

// What became of a Doubt at the site that serves.
const (
	Approved  = "approved"
	Declined  = "declined"
	StillOpen = "open"
)

// doubtsText says which transactions would have had to be reconciled.
func (x *Rehearsed) doubtsText() string {
	var approved []string
	for _, d := range x.Doubts {
		if d.Became == Approved {
			approved = append(approved, fmt.Sprint(d.Txn))
		}
	}
	if len(approved) == 0 {
		return "the site that serves had approved none of them"
	}
	return fmt.Sprintf("%d of %d that were looked at had been approved where the service is: "+
		"transactions %s", len(approved), len(x.Doubts), strings.Join(approved, ", "))
}

// Step is a part of a rehearsal.
type Step struct {
	Name string        `json:"name"`
	Took time.Duration `json:"took_ns"`
}

// rehearse has each node of the other site promote a copy of itself, and sees that all follow as
// before.
func (r *run) rehearse(ctx context.Context) {
	var wrong []string
	for _, m := range r.before.Members {
		if m.Role != roleLearner {
			continue
		}
		r.note("node %d promotes a copy of its journal, aside", m.Node)
		h := Harm{Drill: r.report.ID, Kind: Site, Who: r.Who, Why: r.Why}
		done, err := r.cluster.Rehearse(ctx, m.Node, h)
		if ctx.Err() != nil {
			r.note("whoever ordered it has gone")
			r.report.Target = m.Node
			r.heal(context.WithoutCancel(ctx))
			r.report.end(Aborted, "whoever ordered it has gone")
			return
		}
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("node %d: %s", m.Node, strings.TrimSpace(err.Error())))
			continue
		}
		r.report.Rehearsed = append(r.report.Rehearsed, done)
		if done.Fault != "" {
			wrong = append(wrong, fmt.Sprintf("node %d: %s", m.Node, done.Fault))
		}
		if done.Ready > 0 {
			r.note("node %d would have served %s after the second person's word", m.Node,
				round(done.Ready))
		}
		if !done.Removed {
			wrong = append(wrong, fmt.Sprintf("the copy is still in node %d's data folder", m.Node))
		}
	}
	if !r.followsAgain(ctx) {
		wrong = append(wrong, fmt.Sprintf("the other site doesn't follow again within %s", wholeTime))
	}
	if r.report.end(Passed, ""); len(wrong) > 0 {
		r.report.end(Failed, strings.Join(wrong, "; "))
	}
}

// followsAgain waits until no node of the other site lags more than it may.
func (r *run) followsAgain(ctx context.Context) bool {
	lags := func(m Member) bool {
		return m.Role == roleLearner && (!m.Connected || m.Behind > r.Bounds.Lag)
	}
	for from := time.Now(); time.Since(from) < wholeTime; {
		s, err := r.state(ctx)
		if err == nil && !slices.ContainsFunc(s.Members, lags) {
			return true
		}
		if !pause(ctx, ask) {
			return false
		}
	}
	return false
}

func (r *Report) rehearsedRows(x *Rehearsed, add func(string, string, ...any)) {
	var steps []string
	for _, s := range x.Steps {
		steps = append(steps, s.Name+" "+round(s.Took))
	}
	if x.Fault != "" {
		add(fmt.Sprintf("node %d", x.Node), "%s", x.Fault)
	}
	add(fmt.Sprintf("node %d ready after", x.Node), "%s, from the second person's word until it "+
		"would serve, beside the program's own start", round(x.Ready))
	add("steps", "%s", strings.Join(steps, ", "))
	add("missing then", "%d records, %d bytes, %s: all after record %d of %s would be the window",
		x.Lacks, x.LackBytes, round(x.Behind), x.Last,
		x.LastAt.Local().Format("2006-01-02 15:04:05.000"))
	add("in doubt then", "%d requests would be answered and reversed; %d records read again",
		x.InDoubt, x.Replayed)
	if len(x.Doubts) > 0 {
		add("of these", "%s", x.doubtsText())
	}
	add("owed then", "%d to be delivered, %d on the work list", x.Owed, x.Shelved)
	add("books", "%d records, totals are what they come to (%d); %d keys, %d tokens and %d negative "+
		"files open", x.Records, x.Totals, x.Keys, x.Tokens, x.Lists)
	add("meanwhile", "it followed %d records; the copy of %.1f MB is %s", x.Meanwhile,
		float64(x.Bytes)/1e6, yesNo(x.Removed, "removed", "STILL THERE"))
}

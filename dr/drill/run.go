package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cardswitch/store/journal"
)

// Cluster is the node at which a drill is ordered, and through it the others.
type Cluster interface {
	Self() uint64
	// State asks the active node.
	State(ctx context.Context) (State, error)
	// Leader is who leads in which term as this node knows it, without asking anybody; 0: nobody.
	Leader() (term, node uint64)
	LastSeq() uint64
	Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error
	// Hurt does something to a node. It ends by itself; Heal ends it now. A planned hand-over
	// returns when it is done.
	Hurt(ctx context.Context, node uint64, h Harm) error
	Heal(ctx context.Context, node uint64, id string) error
	// LinkIDs are those of a center's links, save one.
	LinkIDs(center, but string) []uint16
	// Sum is a hash over a node's records from first to last.
	Sum(ctx context.Context, node, first, last uint64) (string, error)
	Restore(ctx context.Context, say func(string)) (Restored, error)
	// Rehearse has a node promote a copy of its journal aside, from which nothing leaves. It ends when
	// ctx does, or by Heal, or if nobody waits for its answer any more.
	Rehearse(ctx context.Context, node uint64, h Harm) (Rehearsed, error)
	// Ready is what the other site's nodes have and lack.
	Ready(ctx context.Context, s *State) []Check
}

// Harm is what is done to a node.
type Harm struct {
	Drill  string        `json:"drill"`
	Kind   Kind          `json:"kind"`
	Hard   bool          `json:"hard,omitempty"`
	Center string        `json:"center,omitempty"`
	Link   string        `json:"link,omitempty"`
	Lasts  time.Duration `json:"lasts_ns,omitempty"`
	Who    string        `json:"who"`
	Why    string        `json:"why"`
}

const (
	look      = 5 * time.Millisecond // at who leads
	ask       = 200 * time.Millisecond
	askTime   = 2 * time.Second
	wholeTime = 90 * time.Second // until all nodes are back and have all
	// laggard is how many looks in a row a node may lag too far.
	laggard = 5
)

// run is a drill under way.
type run struct {
	Order
	cluster Cluster
	report  *Report
	say     func(Event)
	watch   *Watch
	before  State // as it was
	begin   time.Time
	lags    int
	over    bool // the fault is
}

// Run does a drill to its end and reports. Nothing it finds is an error: the report says all. It is
// told what happens as it happens.
func Run(ctx context.Context, c Cluster, o Order, say func(Event)) *Report {
	now := time.Now()
	r := &run{Order: o, cluster: c, say: say, watch: NewWatch(),
		report: &Report{ID: newID(o.Kind, now), Order: o, Node: c.Self(), Begun: now}}
	r.drill(ctx)
	r.report.Ended = time.Now()
	r.report.advise()
	return r.report
}

func (r *run) drill(ctx context.Context) {
	var err error
	r.before, err = r.state(ctx)
	r.report.Checks = Checks(&r.Order, &r.before, r.cluster.Self(), err)
	if r.Kind == Site && err == nil {
		r.report.Checks = append(r.report.Checks, r.cluster.Ready(ctx, &r.before)...)
	}
	switch {
	case !AllPass(r.report.Checks):
		r.report.end(Refused, "a check didn't pass; nothing was touched")
	case r.DryRun:
		r.report.end(Ready, "nothing was touched")
	case r.Kind == Restore:
		r.restore(ctx)
	case r.Kind == Site:
		r.rehearse(ctx)
	default:
		r.hurt(ctx)
	}
}

func (r *run) note(format string, a ...any) {
	e := Event{time.Now(), fmt.Sprintf(format, a...)}
	r.report.Events = append(r.report.Events, e)
	r.say(e)
}

func (r *run) state(ctx context.Context) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return r.cluster.State(ctx)
}

func (r *run) restore(ctx context.Context) {
	r.note("the newest backup is brought back, aside")
	restored, err := r.cluster.Restore(ctx, func(text string) { r.note("%s", text) })
	r.report.Restored = &restored
	switch {
	case ctx.Err() != nil:
		r.report.end(Aborted, "whoever ordered it has gone")
	case err != nil:
		r.report.end(Failed, err.Error())
	default:
		r.note("backup %s is sound", restored.Backup)
		r.report.end(Passed, "")
	}
}

// hurt measures, does the fault, measures, ends it, and waits until all is whole again.
func (r *run) hurt(ctx context.Context) {
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	followed := make(chan error, 1)
	go func() {
		followed <- r.cluster.Follow(following, r.cluster.LastSeq()+1, func(rec *journal.Record) error {
			r.watch.Take(rec, time.Now())
			return nil
		})
	}()
	r.begin = time.Now()
	r.note("measuring for %s before anything is touched", r.Before)
	if !pause(ctx, r.Before) {
		r.report.end(Aborted, "whoever ordered it has gone; nothing was touched")
		return
	}
	if r.watch.Answered(r.begin) == 0 && !r.Quiet {
		r.report.Checks = append(r.report.Checks, Check{"there is traffic to measure by", false,
			fmt.Sprintf("no answer of an issuer within %s", r.Before),
			"order it when there is, or with --generate; --quiet does without"})
		r.report.end(Refused, "there is no traffic to measure by; nothing was touched")
		return
	}
	why := r.fault(ctx)
	// From here on all goes on, even if nobody waits for it any more.
	ctx = context.WithoutCancel(ctx)
	if why != "" {
		r.heal(ctx)
	}
	until := time.Now()
	whole := r.wholeAgain(ctx)
	r.report.measured(r.watch.Measure(r.begin, r.report.Fault, r.doubt(), until))
	r.compare(ctx)
	stop()
	<-followed
	switch {
	case why != "":
		r.report.end(Aborted, why)
	case !whole:
		r.report.end(Failed, fmt.Sprintf("the cluster isn't whole again after %s", wholeTime))
	default:
		r.report.judge()
	}
}

// fault does it, and looks on until it is over. It returns why it was ended early, "" if it wasn't.
func (r *run) fault(ctx context.Context) (why string) {
	active := r.before.Node
	h := Harm{Drill: r.report.ID, Kind: r.Kind, Hard: r.Hard, Center: r.Center, Link: r.Link,
		Lasts: r.Lasts, Who: r.Who, Why: r.Why}
	r.report.Target, r.report.Fault = active, time.Now()
	r.note("%s", r.words(active))
	done := make(chan error, 1)
	go func() { done <- r.cluster.Hurt(context.WithoutCancel(ctx), active, h) }()
	term, _ := r.cluster.Leader()
	term = max(term, r.before.Term)
	over, end := time.After(r.Lasts), time.After(r.Lasts+r.After)
	ticker, asks := time.NewTicker(look), time.NewTicker(ask)
	defer ticker.Stop()
	defer asks.Stop()
	for {
		select {
		case <-ticker.C:
			r.leads(term)
		case <-asks.C:
			if why = r.badSign(ctx); why != "" {
				r.note("ended early: %s", why)
				return why
			}
		case err := <-done:
			done = nil
			if err != nil {
				return "it couldn't be done: " + err.Error()
			}
		case <-over:
			if r.Kind != Node {
				r.note("the fault is over")
			}
		case <-end:
			return ""
		case <-ctx.Done():
			r.note("whoever ordered it has gone")
			return "whoever ordered it has gone"
		}
	}
}

// words say what is done.
func (r *run) words(active uint64) string {
	switch {
	case r.Kind == Link:
		return fmt.Sprintf("%s/%s is cut for %s", r.Center, r.Link, r.Lasts)
	case r.Kind == Network:
		return fmt.Sprintf("node %d hears and tells the others nothing for %s", active, r.Lasts)
	case r.Kind == Disk:
		return fmt.Sprintf("node %d's disk answers no write for %s", active, r.Lasts)
	case r.Hard:
		return fmt.Sprintf("node %d ends at once, as if it had died", active)
	}
	return fmt.Sprintf("node %d hands over", active)
}

// leads notes when the node is missed, and when another one leads.
func (r *run) leads(before uint64) {
	term, node := r.cluster.Leader()
	rep := r.report
	if rep.Detected == 0 && (node == 0 || term > before) {
		rep.Detected = time.Since(rep.Fault)
		r.note("node %d is missed", rep.Target)
	}
	if rep.TookOver == 0 && node != 0 && term > before {
		rep.TookOver, rep.Successor = time.Since(rep.Fault), node
		r.note("node %d leads, term %d", node, term)
	}
	if r.Kind == Link && rep.Detected == 0 {
		others := r.cluster.LinkIDs(r.Center, r.Link)
		if at, ok := r.watch.FirstOver(rep.Fault, others); ok {
			rep.Detected = at.Sub(rep.Fault)
			r.note("requests go over the other links")
		}
	}
}

// badSign says why the drill had better end now.
func (r *run) badSign(ctx context.Context) string {
	b, now, rep := &r.Bounds, time.Now(), r.report
	if bad := r.watch.Bad(r.begin, rep.Fault, now); bad > b.Refused {
		return fmt.Sprintf("%d more requests than usual were refused or reversed, over %d", bad,
			b.Refused)
	}
	answers := r.watch.Answered(r.begin) > 0
	if silent := r.watch.Silence(rep.Fault, now); answers && silent > b.Silence {
		return fmt.Sprintf("no issuer's answer came for %s", silent.Round(time.Millisecond))
	}
	s, err := r.state(ctx)
	if err != nil {
		return "" // nobody is active yet: what follows from that, Silence says
	}
	r.isWhole(&s)
	if gone := r.before.lost(&s, rep.Target); len(gone) > 0 {
		return fmt.Sprintf("node %d isn't there either", gone[0])
	}
	far := func(m Member) bool {
		return m.Node != rep.Target && m.Role == roleData && m.Connected && m.Behind > b.Lag
	}
	if !slices.ContainsFunc(s.Members, far) {
		r.lags = 0
	} else if r.lags++; r.lags >= laggard {
		return fmt.Sprintf("another node lags by more than %s", b.Lag)
	}
	return ""
}

// heal ends the fault early.
func (r *run) heal(ctx context.Context) {
	if r.Kind == Node {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if err := r.cluster.Heal(ctx, r.report.Target, r.report.ID); err != nil {
		r.note("node %d can't be told to end it: %s; it ends by itself", r.report.Target, err)
		return
	}
	r.note("the fault is ended")
}

// wholeAgain waits until all members are back, have all, and nothing that was in doubt is open.
func (r *run) wholeAgain(ctx context.Context) bool {
	r.over = true
	from, waited := time.Now(), false
	for time.Since(from) < wholeTime {
		s, err := r.state(ctx)
		if err == nil && r.isWhole(&s) && !r.watch.InDoubt(r.doubt()) {
			r.report.Owed, r.report.Shelved = s.Owed, s.Shelved-r.before.Shelved
			return true
		}
		if !waited {
			waited = true
			r.note("waiting until all is whole again")
		}
		time.Sleep(ask)
	}
	return false
}

// doubt is the moment at which what was with issuers was in doubt.
func (r *run) doubt() time.Time {
	if r.Kind == Link {
		return r.report.Fault
	}
	return r.report.Fault.Add(r.report.Detected)
}

// isWhole tells whether all is as it was before, and notes since when.
func (r *run) isWhole(s *State) bool {
	is := r.report
	switch whole := (is.Detected > 0 || r.over) && r.before.whole(s) && r.linkUp(s); {
	case !whole:
		is.Whole = 0
	case is.Whole == 0:
		is.Whole = time.Since(is.Fault)
		r.note("all nodes are there and have all")
	}
	return is.Whole > 0
}

// linkUp tells whether the link that was cut is up again.
func (r *run) linkUp(s *State) bool {
	if r.Kind != Link {
		return true
	}
	is := func(l Line) bool { return l.Center == r.Center && l.Link == r.Link && l.Up && !l.Held }
	return slices.ContainsFunc(s.Lines, is)
}

// compare has each data node say what its journal holds of the time.
func (r *run) compare(ctx context.Context) {
	first, last := r.watch.Span()
	if first == 0 {
		return
	}
	want := ""
	for _, m := range r.before.Members {
		if m.Role != roleData {
			continue
		}
		book := Book{Node: m.Node}
		asking, cancel := context.WithTimeout(ctx, wholeTime)
		sum, err := r.cluster.Sum(asking, m.Node, first, last)
		cancel()
		if want == "" {
			want = sum
		}
		book.Sum, book.Agrees = sum, err == nil && sum == want
		if err != nil {
			book.Fault = strings.TrimSpace(err.Error())
		}
		r.report.Books = append(r.report.Books, book)
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// ErrUnderWay is that of a second drill.
var ErrUnderWay = errors.New("a drill is under way")

package drill

import (
	"slices"
	"sync"
	"time"

	"cardswitch/store/journal"
)

// Watch follows the journal and keeps of each transaction what a drill is judged by. Records are
// taken in their order; Measure may be called meanwhile.
type Watch struct {
	mu      sync.Mutex
	open    map[uint64]asked // by transaction
	kept    map[journal.Key]uint64
	doubles map[uint64]bool
	undone  map[uint64]bool
	ends    []end
	first   uint64
	last    uint64
}

// asked is a request that went to an issuer.
type asked struct {
	at   int64     // the active node's clock
	came time.Time // ours
	link uint16
	key  journal.Key
}

// end is what became of one, or of a request that went nowhere.
type end struct {
	asked, came time.Time
	took        time.Duration
	txn         uint64
	what        fate
	link        uint16
}

type fate uint8

const (
	byIssuer fate = iota + 1 // whatever the issuer said
	reversed                 // its outcome isn't known: declined, and a reversal is owed
	refused                  // the switch itself said no
	byUs                     // stand-in decided, or an advice was taken
)

// NewWatch begins with nothing.
func NewWatch() *Watch {
	return &Watch{open: make(map[uint64]asked), kept: make(map[journal.Key]uint64),
		doubles: make(map[uint64]bool), undone: make(map[uint64]bool)}
}

// refusal is the least action code that declines.
const refusal = 100

// Take takes a record that came at a time.
func (w *Watch) Take(r *journal.Record, came time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.first == 0 {
		w.first = r.Seq
	}
	w.last = r.Seq
	switch r.Kind {
	case journal.Opened:
		if class := r.MTI.Class(); class != 1 && class != 2 {
			return
		}
		a := asked{at: r.At, came: came, key: r.Key}
		if f := r.Image(journal.Forward); f != nil {
			a.link = f.Link
		}
		w.open[r.Seq] = a
	case journal.Closed:
		w.closed(r, came)
	case journal.Settled:
		if class := r.MTI.Class(); class == 1 || class == 2 {
			e := end{asked: came, came: came, txn: r.Seq, what: byUs}
			if r.Action >= refusal {
				e.what = refused
			}
			w.ends = append(w.ends, e)
		}
	case journal.StoodIn:
		delete(w.open, r.Txn)
		w.ends = append(w.ends, end{asked: came, came: came, txn: r.Txn, what: byUs})
	case journal.Reversed:
		w.undone[r.Txn] = true
	}
}

func (w *Watch) closed(r *journal.Record, came time.Time) {
	a, ok := w.open[r.Txn]
	if !ok {
		return // it was open before we looked
	}
	delete(w.open, r.Txn)
	e := end{asked: a.came, came: came, took: time.Duration(r.At - a.at), txn: r.Txn, link: a.link}
	switch {
	case r.Image(journal.Answer) != nil:
		e.what = byIssuer
	case r.Image(journal.Advice) != nil || r.Advice != 0:
		e.what = reversed
	default:
		e.what = refused
	}
	w.ends = append(w.ends, e)
	if e.what != byIssuer || r.Action >= refusal || a.key.IsZero() {
		return
	}
	if w.kept[a.key] != 0 { // the same question was approved before, as another transaction
		w.doubles[r.Txn] = true
	}
	w.kept[a.key] = r.Txn
}

// Span is the records that were seen.
func (w *Watch) Span() (first, last uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.first, w.last
}

// Measured is what the journal says of a time.
type Measured struct {
	Before Rate `json:"before"`
	During Rate `json:"during"`
	// Gap is the longest time without an issuer's answer after the fault: from LastBefore to
	// FirstAfter. Back is from the fault to that answer.
	LastBefore time.Time     `json:"last_before"`
	FirstAfter time.Time     `json:"first_after"`
	Gap        time.Duration `json:"gap_ns"`
	Back       time.Duration `json:"back_ns"`
	Usual      time.Duration `json:"usual_gap_ns"` // the longest such time before the fault
	// InDoubt is what was with an issuer when the active node was missed, or at the moment of the
	// fault if it stays, and what became of it.
	InDoubt Fates `json:"in_doubt"`
	Doubled int   `json:"doubled"` // approved twice, neither taken back
	// Answers of issuers for each Step, from Begin on.
	Begin   time.Time     `json:"begin"`
	Step    time.Duration `json:"step_ns"`
	Answers []int         `json:"answers"`
	First   uint64        `json:"first"` // the records that were looked at
	Last    uint64        `json:"last"`
}

// Rate is the traffic of a span.
type Rate struct {
	Answers  int           `json:"answers"` // of issuers
	PerSec   float64       `json:"per_second"`
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
	Worst    time.Duration `json:"worst_ns"`
	Reversed int           `json:"reversed"` // outcome unknown: declined, a reversal owed
	Refused  int           `json:"refused"`  // by the switch itself
	ByUs     int           `json:"by_us"`    // stand-in and advices
}

// Fates of requests.
type Fates struct {
	All      int `json:"all"`
	Answered int `json:"answered"`
	Reversed int `json:"reversed"`
	Other    int `json:"other,omitempty"` // stood in for, or refused
	Open     int `json:"open"`            // still
}

// step is how finely answers are counted.
const step = 10 * time.Millisecond

// Measure looks at the time from begin through end, in which the fault was done. What was with an
// issuer at doubt was in doubt: when the active node was missed, as its last records came before.
func (w *Watch) Measure(begin, fault, doubt, until time.Time) Measured {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := Measured{Before: w.rate(begin, fault), During: w.rate(fault, until), Begin: begin, Step: step,
		Answers: make([]int, max(0, until.Sub(begin)/step+1)), First: w.first, Last: w.last}
	m.LastBefore, m.FirstAfter = w.gap(begin, fault, until)
	m.Gap, m.Back = m.FirstAfter.Sub(m.LastBefore), max(0, m.FirstAfter.Sub(fault))
	usual, to := w.gap(begin, begin, fault)
	m.Usual = to.Sub(usual)
	for _, e := range w.ends {
		if at := e.came.Sub(begin); e.what == byIssuer && at >= 0 && !e.came.After(until) {
			m.Answers[at/step]++
		}
		if e.asked.Before(doubt) && !e.came.Before(doubt) {
			m.InDoubt.add(e.what)
		}
	}
	for _, a := range w.open {
		if a.came.Before(doubt) {
			m.InDoubt.All++
			m.InDoubt.Open++
		}
	}
	for txn := range w.doubles {
		if !w.undone[txn] {
			m.Doubled++
		}
	}
	return m
}

func (f *Fates) add(what fate) {
	f.All++
	switch what {
	case byIssuer:
		f.Answered++
	case reversed:
		f.Reversed++
	default:
		f.Other++
	}
}

// rate sums up what ended in a span.
func (w *Watch) rate(from, to time.Time) (r Rate) {
	var took []time.Duration
	for _, e := range w.ends {
		if e.came.Before(from) || !e.came.Before(to) {
			continue
		}
		switch e.what {
		case byIssuer:
			took = append(took, e.took)
		case reversed:
			r.Reversed++
		case refused:
			r.Refused++
		case byUs:
			r.ByUs++
		}
	}
	r.Answers = len(took)
	if length := to.Sub(from).Seconds(); length > 0 {
		r.PerSec = float64(r.Answers) / length
	}
	if len(took) > 0 {
		slices.Sort(took)
		at := func(p float64) time.Duration { return took[min(len(took)-1, int(p*float64(len(took))))] }
		r.P50, r.P99, r.Worst = at(0.5), at(0.99), took[len(took)-1]
	}
	return r
}

// gap finds the longest time without an issuer's answer that isn't over before the fault. The ends
// of the span count as answers.
func (w *Watch) gap(begin, fault, until time.Time) (from, to time.Time) {
	last := begin
	from, to = fault, fault
	look := func(at time.Time) {
		if at.After(fault) && at.Sub(last) > to.Sub(from) {
			from, to = last, at
		}
		last = at
	}
	for _, e := range w.ends {
		if e.what == byIssuer && !e.came.Before(begin) && e.came.Before(until) {
			look(e.came)
		}
	}
	look(until)
	return from, to
}

// InDoubt tells whether a request that was with an issuer at a time still is.
func (w *Watch) InDoubt(at time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.open {
		if a.came.Before(at) {
			return true
		}
	}
	return false
}

// Silence is for how long no issuer's answer has come, since a time at the earliest.
func (w *Watch) Silence(since, now time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.ends) - 1; i >= 0; i-- {
		if w.ends[i].what == byIssuer {
			since = later(since, w.ends[i].came)
			break
		}
	}
	return now.Sub(since)
}

// Bad is how many more requests the switch has refused or reversed from a fault until now than it
// would have at the rate before it.
func (w *Watch) Bad(begin, fault, now time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	before, since := w.rate(begin, fault), w.rate(fault, now)
	usual := 0.0
	if span := fault.Sub(begin); span > 0 {
		usual = float64(before.Refused+before.Reversed) * float64(now.Sub(fault)) / float64(span)
	}
	return since.Refused + since.Reversed - int(usual)
}

// Answered counts issuers' answers since a time.
func (w *Watch) Answered(since time.Time) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.ends) - 1; i >= 0 && !w.ends[i].came.Before(since); i-- {
		if w.ends[i].what == byIssuer {
			n++
		}
	}
	return n
}

// FirstOver is when the first answer after a time came over one of the links, asked for after it
// too.
func (w *Watch) FirstOver(since time.Time, links []uint16) (at time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.ends {
		if e.what == byIssuer && e.asked.After(since) && slices.Contains(links, e.link) {
			return e.came, true
		}
	}
	return time.Time{}, false
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

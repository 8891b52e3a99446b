package drill

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
)

// twin is a cluster of three in memory: its journal grows by itself, and stands still while a
// fault lasts that nobody has taken over yet.
type twin struct {
	mu       sync.Mutex
	state    State
	term     uint64
	leader   uint64
	takes    time.Duration // until another node leads
	silent   bool          // no answers
	declines bool          // requests are refused from the fault on
	loses    uint64        // a node that goes away with the fault
	refuses  error         // why nothing can be done
	healed   []string
	// rehearsed is what a learner answers.
	rehearsed Rehearsed
	hurts     []Harm
	sums      map[uint64]string
}

func newTwin() *twin {
	t := &twin{term: 3, leader: 1, takes: 300 * time.Millisecond, sums: map[uint64]string{}}
	t.state = State{Node: 1, Term: 3, Supervised: true}
	for n := uint64(1); n <= 3; n++ {
		t.state.Members = append(t.state.Members, Member{Node: n, Role: roleData, Self: n == 1,
			Connected: true, InSync: true})
		t.sums[n] = "same"
	}
	for _, l := range []string{"l0", "l1"} {
		t.state.Lines = append(t.state.Lines, Line{Center: "issuer", Link: l, Up: true})
	}
	return t
}

func (t *twin) Self() uint64    { return 2 }
func (t *twin) LastSeq() uint64 { return 100 }

func (t *twin) State(context.Context) (State, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.leader == 0 {
		return State{}, errors.New("nobody leads")
	}
	s := t.state
	s.Node, s.Term = t.leader, t.term
	s.Members, s.Lines = append([]Member(nil), s.Members...), append([]Line(nil), s.Lines...)
	return s, nil
}

func (t *twin) Leader() (term, node uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.term, t.leader
}

// Follow makes a request each 20 ms and its answer 5 ms later.
func (t *twin) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	for seq := from; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		t.mu.Lock()
		still, declines := t.silent || t.leader == 0, t.declines && len(t.hurts) > 0
		t.mu.Unlock()
		if still {
			continue
		}
		at := time.Now()
		link := uint16(7)
		if len(t.hurts) > 0 {
			link = 8
		}
		r := record(journal.Opened, seq, seq, at)
		r.Key = journal.KeyOf(1, r.MTI, seq, uint32(seq), 1, 1)
		r.Add(journal.Image{Role: journal.Forward, Link: link})
		_ = fn(r)
		time.Sleep(5 * time.Millisecond)
		r = record(journal.Closed, seq+1, seq, time.Now())
		if declines {
			r.Action = 911
			r.Add(journal.Image{Role: journal.Advice})
		} else {
			r.Add(journal.Image{Role: journal.Answer, Link: link})
		}
		_ = fn(r)
		seq += 2
	}
}

func record(k journal.Kind, seq, txn uint64, at time.Time) *journal.Record {
	return &journal.Record{Kind: k, Seq: seq, Txn: txn, At: at.UnixNano(), MTI: spec.MTI(0x1200)}
}

func (t *twin) Hurt(_ context.Context, node uint64, h Harm) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refuses != nil {
		return t.refuses
	}
	t.hurts = append(t.hurts, h)
	for i := range t.state.Members {
		if m := &t.state.Members[i]; m.Node == t.loses {
			m.Connected = false
		}
	}
	if h.Kind == Link {
		return nil
	}
	t.leader = 0
	time.AfterFunc(t.takes, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.term, t.leader = t.term+1, 3
	})
	return nil
}

func (t *twin) Heal(_ context.Context, _ uint64, id string) error {
	t.healed = append(t.healed, id)
	return nil
}

func (t *twin) LinkIDs(_, but string) []uint16 {
	if but == "l0" {
		return []uint16{8}
	}
	return []uint16{7}
}

func (t *twin) Sum(_ context.Context, node, _, _ uint64) (string, error) {
	return t.sums[node], nil
}

func (t *twin) Restore(context.Context, func(string)) (Restored, error) {
	return Restored{Backup: "b1", Took: time.Second, Lacks: 7}, t.refuses
}

func (t *twin) Rehearse(ctx context.Context, node uint64, h Harm) (Rehearsed, error) {
	t.hurts = append(t.hurts, h)
	select {
	case <-ctx.Done():
		return Rehearsed{}, ctx.Err()
	case <-time.After(time.Second):
	}
	t.rehearsed.Node = node
	return t.rehearsed, t.refuses
}

func (t *twin) Ready(context.Context, *State) []Check { return nil }

// try runs a drill on a twin.
func try(t *testing.T, c *twin, o Order) (r *Report) {
	t.Helper()
	o.Why = "test"
	if err := o.Complete(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r = Run(t.Context(), c, o, func(Event) {})
	})
	return r
}

func TestNodeDrill(t *testing.T) {
	r := try(t, newTwin(), Order{Kind: Node, Hard: true})
	if r.Outcome != Passed || r.Target != 1 || r.Successor != 3 {
		t.Fatalf("%s %s, %d gave way to %d", r.Outcome, r.Because, r.Target, r.Successor)
	}
	m := r.Measured
	if r.TookOver < 295*time.Millisecond || r.TookOver > 320*time.Millisecond ||
		m.Gap < 300*time.Millisecond || m.Gap > 360*time.Millisecond {
		t.Errorf("taken over after %s, back after %s; it took 300ms", r.TookOver, m.Gap)
	}
	if m.Usual > 30*time.Millisecond || m.Before.P99 != 5*time.Millisecond {
		t.Errorf("usual is %s, p99 %s; there was an answer each 25 ms, after 5", m.Usual, m.Before.P99)
	}
	if len(r.Books) != 3 || r.Whole == 0 || len(r.Advice) != 1 {
		t.Errorf("books %v, whole after %s, advice %v", r.Books, r.Whole, r.Advice)
	}
}

func TestLinkDrill(t *testing.T) {
	c := newTwin()
	r := try(t, c, Order{Kind: Link, Center: "issuer", Link: "l0"})
	if r.Outcome != Passed || r.Detected == 0 || r.Detected > 50*time.Millisecond ||
		c.hurts[0].Link != "l0" {
		t.Errorf("%s %s, the other link after %s, %+v", r.Outcome, r.Because, r.Detected, c.hurts)
	}
	if len(c.healed) != 0 {
		t.Error("a fault that ended by itself was ended again")
	}
}

// Whatever goes wrong is undone, and says what.
func TestBadSignsEndADrill(t *testing.T) {
	for want, bad := range map[string]func(*twin){
		"node 3 isn't there either": func(c *twin) { c.loses = 3 },
		"refused or reversed":       func(c *twin) { c.declines = true },
		"no issuer's answer came":   func(c *twin) { c.takes = time.Minute },
		"it couldn't be done":       func(c *twin) { c.refuses = errors.New("no") },
	} {
		c := newTwin()
		bad(c)
		o := Order{Kind: Network}
		o.Bounds.Refused, o.Bounds.Silence = 20, 2*time.Second
		r := try(t, c, o)
		if r.Outcome != Aborted || !strings.Contains(r.Because, want) {
			t.Errorf("%s: %s %s", want, r.Outcome, r.Because)
		}
		if len(c.healed) != 1 || c.healed[0] != r.ID {
			t.Errorf("%s: it wasn't undone: %v", want, c.healed)
		}
	}
}

// Who ordered it may go away at any time; what was done is undone all the same.
func TestWhoOrderedItLeaves(t *testing.T) {
	c, o := newTwin(), Order{Kind: Network, Why: "test"}
	if err := o.Complete(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithTimeout(t.Context(), o.Before+o.Lasts/2)
		defer leave()
		r := Run(ctx, c, o, func(Event) {})
		if r.Outcome != Aborted || len(c.healed) != 1 {
			t.Errorf("%s %s, undone %v", r.Outcome, r.Because, c.healed)
		}
	})
}

func TestFindingsFailADrill(t *testing.T) {
	c := newTwin()
	c.sums[2] = "other"
	r := try(t, c, Order{Kind: Node})
	if r.Outcome != Failed || !strings.Contains(r.Because, "node 2's journal") ||
		!strings.Contains(strings.Join(r.Advice, " "), "take node 2 out of service") {
		t.Errorf("%s %s, %v", r.Outcome, r.Because, r.Advice)
	}
}

// Nothing is touched unless all is well, nor by a dry run.
func TestNothingIsTouched(t *testing.T) {
	link, node := Order{Kind: Link, Center: "issuer", Link: "l0"}, Order{Kind: Node}
	for name, one := range map[string]struct {
		order Order
		spoil func(*twin)
		want  Outcome
	}{
		"dry run":          {Order{Kind: Node, DryRun: true}, func(*twin) {}, Ready},
		"another drill":    {node, func(c *twin) { c.state.Practises = "x" }, Refused},
		"a node away":      {node, func(c *twin) { c.state.Members[2].Connected = false }, Refused},
		"a node lags":      {node, func(c *twin) { c.state.Members[1].InSync = false }, Refused},
		"near a day's end": {node, func(c *twin) { c.state.ToCutOver = time.Second }, Refused},
		"a backup":         {node, func(c *twin) { c.state.Backing = true }, Refused},
		"a full work list": {node, func(c *twin) { c.state.Shelved = 1000 }, Refused},
		"much owed":        {node, func(c *twin) { c.state.Owed = 5000 }, Refused},
		"alone":            {node, func(c *twin) { c.state.Alone = true }, Refused},
		"no supervisor": {Order{Kind: Node, Hard: true},
			func(c *twin) { c.state.Supervised = false }, Refused},
		"on the active node": {Order{Kind: Disk},
			func(c *twin) { c.state.Node, c.leader = 2, 2 }, Refused},
		"no traffic":         {node, func(c *twin) { c.silent = true }, Refused},
		"no other link":      {link, func(c *twin) { c.state.Lines[1].Up = false }, Refused},
		"a link that's held": {link, func(c *twin) { c.state.Lines[0].Held = true }, Refused},
		"no learner":         {Order{Kind: Site}, func(*twin) {}, Refused},
	} {
		c := newTwin()
		one.spoil(c)
		r := try(t, c, one.order)
		if r.Outcome != one.want || len(c.hurts) != 0 {
			t.Errorf("%s: %s %s, hurt %v", name, r.Outcome, r.Because, c.hurts)
		}
		if len(r.Advice) == 0 || strings.HasSuffix(r.Advice[0], ": ") {
			t.Errorf("%s: no hint: %q", name, r.Advice)
		}
	}
}

func TestRestoreDrill(t *testing.T) {
	c := newTwin()
	if r := try(t, c, Order{Kind: Restore}); r.Outcome != Passed || r.Restored.Lacks != 7 {
		t.Errorf("%s %s", r.Outcome, r.Because)
	}
	c.refuses = errors.New("damaged")
	if r := try(t, c, Order{Kind: Restore}); r.Outcome != Failed || r.Because != "damaged" {
		t.Errorf("%s %s", r.Outcome, r.Because)
	}
}

func TestOrdersAreBounded(t *testing.T) {
	for _, o := range []Order{{Kind: "fire", Why: "x"}, {Kind: Node}, {Kind: Link, Why: "x"},
		{Kind: Disk, Why: "x", Lasts: 5 * time.Second}, {Kind: Network, Why: "x", Lasts: time.Hour}} {
		if o.Complete() == nil {
			t.Errorf("%+v passes", o)
		}
	}
}

func TestWhatWasInDoubt(t *testing.T) {
	w, begin := NewWatch(), time.Unix(1000, 0)
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	take := func(ms int, k journal.Kind, seq, txn uint64, roles ...journal.Role) {
		r := record(k, seq, txn, at(ms))
		for _, role := range roles {
			r.Add(journal.Image{Role: role})
		}
		r.Key[0] = 1 // one question for all of them
		w.Take(r, at(ms))
	}
	take(10, journal.Opened, 1, 1)
	take(11, journal.Opened, 2, 2)
	take(12, journal.Opened, 3, 3)
	take(13, journal.Opened, 4, 4)
	take(20, journal.Closed, 5, 1, journal.Answer)
	take(130, journal.Closed, 6, 2, journal.Answer)
	take(140, journal.Closed, 7, 3, journal.Advice)
	m := w.Measure(begin, at(90), at(100), at(200))
	if m.InDoubt != (Fates{All: 3, Answered: 1, Reversed: 1, Open: 1}) {
		t.Errorf("in doubt %+v", m.InDoubt)
	}
	if m.Doubled != 1 {
		t.Errorf("%d doubled; the question was approved twice", m.Doubled)
	}
	if m.Gap != 110*time.Millisecond || m.Back != 40*time.Millisecond || m.Answers[2] != 1 ||
		m.Answers[13] != 1 {
		t.Errorf("gap %s, back %s, %v", m.Gap, m.Back, m.Answers)
	}
	take(150, journal.Reversed, 8, 2)
	if m := w.Measure(begin, at(90), at(100), at(200)); m.Doubled != 0 {
		t.Error("one that was taken back is no double")
	}
}

func TestCalendar(t *testing.T) {
	now, day := time.Unix(1e9, 0), 24*time.Hour
	history := []Summary{{ID: "b", Kind: Node, Outcome: Passed, Begun: now.Add(-10 * day)},
		{ID: "c", Kind: Node, Outcome: Aborted, Begun: now.Add(-day)},
		{ID: "a", Kind: Link, Outcome: Passed, Begun: now.Add(-50 * day)}}
	due := Calendar([]Rule{{Node, 30 * day}, {Link, 30 * day}, {Restore, day}}, history, now)
	if due[0].Overdue || due[0].LastID != "b" || !due[0].Due.Equal(now.Add(20*day)) {
		t.Errorf("node %+v: an aborted one doesn't count", due[0])
	}
	if !due[1].Overdue || !due[2].Overdue || !due[2].Last.IsZero() {
		t.Errorf("link %+v, restore %+v", due[1], due[2])
	}
}

func TestHistoryComesBack(t *testing.T) {
	h := History(t.TempDir())
	r := try(t, newTwin(), Order{Kind: Node})
	if err := h.Keep(r); err != nil {
		t.Fatal(err)
	}
	back, err := h.Report(r.ID)
	if err != nil || back.Measured.Gap != r.Measured.Gap || back.Outcome != Passed {
		t.Errorf("%+v, %v", back, err)
	}
	back.Seen(Count{Unexplained: 2})
	if back.Outcome != Failed {
		t.Error("two unexplained transactions passed")
	}
	list, err := h.List()
	if err != nil || len(list) != 1 || list[0].ID != r.ID {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := h.Report("../" + r.ID); err == nil {
		t.Error("a report was read from another folder")
	}
}

func TestPage(t *testing.T) {
	r := try(t, newTwin(), Order{Kind: Node, Hard: true})
	r.Order.Why = "<script>alert(1)</script>"
	var page bytes.Buffer
	if err := r.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{r.ID, "<svg", "fault", "What to do", "node 3 leads"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page.String(), "<script") {
		t.Error("what somebody wrote became part of the page")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"id":"20261126T000000Z-node","outcome":"passed","measured":{"step_ns":1}}`))
	f.Add([]byte(`{"fault":"2026-11-26T00:00:00Z","measured":{"answers":[1],"step_ns":0}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(text)
		if err != nil {
			return
		}
		r.Rows()
		r.advise()
		var page bytes.Buffer
		if err := r.WriteHTML(&page); err != nil {
			t.Fatal(err)
		}
	})
}

package lab

import (
	"testing"
	"time"
)

// TestGap: the longest time without an issuer's approval counts, from answer to answer and up to
// the ends of the span; refusals don't count as answers.
func TestGap(t *testing.T) {
	began := time.Unix(1_800_000_000, 0)
	at := func(ms int, approved bool) answer {
		return answer{at: began.Add(time.Duration(ms) * time.Millisecond), took: time.Millisecond,
			approved: approved}
	}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	steady := []answer{at(-50, true), at(10, true), at(20, true), at(30, false), at(70, true),
		at(95, true)}
	for _, c := range []struct {
		answers  []answer
		from, to int
		length   time.Duration
	}{
		{steady, 0, 100, ms(50)},
		{steady, 0, 60, ms(40)},
		{steady, 50, 400, ms(305)},
		{nil, 0, 100, ms(100)},
		{[]answer{at(30, false)}, 0, 100, ms(100)},
	} {
		g := gapOf(c.answers, began.Add(ms(c.from)), began.Add(ms(c.to)))
		if g.length != c.length || g.to.Sub(g.from) != c.length {
			t.Errorf("%d to %d: %s, not %s", c.from, c.to, g.length, c.length)
		}
	}
}

// TestMeasure: what came before the fault is neither slow nor declined because of it.
func TestMeasure(t *testing.T) {
	fault := time.Unix(1_800_000_000, 0)
	var answers []answer
	for ms := -1000; ms < 3000; ms += 10 {
		if ms < 0 || ms >= 400 {
			answers = append(answers, answer{at: fault.Add(time.Duration(ms) * time.Millisecond),
				took: time.Millisecond, approved: true})
		}
	}
	answers = append([]answer{{at: fault.Add(-time.Second), took: time.Minute}}, answers...)
	answers = append(answers, answer{at: fault.Add(3 * time.Second), took: time.Minute, approved: true,
		undone: true}) // a cancellation is no slow sale
	m := measure(Kill, fault, answers)
	if m.Gap != 410*time.Millisecond || m.After != 400*time.Millisecond || m.Declined != 0 ||
		m.P99 != time.Millisecond {
		t.Errorf("%+v", m)
	}
}

// TestPlan: a plan can be cut down, and knows what there is.
func TestPlan(t *testing.T) {
	plan, err := Plan(20, []string{"cut", "kill"})
	if err != nil || len(plan) != 2 || plan[0].Kind != Cut || plan[1] != (Trial{Kill, 20}) {
		t.Errorf("%v, %v", plan, err)
	}
	if _, err := Plan(1, []string{"hug"}); err == nil {
		t.Error("a fault that isn't there")
	}
	all, err := Plan(1, nil)
	if err != nil || len(all) != len(Kinds())-3 { // upgrade, restart and site are runs of their own
		t.Errorf("%v, %v", all, err)
	}
}

// TestBooksAgree: one may go a little further than the other, but not elsewhere.
func TestBooksAgree(t *testing.T) {
	of := func(from, to uint64, shift int64) *book {
		b := &book{last: to, times: make(map[uint64]int64)}
		for seq := from; seq <= to; seq++ {
			b.times[seq] = int64(seq) + shift
		}
		return b
	}
	for _, c := range []struct {
		a, b *book
		want bool
	}{
		{of(1, 2000, 0), of(1, 2000, 0), true},
		{of(1001, 2000, 0), of(1003, 2002, 0), true},
		{of(1001, 2000, 0), of(1001, 2000, 1), false},
		{of(1001, 2000, 0), of(5001, 6000, 0), false},
		{of(1, 5, 0), of(1, 7, 0), true},
	} {
		if got := c.a.agrees(c.b); got != c.want {
			t.Errorf("through %d and %d: %v", c.a.last, c.b.last, got)
		}
	}
}

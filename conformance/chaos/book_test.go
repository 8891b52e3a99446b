package chaos

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cardswitch/conformance/load/wire"
	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/spec/rule"
)

var moment = time.Date(2026, 4, 1, 15, 30, 0, 0, time.UTC)

func newSale(k kind) *sale {
	return &sale{
		kind:   k,
		ask:    message{audit: 1, local: localTime(moment), action: none},
		cancel: message{audit: 2, local: localTime(moment), action: none},
	}
}

func scan(t *testing.T, frame []byte, err error) *wire.Message {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	body, _ := wire.Next(frame)
	m := &wire.Message{}
	if !m.Scan(body) {
		t.Fatal("can't be walked")
	}
	return m
}

// The composer writes by its own code; here the switch's code says that what it writes is right.
func TestMessagesKeepTheRules(t *testing.T) {
	d, err := dialect.Builtin("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	c := newComposer(0)
	for k := plain; k <= offline; k++ {
		for _, repeat := range []bool{false, true} {
			ask, err := c.request(1, newSale(k), repeat)
			asked := scan(t, ask, err)
			reversal, err := c.reversal(1, newSale(k), repeat)
			for _, m := range []*wire.Message{asked, scan(t, reversal, err)} {
				var message spec.Message
				if f := d.Index(&message, m.Raw); !f.OK() {
					t.Fatalf("%d: %v", m.MTI(), f.Err())
				}
				if f := rule.Standard().Check(&message); !f.OK() {
					t.Errorf("%d: %v", m.MTI(), f.Err())
				}
			}
		}
	}
}

func TestLocalTimeIsThatOfTokyo(t *testing.T) {
	if got := localTime(moment); got != 260402003000 {
		t.Errorf("00:30 of the next day in Tokyo is %d", got)
	}
}

func TestBookAnswersTheSameQuestionOnce(t *testing.T) {
	c, s := newComposer(0), newSale(plain)
	build := func(frame []byte, err error) *wire.Message { return scan(t, frame, err) }
	first := build(c.request(1, s, false))
	repeat := build(c.request(1, s, true))
	other := build(c.request(2, s, false)) // the same question about another sale
	undo := build(c.reversal(1, s, false))
	undoAgain := build(c.reversal(1, s, true))
	steps := map[string]struct {
		messages []*wire.Message
		stands   int
		counts   bookCounts
	}{
		"posted":          {[]*wire.Message{first}, 1, bookCounts{}},
		"repeated":        {[]*wire.Message{first, repeat}, 1, bookCounts{Repeats: 1}},
		"only the repeat": {[]*wire.Message{repeat}, 1, bookCounts{}},
		"collision":       {[]*wire.Message{first, other}, 1, bookCounts{Collisions: 1}},
		"reversed":        {[]*wire.Message{first, undo}, 0, bookCounts{Undone: 1}},
		"reversed twice": {[]*wire.Message{first, undo, undoAgain}, 0,
			bookCounts{Undone: 1, Repeats: 1}},
		"reversed ahead": {[]*wire.Message{undo, first}, 0, bookCounts{Ahead: 1}},
		"repeat after end": {[]*wire.Message{first, undo, repeat}, 0,
			bookCounts{Undone: 1, Repeats: 1}},
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			b := newBook()
			for _, m := range step.messages {
				if m.MTI()/10 == 142 {
					b.reverse(m)
					continue
				}
				b.post(m, false)
			}
			standing := map[wire.Reference]int{}
			b.tally(standing, &Report{})
			if got := standing[wire.Reference{Sequence: 1}]; got != step.stands {
				t.Errorf("stands %d times, want %d", got, step.stands)
			}
			if diff := cmp.Diff(step.counts, b.counts); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCompareFindsWhatDoesNotMatch(t *testing.T) {
	answered := func(k kind, ask, cancel int16) sale {
		s := newSale(k)
		s.ask.action, s.cancel.action = ask, cancel
		return *s
	}
	cases := map[string]struct {
		sale   sale
		stands int
		want   Report
	}{
		"approved":              {answered(plain, 0, none), 1, Report{Approved: 1}},
		"lost":                  {answered(plain, 0, none), 0, Report{Approved: 1, Lost: 1}},
		"double":                {answered(plain, 0, none), 2, Report{Approved: 1, Double: 1}},
		"declined":              {answered(plain, 116, none), 0, Report{Declined: 1}},
		"declined but posted":   {answered(plain, 116, none), 1, Report{Declined: 1, Unexplained: 1}},
		"timed out":             {answered(plain, 911, none), 0, Report{Refused: 1}},
		"timed out but posted":  {answered(plain, 911, none), 1, Report{Refused: 1, Unexplained: 1}},
		"told afterwards":       {answered(offline, 900, none), 1, Report{Approved: 1}},
		"told, but lost":        {answered(offline, 900, none), 0, Report{Approved: 1, Lost: 1}},
		"taken back":            {answered(cancelled, 0, 400), 0, Report{TakenBack: 1}},
		"taken back in vain":    {answered(cancelled, 0, 400), 1, Report{TakenBack: 1, Unexplained: 1}},
		"given up":              {answered(hasty, none, 914), 0, Report{TakenBack: 1}},
		"given up, but charged": {answered(hasty, none, 400), 1, Report{TakenBack: 1, Unexplained: 1}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got Report
			standing := map[wire.Reference]int{{Lane: 3, Sequence: 1}: c.stands}
			compare(3, []sale{{}, c.sale}, standing, &got)
			c.want.Transactions = 1
			if len(got.Examples) != got.Lost+got.Double+got.Unexplained {
				t.Errorf("examples are %q", got.Examples)
			}
			got.Examples = nil
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

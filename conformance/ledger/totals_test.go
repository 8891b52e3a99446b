package ledger

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cardswitch/conformance/format"
)

// The worked check of the reference, section 5.7: three sales, one of them cancelled, one return.
func day(t *testing.T) *Postings {
	t.Helper()
	l := NewPostings()
	l.Assign = func(string) (string, int) { return "261126", 1 }
	for n, amount := range []int64{1000, 2000, 3000} {
		l.Ask(sale(fmt.Sprintf("%06d", n+1), amount), approve)
	}
	l.Ask(sale("000004", 500).Set(3, "200000"), approve)
	l.Reverse(reversalOf(sale("000002", 2000), "000005"), "400")
	return l
}

func TestTotalsOfBothConventions(t *testing.T) {
	totals := day(t).Totals("261126", 0, "")
	for convention, want := range map[string]map[int]string{
		ByEffect: {74: "0000000001", 86: "0000000000000500", 75: "0000000001",
			87: "0000000000002000", 76: "0000000003", 88: "0000000000006000", 77: "0000000000",
			89: "0000000000000000", 97: "D0000000000003500"},
		ByOriginal: {75: "0000000000", 87: "0000000000000000", 77: "0000000001",
			89: "0000000000002000", 97: "D0000000000003500"},
	} {
		m := totals.Put(format.New("1530"), convention)
		for n, v := range want {
			if m.Get(n) != v {
				t.Errorf("%s: element %d is %s, want %s", convention, n, m.Get(n), v)
			}
		}
		if m.Has(81) || m.Has(90) {
			t.Errorf("%s: it speaks of what there is none of: %v", convention, m)
		}
		back, ok := ReadTotals(m, convention)
		if diff := cmp.Diff(totals, back); diff != "" || !ok {
			t.Errorf("%s: read back %v\n%s", convention, ok, diff)
		}
	}
}

func TestJudge(t *testing.T) {
	ours := day(t).Totals("261126", 0, "")
	other := func(b Bucket, s Sum) Totals {
		t := day(t).Totals("261126", 0, "")
		t[b] = s
		return t
	}
	for name, c := range map[string]struct {
		theirs Totals
		want   string
	}{
		"the same":       {day(t).Totals("261126", 0, ""), "500"},
		"another amount": {other(Debit, Sum{3, 6001}), "502"},
		"another number": {other(Debit, Sum{4, 6000}), "504"},
		"a hold more":    {other(Authorized, Sum{1, 0}), "504"},
	} {
		if got := ours.Judge(c.theirs); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestWhatCounts(t *testing.T) {
	l := NewPostings()
	l.Assign = func(named string) (string, int) { return "2611" + named, 1 }
	first := sale("000001", 1000)
	l.Ask(first.Set(28, "26"), approve)
	l.Ask(first.Clone().As("1201"), approve) // a repeat counts once
	l.Ask(sale("000002", 50), func() Decision { return Decision{Action: "116"} })
	l.Ask(sale("000003", 700).As("1100"), approve)
	l.Ask(sale("000004", 0).Set(3, "310000"), approve)
	l.Reverse(reversalOf(sale("000009", 1), "000010"), "400") // of nothing
	l.Ask(sale("000009", 1), approve)                         // which comes too late
	// In part, and a day later; then all of it.
	part := reversalOf(first, "000011").Set(24, "401").Set(4, "000000000400").Set(28, "27")
	l.Reverse(part, "400")
	l.Reverse(reversalOf(first, "000012").Set(28, "27"), "400")
	want := map[string]Totals{
		"261126": {Debit: {1, 1000}},
		"2611":   {Authorized: {1, 0}, Inquiry: {1, 0}},
		"261127": {DebitUndone: {2, 1000}},
	}
	for day, totals := range want {
		if diff := cmp.Diff(totals, l.Totals(day, 0, "")); diff != "" {
			t.Errorf("%s: %s", day, diff)
		}
	}
}

func TestFalsify(t *testing.T) {
	for how, want := range map[string]Sum{
		Drop: {2, 5000}, Double: {4, 7000}, Alter: {3, 7000},
	} {
		l := day(t)
		key := Key(sale("000001", 1000))
		l.Falsify(key, how)
		if got := l.Totals("261126", 0, "")[Debit]; got != want {
			t.Errorf("%s: %+v, want %+v", how, got, want)
		}
		l.Repair()
		if got := l.Totals("261126", 0, "")[Debit]; got != (Sum{3, 6000}) {
			t.Errorf("%s, repaired: %+v", how, got)
		}
		if _, v := l.Ask(sale("000001", 1000).As("1201"), nil); v != Again {
			t.Errorf("%s: a repeat is a first", how)
		}
	}
}

// What is written into a message is read back the same, in either convention.
func TestTotalsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		totals := make(Totals)
		for _, p := range places(ByEffect) {
			s := Sum{Number: rapid.Int64Range(0, 9999999999).Draw(t, "number")}
			if p.amount != 0 {
				s.Amount = rapid.Int64Range(0, 9999999999999999).Draw(t, "amount")
			}
			if s != (Sum{}) {
				totals[p.bucket] = s
			}
		}
		convention := rapid.SampledFrom([]string{ByEffect, ByOriginal}).Draw(t, "convention")
		back, _ := ReadTotals(totals.Put(format.New("1520"), convention), convention)
		if diff := cmp.Diff(totals, back); diff != "" {
			t.Fatal(diff)
		}
	})
}

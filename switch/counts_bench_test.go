package cardswitch

import (
	"testing"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	reference "cardswitch/spec/sample"
	"cardswitch/store/journal"
	"cardswitch/store/total"
	"cardswitch/switch/settle"
	"cardswitch/switch/txn"
)

// counting is what the path of an approved sale does for the totals: its period, and what it moves.
type counting struct {
	s        *Switch
	from, to *center
	r        *txn.Row
	m        *spec.Message
	table    *total.Table
	dirty    total.Dirty
}

func newCounting(t testing.TB) *counting {
	t.Helper()
	d, err := dialect.Builtin("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	raw, fault := d.Append(nil, nil, reference.Financial())
	m := new(spec.Message)
	if !fault.OK() || !d.Index(m, raw).OK() {
		t.Fatal("the sample can't be written")
	}
	c := &counting{s: new(Switch), from: &center{id: 1, profile: &profile{id: 1}}, m: m,
		table: total.NewTable(nil), r: &txn.Row{MTI: 0x1200, Currency: 392, Amount: 500}}
	book := new(settle.Book)
	book.CutOver(261126, 1, 1)
	c.to = &center{id: 2, book: book, profile: &profile{id: 2,
		settling: &settling{config: &ReconciliationConfig{Date: DateUs}}}}
	return c
}

func (c *counting) one() {
	c.s.edit.Reset()
	in, _ := c.s.inPeriod(1, c.to, 0)
	c.r.Day, c.r.Slice = in.day, in.slice
	c.s.rec = journal.Record{Kind: journal.Closed, Center: 1, Dest: 2, Amount: c.r.Amount}
	c.s.counts(1, &c.s.rec, c.from, c.to, c.r, c.m, true)
	c.table.Count(&c.s.rec, &c.dirty)
}

func TestCountingDoesNotAllocate(t *testing.T) {
	c := newCounting(t)
	c.one()
	if n := testing.AllocsPerRun(1000, c.one); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if sums := c.table.Of(2, 261126, 0)[392]; sums[total.Debit].Number < 1000 {
		t.Errorf("%+v", sums)
	}
}

func BenchmarkCounting(b *testing.B) {
	c := newCounting(b)
	b.ReportAllocs()
	for b.Loop() {
		c.one()
	}
}

// BenchmarkNotCounting is what a center costs that has no business days.
func BenchmarkNotCounting(b *testing.B) {
	c := newCounting(b)
	c.to.settling = nil
	b.ReportAllocs()
	for b.Loop() {
		c.one()
	}
}

package routing

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
)

func message(t *testing.T, values map[int]string) *spec.Message {
	t.Helper()
	d, err := dialect.Builtin("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	var e spec.Edit
	e.SetMTI(0x1200)
	for n, value := range values {
		e.Set(n, []byte(value))
	}
	raw, fault := d.Append(nil, nil, &e)
	if !fault.OK() {
		t.Fatal(fault)
	}
	m := new(spec.Message)
	if fault := d.Index(m, raw); !fault.OK() {
		t.Fatal(fault)
	}
	return m
}

func TestQueryOfTakesEveryElement(t *testing.T) {
	items, _ := spec.AppendItem(nil, spec.TagSlipNumber, []byte("000017"))
	items, _ = spec.AppendItem(items, spec.TagCompanyCode, []byte("00123"))
	items, _ = spec.AppendItem(items, spec.TagKID, []byte("739"))
	m := message(t, map[int]string{2: "4539123400000008", 3: "200030", 4: "000000001000",
		26: "5411", 32: "12345678901", 48: string(items)})
	got := QueryOf(m, 77)
	want := *ask("4539123400000008", func(q *Query) {
		q.ProcessingCode, q.Amount, q.Category, q.Acquirer = 200030, 1000, 5411, 12345678901
		q.Company, q.KID, q.At = 123, 739, 77
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, sample(t).Query(m, 77)); diff != "" {
		t.Error("a table with rules on items:", diff)
	}
	plain, err := Parse("plain", []byte(`ranges: [{any: true, destinations: [a]}]`), []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	want.Company, want.KID = 0, 0
	if diff := cmp.Diff(want, plain.Query(m, 77)); diff != "" {
		t.Error("a table without rules on items:", diff)
	}
	if n := testing.AllocsPerRun(100, func() { QueryOf(m, 77) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

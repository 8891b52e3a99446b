package audit

import (
	"context"
	"sync"
	"testing"
)

// BenchmarkAppend is one after the other, on the disk of the machine: what an operator waits.
func BenchmarkAppend(b *testing.B) {
	o := Options{Dir: b.TempDir() + "/audit"}
	create(b, o)
	l := open(b, o)
	for b.Loop() {
		record(b, l, 1)
	}
	closeLog(b, l)
}

// BenchmarkAppendTogether is 64 at a time.
func BenchmarkAppendTogether(b *testing.B) {
	o := Options{Dir: b.TempDir() + "/audit"}
	create(b, o)
	l := open(b, o)
	for b.Loop() {
		var group sync.WaitGroup
		for n := range 64 {
			group.Go(func() { _, _ = l.Append(context.Background(), act(n)) })
		}
		group.Wait()
	}
	closeLog(b, l)
}

// BenchmarkVerify is by the first key, a record.
func BenchmarkVerify(b *testing.B) {
	s := newSample(b, 200)
	records := len(s.lines(b))
	for b.Loop() {
		if _, err := Verify("audit", s.byKey()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
}

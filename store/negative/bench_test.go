package negative

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// millions is how many millions of cards the benchmarks list; MILLIONS says otherwise.
func millions() int {
	if n, err := strconv.Atoi(os.Getenv("MILLIONS")); err == nil {
		return n
	}
	return 10
}

func bigFile(b testing.TB, n int) (*File, time.Duration) {
	b.Helper()
	began := time.Now()
	builder := NewBuilder(vfs.Default, b.TempDir(), id(1))
	for i := range uint64(n) {
		if err := builder.Add(&Entry{hashOf(i), Terms{Action: 200, Reason: 3000}}); err != nil {
			b.Fatal(err)
		}
	}
	f, _, err := builder.Finish(nil)
	if err != nil {
		b.Fatal(err)
	}
	return f, time.Since(began)
}

// BenchmarkLookup looks up cards of which one in ten is listed, in a list of ten million.
func BenchmarkLookup(b *testing.B) {
	n := millions() * 1_000_000
	f, took := bigFile(b, n)
	b.Logf("%d cards sorted, written and checked in %v", n, took)
	l := newList(7, time.UTC)
	l.files.Store(&[]filed{{file: f}})
	cards := make([]Hash, 1<<20)
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range cards {
		cards[i] = hashOf(rng.Uint64N(uint64(n) * 10))
	}
	now := time.Now().UnixNano()
	b.Run("mean", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			l.Lookup(&cards[i&(1<<20-1)], now)
			i++
		}
	})
	b.Run("tail", func(b *testing.B) { // each one timed, the clock's 40 ns included
		took := make([]time.Duration, len(cards))
		for b.Loop() {
			for i := range cards {
				began := time.Now()
				l.Lookup(&cards[i], now)
				took[i] = time.Since(began)
			}
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
		b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
		b.ReportMetric(float64(took[len(took)*999/1000].Nanoseconds()), "p999-ns")
	})
}

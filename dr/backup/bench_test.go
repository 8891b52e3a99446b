package backup

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"cardswitch/store/journal"
)

// BenchmarkBackup copies a journal of half a gigabyte, then what 1 % more adds, then verifies it.
// Run it with -benchtime 1x.
func BenchmarkBackup(b *testing.B) {
	for range b.N {
		y := newYardIn(b, filepath.Join(b.TempDir(), "data"), 1)
		r := testRepository(b, Folder(filepath.Join(b.TempDir(), "target")))
		y.grow(512 << 20)
		y.restart()
		report := func(name string, fn func() Manifest) {
			begun := time.Now()
			m := fn()
			took := time.Since(begun)
			b.Logf("%s: %d of %d MB copied, to record %d, in %s, %.0f MB/s", name, m.Copied>>20,
				m.Bytes>>20, m.Journal.Last, took.Round(time.Millisecond),
				float64(m.Bytes)/1e6/took.Seconds())
		}
		create := func() Manifest { return y.backup(r, Options{}) }
		report("first", create)
		report("nothing new", create)
		y.grow(5 << 20)
		report("1 % more", create)
		report("verify", func() Manifest {
			m, err := r.Find(context.Background(), "")
			must(b, err)
			scratch := filepath.Join(b.TempDir(), "scratch")
			_, err = r.Verify(context.Background(), &m, scratch, dataKey, nil)
			must(b, err)
			m.Copied = 0
			return m
		})
		y.close()
	}
}

// grow commits records of so many bytes that can't be compressed.
func (y *yard) grow(size int) {
	b := y.store.NewBatch()
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(y.rng.Uint32())
	}
	for size > 0 {
		for range 200 {
			y.n++
			r := journal.Record{At: int64(y.n) * 1_000_000, Kind: journal.Event, Center: 1}
			at := y.rng.IntN(len(noise) - 1000)
			r.Add(journal.Image{Role: journal.Request, Data: noise[at : at+250]})
			b.Append(&r)
			size -= 250
		}
		must(y.t, y.store.Commit(b))
	}
}

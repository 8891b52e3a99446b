package backup

import (
	"context"
	"os"
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
	for size > 0 { // a batch of 200
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

// BenchmarkBeside commits as fast as it goes, in turns without and with tails every second and a
// backup in the middle, and tells what these cost: with a target on the journal's own disk, and
// with one in memory, as if it were elsewhere. Run it with -benchtime 1x.
func BenchmarkBeside(b *testing.B) {
	b.Run("disk", func(b *testing.B) { beside(b, b.TempDir()) })
	b.Run("memory", func(b *testing.B) {
		dir, err := os.MkdirTemp("/dev/shm", "")
		if err != nil {
			b.Skip(err)
		}
		b.Cleanup(func() { _ = os.RemoveAll(dir) })
		beside(b, dir)
	})
}

func beside(b *testing.B, target string) {
	for range b.N {
		y := newYardIn(b, filepath.Join(b.TempDir(), "data"), 1)
		y.cluster()
		r := testRepository(b, Folder(filepath.Join(target, "target")))
		y.backup(r, Options{})
		a := NewArchiver(r, y.store)
		var alone, beside int
		for range 3 {
			alone += y.busy(4*time.Second, func() {})
			beside += y.busy(4*time.Second, func() {
				for n := range 4 {
					if _, err := a.Archive(context.Background(), y.source()); err != nil {
						b.Error(err)
					}
					if n == 1 {
						y.backup(r, Options{})
					}
					time.Sleep(time.Second)
				}
			})
		}
		b.Logf("%d records alone, %d beside backups: %.1f %%", alone, beside,
			100*float64(beside)/float64(alone))
		y.close()
	}
}

// busy grows the journal for a time, beside something else, and tells by how many records.
func (y *yard) busy(d time.Duration, beside func()) int {
	done, before, end := make(chan struct{}), y.store.LastSeq(), time.Now().Add(d)
	go func() { defer close(done); beside() }()
	for time.Now().Before(end) {
		y.grow(50_000)
	}
	count := int(y.store.LastSeq() - before)
	<-done
	return count
}

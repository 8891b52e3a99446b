package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func get(t *testing.T, s *Store, key string) string {
	t.Helper()
	v, ok, err := s.Get([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return "-"
	}
	return string(v)
}

func TestBeside(t *testing.T) {
	disk := vfs.NewMem()
	s := openOn(t, disk)
	b := s.NewBatch()
	then := 0
	key, value := []byte("a1"), []byte("one")
	b.Set(key, value)
	b.Set([]byte("a2"), nil)
	b.Set([]byte("b"), []byte("two"))
	b.Set([]byte("gone"), []byte("x"))
	b.Delete([]byte("gone"))
	b.Then(func() { then++ })
	key[0], value[0] = 'z', 'z' // nothing of them is kept
	if b.Empty() || b.Len() != 0 || b.Size() == 0 {
		t.Errorf("empty %v, %d records, %d bytes", b.Empty(), b.Len(), b.Size())
	}
	if got := get(t, s, "a1"); got != "-" || then != 0 {
		t.Errorf("before the commit: %q, told %d times", got, then)
	}
	if err := s.Commit(b); err != nil || then != 1 || !b.Empty() || b.Size() != 0 {
		t.Fatalf("%v, told %d times", err, then)
	}
	if s.LastSeq() != 0 {
		t.Errorf("%d records", s.LastSeq())
	}
	b.Then(func() { then++ })
	if b.Empty() {
		t.Error("a batch of which somebody wants to hear counts as empty")
	}
	if err := s.Commit(b); err != nil || then != 2 {
		t.Errorf("a batch without anything: %v, told %d times", err, then)
	}
	closeStore(t, s)
	s = openOn(t, disk)
	defer closeStore(t, s)
	for key, want := range map[string]string{"a1": "one", "a2": "", "b": "two", "gone": "-", "": "-"} {
		if got := get(t, s, key); got != want {
			t.Errorf("%q is %q, not %q", key, got, want)
		}
	}
	var found []string
	err := s.Scan([]byte("a"), []byte("b"), func(key, value []byte) bool {
		found = append(found, fmt.Sprintf("%s=%s", key, value))
		return true
	})
	if err != nil || fmt.Sprint(found) != "[a1=one a2=]" {
		t.Errorf("%v, %v", found, err)
	}
	n := 0
	if err := s.Scan(nil, []byte{0xff}, func(_, _ []byte) bool { n++; return false }); n != 1 {
		t.Errorf("%d keys after the scan was to end, %v", n, err)
	}
}

// TestBesideAtAPowerCut writes the number of a record beside it, in the same batch: after a cut
// both are there or neither, and what was told as durable is.
func TestBesideAtAPowerCut(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	disk := vfs.NewCrashableMem()
	for cut := range 6 {
		s := openOn(t, disk)
		var told atomic.Uint64
		done := make(chan error, 1)
		go func() {
			b := s.NewBatch()
			for range 20 + cut {
				seq := b.Append(&journal.Record{At: 1, Kind: journal.Settled})
				b.Set([]byte("last"), binary.BigEndian.AppendUint64(nil, seq))
				b.Set(fmt.Appendf(nil, "n%08d", seq), bytes.Repeat([]byte{1}, 100))
				b.Then(func() { told.Store(seq) })
				if err := s.Commit(b); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		time.Sleep(time.Duration(rng.IntN(8000)) * time.Microsecond)
		known := told.Load()
		after := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		disk = after
		s = openOn(t, disk)
		v, ok, err := s.Get([]byte("last"))
		last := s.LastSeq()
		if err != nil || ok != (last > 0) || ok && binary.BigEndian.Uint64(v) != last || last < known {
			t.Fatalf("cut %d: record %d, beside it %x, told was %d, %v", cut, last, v, known, err)
		}
		n := uint64(0)
		err = s.Scan([]byte("n"), []byte("o"), func(_, _ []byte) bool { n++; return true })
		if err != nil || n != last {
			t.Fatalf("cut %d: %d keys beside %d records, %v", cut, n, last, err)
		}
		closeStore(t, s)
	}
}

// TestThenIsNeverCalledInVain: what isn't durable isn't told.
func TestThenIsNeverCalledInVain(t *testing.T) {
	var broken atomic.Bool
	disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(o errorfs.Op) error {
		if broken.Load() && o.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return errorfs.ErrInjected
		}
		return nil
	}))
	s, err := Open(Options{Dir: "data", FS: disk, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	b := s.NewBatch()
	b.Set([]byte("key"), []byte("value"))
	b.Then(func() { t.Error("told as durable on a broken disk") })
	if err := s.Commit(b); err == nil {
		t.Error("committed on a broken disk")
	}
	_ = s.Close()
}

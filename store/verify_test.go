package store

import (
	"bytes"
	"errors"
	"testing"

	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// chunkKeys lists the keys of all chunks.
func chunkKeys(t *testing.T, s *Store) [][]byte {
	t.Helper()
	it, err := s.db.NewIter(within([]byte{familyChunk}))
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	var keys [][]byte
	for ok := it.First(); ok; ok = it.Next() {
		keys = append(keys, bytes.Clone(it.Key()))
	}
	return keys
}

func TestVerifyFindsDamage(t *testing.T) {
	damage := map[string]func(t *testing.T, s *Store, keys [][]byte) error{
		"flipped byte": func(t *testing.T, s *Store, keys [][]byte) error {
			v := valueOf(t, s, keys[3])
			v[len(v)/2] ^= 1
			return s.db.Set(keys[3], v, pebble.Sync)
		},
		"first chunk removed": func(_ *testing.T, s *Store, k [][]byte) error {
			return s.db.Delete(k[0], pebble.Sync)
		},
		"middle chunk removed": func(_ *testing.T, s *Store, k [][]byte) error {
			return s.db.Delete(k[4], pebble.Sync)
		},
		"last chunk removed": func(_ *testing.T, s *Store, k [][]byte) error {
			return s.db.Delete(k[len(k)-1], pebble.Sync)
		},
		"chunk replaced by a sound one": func(t *testing.T, s *Store, keys [][]byte) error {
			r := closedOf(1)
			r.Seq = 0
			var w journal.Writer
			h, err := journal.ReadHeader(valueOf(t, s, keys[2]))
			if err != nil {
				return err
			}
			w.Reset(h.First)
			for range h.Count {
				w.Append(&r)
			}
			forged := journal.NewSealer(s.keys, 0, h.Previous).Seal(nil, &w)
			return s.db.Set(keys[2], forged, pebble.Sync)
		},
		"chunks swapped": func(t *testing.T, s *Store, keys [][]byte) error {
			a, b := valueOf(t, s, keys[2]), valueOf(t, s, keys[4])
			return errors.Join(s.db.Set(keys[2], b, pebble.Sync), s.db.Set(keys[4], a, pebble.Sync))
		},
	}
	for name, do := range damage {
		t.Run(name, func(t *testing.T) {
			s := openOn(t, vfs.NewMem())
			defer closeStore(t, s)
			for i := range 4 {
				fill(t, s, i*10, 10)
			}
			told := 0
			report, err := s.Verify(func(uint64) { told++ })
			if err != nil || report.Records != 80 || report.Chunks != 8 || report.Last != 80 || told == 0 {
				t.Fatalf("before the damage: %+v %v", report, err)
			}
			if err := do(t, s, chunkKeys(t, s)); err != nil {
				t.Fatal(err)
			}
			if report, err = s.Verify(nil); !errors.Is(err, journal.ErrDamaged) {
				t.Errorf("not found: %+v %v", report, err)
			}
		})
	}
}

func valueOf(t *testing.T, s *Store, key []byte) []byte {
	t.Helper()
	v, closer, err := s.db.Get(key)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	return bytes.Clone(v)
}

// TestLostTailIsRefused: a journal that ends before what its index knows has lost something.
func TestLostTailIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	s := openOn(t, fs)
	fill(t, s, 0, 10)
	keys := chunkKeys(t, s)
	if err := s.db.Delete(keys[len(keys)-1], pebble.Sync); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	var e *Error
	if _, err := Open(Options{Dir: "data", FS: fs, Key: testKey}); !errors.As(err, &e) {
		t.Fatal("opened all the same:", err)
	}
	if err := fs.RemoveAll("data/index"); err != nil {
		t.Fatal(err)
	}
	closeStore(t, openOn(t, fs))
}

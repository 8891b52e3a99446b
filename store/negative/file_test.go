package negative

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cardswitch/store/wholefile"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// hashOf is a made-up card's hash: like a real one, its bits are as good as random.
func hashOf(n uint64) (h Hash) {
	rng := rand.NewPCG(n, 9)
	binary.BigEndian.PutUint64(h[:], rng.Uint64())
	binary.BigEndian.PutUint64(h[8:], rng.Uint64())
	return h
}

func id(generation uint64) Identity {
	return Identity{Issuer: 7, Generation: generation, Key: [8]byte{1, 2, 3}}
}

func build(t testing.TB, disk vfs.FS, dir string, i Identity, old *File, most int,
	entries ...Entry) (*File, Meta) {
	t.Helper()
	if err := disk.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b := NewBuilder(disk, dir, i)
	b.sorter.most = most
	for k := range entries {
		if err := b.Add(&entries[k]); err != nil {
			t.Fatal(err)
		}
	}
	f, m, err := b.Finish(old)
	if err != nil {
		t.Fatal(err)
	}
	return f, m
}

// TestFileIsTheLastEntryOfEachCard sorts in runs of a few entries, so that they are merged, and
// compares every lookup with a map.
func TestFileIsTheLastEntryOfEachCard(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 7, 8, 9, 300, 5000} {
		disk := vfs.NewMem()
		model := map[Hash]Terms{}
		var entries []Entry
		for range n {
			e := Entry{hashOf(rng.Uint64N(uint64(n))), Terms{Action: 200 + uint16(rng.UintN(9)),
				Reason: 3000, From: Day(rng.UintN(3)), Until: Day(rng.UintN(3))}}
			entries = append(entries, e)
			model[e.Card] = e.Terms
		}
		f, m := build(t, disk, "n", id(1), nil, 1+n/7, entries...)
		if f.Count() != uint64(len(model)) || m.Added != f.Count() ||
			m.Doubles != uint64(n-len(model)) {
			t.Fatalf("%d of %d entries: %+v, the model has %d", f.Count(), n, m, len(model))
		}
		for k := range uint64(n + 100) {
			card := hashOf(k)
			got, ok := f.Find(&card)
			if want, listed := model[card]; got != want || ok != listed {
				t.Fatalf("card %d of %d: %+v %v, want %+v %v", k, n, got, ok, want, listed)
			}
		}
		if names, _ := disk.List("n"); len(names) != 1 {
			t.Errorf("left lying: %v", names)
		}
	}
}

func TestDifference(t *testing.T) {
	disk := vfs.NewMem()
	e := func(n uint64, action uint16) Entry { return Entry{hashOf(n), Terms{Action: action}} }
	old, _ := build(t, disk, "n", id(1), nil, 2, e(1, 200), e(2, 200), e(3, 200), e(4, 200))
	_, m := build(t, disk, "n", id(2), old, 2, e(2, 200), e(3, 208), e(4, 200), e(5, 200), e(6, 100),
		e(6, 101))
	want := Difference{Added: 2, Kept: 2, Changed: 1, Removed: 1, Doubles: 1}
	if m.Difference != want {
		t.Errorf("%+v, want %+v", m.Difference, want)
	}
}

// TestEveryFlippedByteIsFound: whatever changes in a file, it isn't used.
func TestEveryFlippedByteIsFound(t *testing.T) {
	disk := vfs.NewMem()
	_, m := build(t, disk, "n", id(1), nil, 10, Entry{hashOf(1), Terms{Action: 200}},
		Entry{hashOf(2), Terms{Action: 100, Reason: 3004}})
	name := "n/" + id(1).name()
	content, _, err := hold(disk, name)
	if err != nil {
		t.Fatal(err)
	}
	use := func(b []byte, as Identity) error {
		f, err := check(b, as)
		if err != nil {
			return err
		}
		return m.fits(f)
	}
	if err := use(content, id(1)); err != nil {
		t.Fatal(err)
	}
	for i := range content {
		bad := slices.Clone(content)
		bad[i] ^= 1
		if err := use(bad, id(1)); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d: %v", i, err)
		}
		if err := use(content[:i], id(1)); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d: %v", i, err)
		}
	}
	for _, other := range []Identity{id(2), {8, 1, id(1).Key}, {7, 1, [8]byte{9}}} {
		if err := use(content, other); !errors.Is(err, ErrDamaged) {
			t.Errorf("as %+v: %v", other, err)
		}
	}
	// A whole file with its own sum, but not the one that was recorded.
	other, _ := build(t, disk, "m", id(1), nil, 10, Entry{hashOf(3), Terms{Action: 200}})
	if err := m.fits(other); !errors.Is(err, ErrDamaged) {
		t.Errorf("another file: %v", err)
	}
	if err := wholefile.SyncDir(disk, "n"); err != nil {
		t.Fatal(err)
	}
}

// TestOrderIsStable: of equal hashes in one run the later stays later.
func TestOrderIsStable(t *testing.T) {
	s := newSorter(vfs.NewMem(), "x")
	rng := rand.New(rand.NewPCG(3, 4))
	const n = 20_000
	for i := range n {
		e := Entry{hashOf(rng.Uint64N(100)), Terms{From: Day(i), Until: 1}}
		if err := s.add(&e); err != nil {
			t.Fatal(err)
		}
	}
	s.order()
	for at := entrySize; at < len(s.run); at += entrySize {
		a, b := entryOf(s.run[at-entrySize:]), entryOf(s.run[at:])
		if keyOf(b.Card[:]).before(keyOf(a.Card[:])) || a.Card == b.Card && a.From > b.From {
			t.Fatalf("at %d: %+v before %+v", at/entrySize, a, b)
		}
	}
}

func TestDays(t *testing.T) {
	tokyo := time.FixedZone("", 9*60*60)
	midnight := time.Date(2026, 11, 26, 15, 0, 0, 0, time.UTC)
	if a, b := DayOf(midnight.Add(-1), tokyo), DayOf(midnight, tokyo); b != a+1 ||
		b.String() != "2026-11-27" {
		t.Errorf("%v %v", a, b)
	}
	if Date(1969, 12, 31) != 0 || Date(2150, 1, 1) != 0 || Day(0).String() != "" {
		t.Error("days that can't be told")
	}
	for _, c := range []struct {
		terms Terms
		holds bool
	}{
		{Terms{}, true}, {Terms{From: 100}, true}, {Terms{From: 101}, false},
		{Terms{Until: 100}, true}, {Terms{Until: 99}, false}, {Terms{From: 90, Until: 110}, true},
	} {
		if c.terms.Holds(100) != c.holds {
			t.Errorf("%+v on day 100: %v", c.terms, !c.holds)
		}
	}
}

func FuzzTerms(f *testing.F) {
	f.Add(Terms{Action: 200, Reason: 3000, Until: 20000}.String())
	f.Add("action 100 reason 3004 from - until 2027-13-01")
	f.Fuzz(func(t *testing.T, s string) {
		terms, err := ParseTerms(s)
		if err != nil {
			return
		}
		if again, err := ParseTerms(terms.String()); again != terms || err != nil {
			t.Errorf("%q: %+v, then %+v, %v", s, terms, again, err)
		}
	})
}

func FuzzFile(f *testing.F) {
	disk := vfs.NewMem()
	build(f, disk, "n", id(1), nil, 10, Entry{hashOf(1), Terms{Action: 200}})
	content, _, _ := hold(disk, "n/"+id(1).name())
	f.Add(content)
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := check(b, id(1))
		if err != nil {
			return
		}
		n := uint64(0)
		_ = file.Each(func(e Entry) error {
			if _, ok := file.Find(&e.Card); !ok {
				t.Errorf("entry %d isn't found", n)
			}
			n++
			return nil
		})
		if n != file.Count() {
			t.Errorf("%d entries, not %d", n, file.Count())
		}
	})
}

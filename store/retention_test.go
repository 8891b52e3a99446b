package store

import (
	"errors"
	"testing"
	"time"

	"cardswitch/store/journal"
	"cardswitch/store/queue"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// today is the day for which the tests drop what is old.
var today = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// days writes ten transactions on each of the n days before today but skip, and returns the first
// of each.
func days(t *testing.T, s *Store, skip, n int) (first []uint64) {
	t.Helper()
	for ago := skip + n; ago > skip; ago-- {
		txns := fillAt(t, s, len(first)*10, 10, today.AddDate(0, 0, -ago))
		first = append(first, txns[0])
	}
	return first
}

// trimmed does what the keeper would in its hour, today.
func trimmed(t *testing.T, s *Store, retention int) uint64 {
	t.Helper()
	s.index.Flush()
	if err := s.trim(dayOf(at(-retention))); err != nil {
		t.Fatal(err)
	}
	return s.FirstSeq()
}

func TestRetentionDropsWholeDays(t *testing.T) {
	fs := vfs.NewMem()
	s := openOn(t, fs)
	first := days(t, s, 0, 6)
	check := func() {
		t.Helper()
		if got := trimmed(t, s, 3); got != first[3] { // the last three days before today stay
			t.Fatalf("the first record is %d, not %d", got, first[3])
		}
		for i := range 60 {
			_, ok, err := s.Find(questionOf(i))
			found, err2 := s.FindCard(s.HashPAN(mustPAN(t, cardOf(i))), 5)
			if kept := i >= 30; ok != kept || len(found) > 0 != kept || err != nil || err2 != nil {
				t.Fatalf("transaction %d: %v %v %v %v", i, ok, found, err, err2)
			}
		}
		if _, err := s.Transaction(first[2]); !errors.Is(err, ErrNotFound) {
			t.Errorf("a dropped transaction: %v", err)
		}
		report, err := s.Verify(nil)
		if err != nil || report.First != first[3] || report.Records != 60 {
			t.Fatalf("%+v %v", report, err)
		}
	}
	check()
	closeStore(t, s)
	s = openOn(t, fs)
	check()
	fill(t, s, 60, 1)
	closeStore(t, s)
}

func TestRetentionKeepsWhatIsNeeded(t *testing.T) {
	needs := map[string]struct{ keep, release func(b *Batch, txn uint64) }{
		"open": {
			func(b *Batch, _ uint64) { b.Append(&journal.Record{At: at(-4), Kind: journal.Opened}) },
			func(b *Batch, txn uint64) {
				b.Append(&journal.Record{At: at(0), Kind: journal.Closed, Txn: txn})
			},
		},
		"queued": {
			func(b *Batch, txn uint64) { b.Enqueue(4, queue.Entry{ID: txn + 500, Txn: txn}) },
			func(b *Batch, txn uint64) { b.Dequeue(4, txn+500) },
		},
		"on the work list": {
			func(b *Batch, txn uint64) { b.Shelve(4, queue.Entry{ID: txn, Txn: txn + 500}) },
			func(b *Batch, txn uint64) { b.Unshelve(txn) },
		},
	}
	for name, need := range needs {
		t.Run(name, func(t *testing.T) {
			s := openOn(t, vfs.NewMem())
			defer func() { closeStore(t, s) }()
			days(t, s, 4, 2)
			txn := s.LastSeq() + 1
			b := s.NewBatch()
			need.keep(b, txn)
			commit(t, s, b)
			later := days(t, s, 0, 4)
			if got := trimmed(t, s, 1); got != txn {
				t.Fatalf("the first record is %d, but %d is %s", got, txn, name)
			}
			if s.Health().RetentionHeld != txn {
				t.Errorf("held by %d", s.Health().RetentionHeld)
			}
			need.release(b, txn)
			commit(t, s, b)
			if got := trimmed(t, s, 1); got != later[3] || s.Health().RetentionHeld != 0 {
				t.Errorf("after the release the first record is %d, not %d", got, later[3])
			}
		})
	}
}

func at(days int) int64 { return today.AddDate(0, 0, days).UnixNano() }

// TestRetentionSurvivesAWrongClock: a day in the far future, in between, doesn't hold the days
// after it.
func TestRetentionSurvivesAWrongClock(t *testing.T) {
	table := segments{list: []segment{{1, 100}, {11, 9999}, {21, 101}, {31, 102}, {41, 103}}}
	for _, c := range []struct {
		day         int32
		keep        uint64
		cut, wanted uint64
	}{
		{100, 1000, 0, 0},
		{101, 1000, 11, 11},
		{102, 1000, 31, 31},
		{102, 30, 21, 31},
		{9000, 1000, 41, 41},
		{9000, 5, 0, 41},
	} {
		if cut, wanted := table.cut(c.day, c.keep); cut != c.cut || wanted != c.wanted {
			t.Errorf("before day %d, keeping %d: cut %d, wanted %d", c.day, c.keep, cut, wanted)
		}
	}
	if (&segments{}).last() != (segment{}) {
		t.Error("an empty table has a last segment")
	}
}

// TestRetentionCutsTheLog: what a node of the cluster may still have to get is kept; what it has
// is dropped on the day, also where so little happens that the log would last for months.
func TestRetentionCutsTheLog(t *testing.T) {
	fs := vfs.NewMem()
	a := sit(t, fs)
	s := a.stores[0]
	first := days(t, s, 0, 6)
	if got := trimmed(t, s, 3); got != 1 {
		t.Fatalf("the first record is %d, though nobody else has them", got)
	}
	released, err := s.Log().LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	s.Log().Release(released - 10) // two commits of five days ago, and all before
	if got := trimmed(t, s, 3); got != first[1] {
		t.Fatalf("the first record is %d, not %d", got, first[1])
	}
	s.Log().Release(released)
	for range 2 {
		if got := trimmed(t, s, 3); got != first[3] {
			t.Fatalf("the first record is %d, not %d", got, first[3])
		}
		if report, err := s.Verify(nil); err != nil || report.Records != 60 {
			t.Fatalf("%+v %v", report, err)
		}
		closeStore(t, s)
		s = openOn(t, fs)
	}
	closeStore(t, s)
}

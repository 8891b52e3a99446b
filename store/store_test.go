package store

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/queue"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var testKey = bytes.Repeat([]byte{42}, journal.KeySize)

func openOn(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open(Options{Dir: "data", FS: fs, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func mustPAN(t testing.TB, digits string) spec.PAN {
	t.Helper()
	p, err := spec.ParsePAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// cardOf is the card number of transaction n. No other data of the transaction shows its digits.
func cardOf(n int) string {
	return fmt.Sprintf("453912%010d", (uint64(n)*7_654_321+1_234_567)%10_000_000_000)
}

// opened is a request of center 1 with a question, a card and a reference of its own.
func opened(t testing.TB, s *Store, n int) journal.Record {
	r := journal.Record{At: time.Now().UnixNano(), Kind: journal.Opened, Center: 1, MTI: 0x1200,
		Key: questionOf(n), PAN: mustPAN(t, cardOf(n)), Amount: uint64(n)}
	r.Card = s.HashPAN(r.PAN)
	copy(r.Reference[:], fmt.Sprintf("R%011d", n))
	r.Add(journal.Image{Role: journal.Request, Data: fmt.Appendf(nil, "request %d", n)})
	return r
}

func questionOf(n int) journal.Key {
	return journal.KeyOf(1, 0x1200, 261122000000+uint64(n), uint32(n), 12345678901, 11)
}

func closedOf(txn uint64) journal.Record {
	return journal.Record{At: time.Now().UnixNano(), Kind: journal.Closed, Txn: txn, Center: 1}
}

func commit(t testing.TB, s *Store, b *Batch) {
	t.Helper()
	if err := s.Commit(b); err != nil {
		t.Fatal(err)
	}
}

// fill commits n transactions, opened in one batch and closed in the next.
func fill(t testing.TB, s *Store, from, n int) (txns []uint64) {
	t.Helper()
	return fillAt(t, s, from, n, time.Now())
}

func fillAt(t testing.TB, s *Store, from, n int, at time.Time) (txns []uint64) {
	t.Helper()
	b := s.NewBatch()
	for i := from; i < from+n; i++ {
		r := opened(t, s, i)
		r.At = at.UnixNano()
		txns = append(txns, b.Append(&r))
	}
	commit(t, s, b)
	for _, txn := range txns {
		r := closedOf(txn)
		r.At = at.UnixNano()
		b.Append(&r)
	}
	commit(t, s, b)
	return txns
}

func TestCommittedIsFoundAgain(t *testing.T) {
	fs := vfs.NewMem()
	s := openOn(t, fs)
	txns := fill(t, s, 0, 60)
	check := func() {
		t.Helper()
		for i, txn := range txns {
			if got, ok, err := s.Find(questionOf(i)); got != txn || !ok || err != nil {
				t.Fatalf("question %d: %d %v %v", i, got, ok, err)
			}
			all, err := s.Transaction(txn)
			if err != nil || len(all) != 2 || all[0].Seq != txn || all[1].Kind != journal.Closed {
				t.Fatalf("transaction %d: %v %v", txn, all, err)
			}
			if all[0].PAN != mustPAN(t, cardOf(i)) {
				t.Fatalf("transaction %d has card %v", txn, all[0].PAN)
			}
			found, err := s.FindCard(all[0].Card, 5)
			if err != nil || len(found) != 1 || found[0] != txn {
				t.Fatalf("card of %d: %v %v", txn, found, err)
			}
			found, err = s.FindReference(string(all[0].Reference[:]), 5)
			if err != nil || len(found) != 1 || found[0] != txn {
				t.Fatalf("reference of %d: %v %v", txn, found, err)
			}
		}
		if _, ok, err := s.Find(questionOf(60)); ok || err != nil {
			t.Fatalf("a question that nobody asked: %v %v", ok, err)
		}
	}
	check() // from memory
	s.index.Flush()
	check() // from Pebble
	if s.IndexedThrough() != 120 || s.Floor() != 121 || s.NewestIndexed(1) != 261122000059 {
		t.Errorf("indexed through %d, floor %d, newest %d",
			s.IndexedThrough(), s.Floor(), s.NewestIndexed(1))
	}
	closeStore(t, s)
	s = openOn(t, fs)
	defer closeStore(t, s)
	check() // after a restart
	if s.LastSeq() != 120 || s.NewestIndexed(1) != 261122000059 {
		t.Errorf("last %d, newest %d", s.LastSeq(), s.NewestIndexed(1))
	}
	if report, err := s.Verify(nil); err != nil || report.Records != 120 {
		t.Errorf("%+v %v", report, err)
	}
}

func TestFloorWaitsForTheOldestOpen(t *testing.T) {
	fs := vfs.NewMem()
	s := openOn(t, fs)
	fill(t, s, 0, 10)
	b := s.NewBatch()
	r := opened(t, s, 10)
	open := b.Append(&r)
	commit(t, s, b)
	fill(t, s, 11, 10)
	s.index.Flush()
	if s.Floor() != open {
		t.Fatalf("floor %d, open %d", s.Floor(), open)
	}
	closeStore(t, s)
	s = openOn(t, fs)
	defer closeStore(t, s)
	if s.Floor() != open {
		t.Fatalf("after a restart: floor %d, open %d", s.Floor(), open)
	}
	r = closedOf(open)
	b = s.NewBatch()
	b.Append(&r)
	commit(t, s, b)
	s.index.Flush()
	if s.Floor() != s.LastSeq()+1 {
		t.Fatalf("floor %d, last %d", s.Floor(), s.LastSeq())
	}
}

func TestQueueAndWorkList(t *testing.T) {
	fs := vfs.NewMem()
	s := openOn(t, fs)
	b := s.NewBatch()
	e := queue.Entry{ID: 5, Txn: 4, Card: [16]byte{1}, STAN: 77, MTI: 0x1420, DE12: 261122101500,
		Reason: 4021, At: 99}
	b.Enqueue(2, e)
	for id := uint64(6); id < 9; id++ {
		b.Enqueue(2, queue.Entry{ID: id})
		b.Enqueue(3, queue.Entry{ID: id})
	}
	commit(t, s, b)
	b.Dequeue(2, 6)
	b.Dequeue(2, 5)
	b.Shelve(2, e)
	commit(t, s, b)
	closeStore(t, s)
	s = openOn(t, fs)
	defer closeStore(t, s)
	var ids []uint64
	for e, err := range s.Queue(2) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	if fmt.Sprint(ids) != "[7 8]" {
		t.Errorf("queue %v", ids)
	}
	var shelved []queue.Owed
	for o, err := range s.WorkList() {
		if err != nil {
			t.Fatal(err)
		}
		shelved = append(shelved, o)
	}
	if len(shelved) != 1 || shelved[0] != (queue.Owed{Center: 2, Entry: e}) {
		t.Errorf("work list %+v", shelved)
	}
	b = s.NewBatch()
	b.Unshelve(5)
	commit(t, s, b)
	for o := range s.WorkList() {
		t.Errorf("still on the work list: %+v", o)
	}
}

func TestBatchesCommitInOrder(t *testing.T) {
	s := openOn(t, vfs.NewMem())
	defer closeStore(t, s)
	one, two := s.NewBatch(), s.NewBatch()
	r := opened(t, s, 1)
	one.Append(&r)
	two.Append(&r)
	if err := s.Commit(two); err == nil {
		t.Fatal("the second batch was committed before the first")
	}
	commit(t, s, one)
	commit(t, s, two)
}

func TestAnotherKeyIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	closeStore(t, openOn(t, fs))
	_, err := Open(Options{Dir: "data", FS: fs, Key: bytes.Repeat([]byte{1}, journal.KeySize)})
	var e *Error
	if !errors.As(err, &e) || e.Hint != "use the key file that belongs to this data.dir" {
		t.Fatal(err)
	}
}

package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"cardswitch/store/journal"
	"cardswitch/store/queue"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// load commits for as long as it may, in batches of random size, and knows what was acknowledged.
// Record n carries n in its amount and its image; every tenth owes an advice, every twentieth is
// delivered.
type load struct {
	s     *Store
	rng   *rand.Rand
	acked atomic.Uint64
}

func (l *load) run(batches int) error {
	b := l.s.NewBatch()
	for range batches {
		for range 1 + l.rng.IntN(200) {
			l.append(b)
		}
		if err := l.s.Commit(b); err != nil {
			return err
		}
		l.acked.Store(l.s.LastSeq())
	}
	return nil
}

func (l *load) append(b *Batch) {
	seq := l.s.next
	r := journal.Record{At: int64(seq), Kind: journal.Opened, Center: 1, Amount: seq,
		Key: questionOf(int(seq))}
	if seq%2 == 0 {
		r = journal.Record{At: int64(seq), Kind: journal.Closed, Txn: seq - 1, Amount: seq}
	}
	r.Add(journal.Image{Role: journal.Request, Data: bytes.Repeat([]byte{byte(seq)}, 10+int(seq%400))})
	b.Append(&r)
	switch {
	case seq%20 == 10:
		b.Enqueue(9, queue.Entry{ID: seq, Txn: seq - 1})
	case seq%20 == 0:
		b.Dequeue(9, seq-10)
	}
}

// checkAll reads back everything and compares it with what load wrote.
func checkAll(t *testing.T, s *Store) {
	t.Helper()
	next := uint64(1)
	err := s.Replay(1, func(r *journal.Record) error {
		if r.Seq != next || r.Amount != next || r.At != int64(next) {
			return fmt.Errorf("record %d came as %d with amount %d", next, r.Seq, r.Amount)
		}
		want := bytes.Repeat([]byte{byte(next)}, 10+int(next%400))
		if !bytes.Equal(r.Images[0].Data, want) {
			return fmt.Errorf("record %d has another image", next)
		}
		next++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	last := s.LastSeq()
	if next != last+1 {
		t.Fatalf("%d records were replayed, the last is %d", next-1, last)
	}
	if _, err := s.Verify(nil); err != nil {
		t.Fatal(err)
	}
	for e, err := range s.Queue(9) {
		if err != nil || e.ID%20 != 10 || e.ID > last || e.ID+10 <= last {
			t.Fatalf("after record %d, %d is still owed (%v)", last, e.ID, err)
		}
	}
	for seq := uint64(1); seq <= last; seq += 1 + last/47 {
		txn := seq - (seq+1)%2
		got, ok, err := s.Find(questionOf(int(txn)))
		if got != txn || !ok || err != nil {
			t.Fatalf("question of %d: %d %v %v", txn, got, ok, err)
		}
		all, err := s.Transaction(txn)
		if err != nil || len(all) != int(min(2, last-txn+1)) {
			t.Fatalf("transaction %d has %d records, %v", txn, len(all), err)
		}
	}
}

// TestPowerCut cuts the power at random moments, again and again on what the last cut has left:
// what was acknowledged is there, nothing is there in part, and what is derived agrees with it.
func TestPowerCut(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	disk := vfs.NewCrashableMem()
	for cut := range 8 {
		s := openOn(t, disk)
		checkAll(t, s)
		l := &load{s: s, rng: rand.New(rand.NewPCG(seed, uint64(cut+1)))}
		l.acked.Store(s.LastSeq())
		done := make(chan error, 1)
		go func() { done <- l.run(2 + cut*2) }()
		time.Sleep(time.Duration(rng.IntN(20_000)) * time.Microsecond)
		acked := l.acked.Load()
		after := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		disk = after
		s = openOn(t, disk)
		if s.LastSeq() < acked {
			t.Fatalf("cut %d: %d was acknowledged, the journal ends with %d", cut, acked, s.LastSeq())
		}
		checkAll(t, s)
		closeStore(t, s)
	}
}

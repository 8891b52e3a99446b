package store

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"cardswitch/store/journal"
)

// sample is what the switch writes for one transaction: a request of 415 bytes with its forward as
// a patch, then the answer and the reply as patches. About half of the request varies.
type sample struct {
	opened, closed journal.Record
	message        [415]byte
	rng            *rand.Rand
	n              int
}

func newSample(tb testing.TB, s *Store) *sample {
	m := &sample{rng: rand.New(rand.NewPCG(1, 2))}
	m.opened = opened(tb, s, 1)
	m.opened.ImageCount = 0
	m.opened.STAN, m.opened.Function, m.opened.Currency, m.opened.Dest = 1, 200, 392, 7
	m.opened.Add(journal.Image{Role: journal.Request, Link: 3, Dialect: 2, Data: m.message[:]})
	m.opened.Add(journal.Image{Role: journal.Forward, Base: journal.Request, Link: 4, Dialect: 2,
		Data: []byte("\x20\x00\x00\x00\x01\x00123456")})
	m.closed = closedOf(1)
	m.closed.Key, m.closed.MTI, m.closed.Amount = m.opened.Key, 0x1210, 12800
	m.closed.Add(journal.Image{Role: journal.Answer, Base: journal.Forward, Link: 4, Dialect: 2,
		Data: []byte("1210\x02\x00\x00\x00\x06\x00000000A12345")})
	m.closed.Add(journal.Image{Role: journal.Reply, Base: journal.Answer, Link: 3, Dialect: 2,
		Data: []byte("\x20\x00\x00\x00\x01\x00654321")})
	copy(m.message[:], "1200...16000000000000000000000000000128002611221015302611........5411........"+
		"STORE000123    AOYAMA 1-1-1 MINATO-KU TOKYO                JP392")
	return m
}

// next gives the sample another card, question and reference, and other bytes in its message.
func (m *sample) next(s *Store, at int64) *journal.Record {
	m.n++
	for i := 200; i < len(m.message); i += 8 {
		v := m.rng.Uint64()
		for j := i; j < min(i+8, len(m.message)); j++ {
			m.message[j] = byte(v)
			v >>= 8
		}
	}
	r := &m.opened
	r.At, r.Deadline = at, at+int64(20*time.Second)
	r.Key = journal.KeyOf(1, 0x1200, 261122000000+uint64(at/1e9%86400), uint32(m.n%1000000),
		12345678901, 11)
	binary.LittleEndian.PutUint64(r.Card[:], m.rng.Uint64())
	binary.LittleEndian.PutUint64(r.Card[8:], m.rng.Uint64())
	strconv.AppendInt(r.Reference[:0], int64(100000000000+m.n), 10)
	return r
}

func diskStore(tb testing.TB) *Store {
	s, err := Open(Options{Dir: tb.TempDir(), Key: testKey})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { closeStore(tb, s) })
	return s
}

func BenchmarkAppend(b *testing.B) {
	s := diskStore(b)
	m := newSample(b, s)
	batch := s.NewBatch()
	r := m.next(s, time.Now().UnixNano())
	for b.Loop() {
		if batch.Len() == 1000 {
			batch.reset()
		}
		batch.Append(r)
	}
	b.ReportAllocs()
}

// BenchmarkCommit commits groups of n transactions (n opened, n closed), one after the other.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 32, 256, 1024} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkCommit(b, n) })
	}
}

func benchmarkCommit(b *testing.B, n int) {
	s := diskStore(b)
	m := newSample(b, s)
	batch := s.NewBatch()
	var open []uint64
	start := cpu(b)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		at := time.Now().UnixNano()
		for _, txn := range open {
			m.closed.Txn, m.closed.At = txn, at
			batch.Append(&m.closed)
		}
		open = open[:0]
		for range n {
			open = append(open, batch.Append(m.next(s, at)))
		}
		commit(b, s, batch)
	}
	b.StopTimer()
	txns := float64(b.N * n)
	h := s.Health()
	b.ReportMetric(txns/b.Elapsed().Seconds(), "txn/s")
	b.ReportMetric(float64(cpu(b)-start)/txns/1000, "cpu-µs/txn")
	b.ReportMetric(float64(h.BytesSynced)/txns, "synced-B/txn")
}

// TestLoad is the measurement behind the layout: set LOAD to transactions a second and run it
// alone.
func TestLoad(t *testing.T) {
	rate, _ := strconv.Atoi(os.Getenv("LOAD"))
	if rate == 0 {
		t.Skip("LOAD isn't set")
	}
	s := diskStore(t)
	m := newSample(t, s)
	batch := s.NewBatch()
	var open []uint64
	var slowest, total time.Duration
	start, before, commits, txns := time.Now(), cpu(t), 0, 0
	for time.Since(start) < 20*time.Second {
		at := time.Now()
		due := int(at.Sub(start).Seconds()*float64(rate)) - txns
		if due < 64 {
			time.Sleep(500 * time.Microsecond)
			continue
		}
		due = min(due, 2048)
		for _, txn := range open {
			m.closed.Txn, m.closed.At = txn, at.UnixNano()
			batch.Append(&m.closed)
		}
		open = open[:0]
		for range due {
			open = append(open, batch.Append(m.next(s, at.UnixNano())))
		}
		txns += due
		began := time.Now()
		commit(t, s, batch)
		took := time.Since(began)
		slowest, total, commits = max(slowest, took), total+took, commits+1
	}
	h := s.Health()
	t.Logf("%d txn/s, cpu %.2f µs/txn, synced %d B/txn, "+
		"commit mean %v max %v, %.0f txn a commit, lag %d",
		txns/20, float64(cpu(t)-before)/float64(txns)/1000, h.BytesSynced/uint64(txns),
		total/time.Duration(commits), slowest, float64(txns)/float64(commits), h.IndexLag)
	t.Logf("journal\n%s", s.db.Metrics())
	t.Logf("index\n%s", s.index.Metrics())
}

package index

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// ref is what is sorted in place of a note: the first bytes of what it is sorted by.
type ref struct {
	prefix uint64
	note   int32
}

// apply writes one generation and how far the index then is, in one batch.
func (x *Index) apply(g *generation) error {
	b := x.db.NewBatchWithSize(len(g.notes) * 100)
	last := g.notes[len(g.notes)-1].Seq
	newest := make(map[uint16]uint64)
	dates := make(map[dateSegment]bool)
	for i := range g.notes {
		n := &g.notes[i]
		x.open.note(n)
		if !n.first() {
			x.set(b, appendRecordKey(x.keys[:0], n.Txn, n.Seq), nil)
			continue
		}
		if n.Key.IsZero() {
			continue
		}
		var txn [8]byte
		binary.BigEndian.PutUint64(txn[:], n.Txn)
		x.set(b, appendQuestion(x.keys[:0], n.Segment, &n.Key), txn[:])
		center := n.Key.Center()
		newest[center] = max(newest[center], n.Key.LocalTime())
		dates[dateSegment{dateOf(&n.Key), n.Segment}] = true
	}
	x.setSorted(b, g, familyCard, func(n *Note) []byte { return n.Card[:] })
	x.setSorted(b, g, familyReference, func(n *Note) []byte { return n.Reference[:] })
	x.setDates(b, dates)
	floor := x.open.floor(last + 1)
	x.setPosition(b, newest, floor, last)
	bucket := bucketOf(x.saved.Load())
	if err := b.Commit(pebble.NoSync); err != nil {
		return err
	}
	x.floor.Store(floor)
	x.saved.Store(last)
	for center, at := range newest {
		x.newest[center].Store(max(at, x.newest[center].Load()))
	}
	if bucketOf(last) != bucket { // so that a flushed table holds one bucket and can be moved down whole
		_, err := x.db.AsyncFlush()
		return err
	}
	return nil
}

// set adds a key that was built in x.keys.
func (x *Index) set(b *pebble.Batch, key, value []byte) {
	x.keys = key
	_ = b.Set(key, value, nil) // fails only on batches beyond 4 GB
}

// setSorted adds the keys of one family in order: a sorted batch goes into the memtable several times
// faster than a random one.
func (x *Index) setSorted(b *pebble.Batch, g *generation, family byte, of func(*Note) []byte) {
	x.refs = x.refs[:0]
	for i := range g.notes {
		n := &g.notes[i]
		what := of(n)
		if prefix := binary.BigEndian.Uint64(what); n.first() && prefix != 0 {
			x.refs = append(x.refs, ref{prefix, int32(i)})
		}
	}
	slices.SortFunc(x.refs, func(a, b ref) int {
		if a.prefix != b.prefix {
			if a.prefix < b.prefix {
				return -1
			}
			return 1
		}
		return bytes.Compare(of(&g.notes[a.note]), of(&g.notes[b.note]))
	})
	for _, r := range x.refs {
		n := &g.notes[r.note]
		x.set(b, appendBucketKey(x.keys[:0], family, bucketOf(n.Txn), of(n), n.Txn), nil)
	}
}

type dateSegment struct {
	date    uint32
	segment uint64
}

// setDates marks the dates that a segment hasn't held before.
func (x *Index) setDates(b *pebble.Batch, dates map[dateSegment]bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for d := range dates {
		if !slices.Contains(x.dates[d.date], d.segment) {
			x.dates[d.date] = append(x.dates[d.date], d.segment)
			x.set(b, appendDate(x.keys[:0], d.date, d.segment), nil)
		}
	}
}

func (x *Index) setPosition(b *pebble.Batch, newest map[uint16]uint64, floor, last uint64) {
	var v [16]byte
	for center, at := range newest {
		binary.BigEndian.PutUint64(v[:], max(at, x.newest[center].Load()))
		x.set(b, newestKey(center), v[:8])
	}
	binary.BigEndian.PutUint64(v[:], floor)
	binary.BigEndian.PutUint64(v[8:], last)
	x.set(b, []byte{familyFloor}, v[:])
}

package index

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"
)

// apply writes one generation and how far the index then is, in one batch.
func (x *Index) apply(g *generation) error {
	b := x.db.NewBatch()
	last := g.notes[len(g.notes)-1].Seq
	newest := make(map[uint16]uint64)
	for i := range g.notes {
		n := &g.notes[i]
		x.open.note(n)
		if n.near() {
			continue
		}
		if !n.first() {
			x.set(b, appendRecordKey(x.keys[:0], n.Txn, n.Seq), nil)
			continue
		}
		if n.Key.IsZero() {
			continue
		}
		center := n.Key.Center()
		newest[center] = max(newest[center], n.Key.LocalTime())
	}
	x.buckets.add(g.notes)
	x.keepTimes(b, x.buckets.save(b))
	floor := x.open.floor(last + 1)
	x.setPosition(b, newest, floor, last)
	before := bucketOf(x.saved.Load())
	if err := b.Commit(pebble.NoSync); err != nil {
		return err
	}
	x.floor.Store(floor)
	x.saved.Store(last)
	for center, at := range newest {
		x.newest[center].Store(max(at, x.newest[center].Load()))
	}
	x.buckets.forget()
	if bucketOf(last) != before { // so that little is to be replayed after a crash
		_, err := x.AsyncFlush()
		return err
	}
	return nil
}

// set adds a key that was built in x.keys.
func (x *Index) set(b *pebble.Batch, key, value []byte) {
	x.keys = key
	_ = b.Set(key, value, nil) // fails only on batches beyond 4 GB
}

// keepTimes notes when the questions of full buckets were asked.
func (x *Index) keepTimes(b *pebble.Batch, full []bucket) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range full {
		for _, minutes := range full[i].times {
			x.times[minutes] = append(x.times[minutes], full[i].number)
			x.set(b, appendTimes(x.keys[:0], minutes, full[i].number), nil)
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

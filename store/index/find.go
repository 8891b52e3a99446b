package index

import (
	"cmp"
	"encoding/binary"
	"slices"

	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2"
)

// Question returns transactions that may have begun with a question, newest first, none before
// first: all that did, and perhaps others.
func (x *Index) Question(k journal.Key, first uint64) ([]uint64, error) {
	hash := questionHash(&k)
	found := x.pending(func(g *generation) bool { return g.asked.has(hash >> bucketBits) },
		func(n *Note) (uint64, bool) { return n.Txn, n.first() && n.Key == k })
	found = append(found, x.buckets.match(familyQuestion, hash)...)
	saved := x.askedIn(minutesOf(&k))
	if len(saved) == 0 {
		return after(distinct(&found), first), nil
	}
	it, err := x.db.NewIter(&pebble.IterOptions{
		LowerBound: []byte{familyQuestion}, UpperBound: []byte{familyQuestion + 1}})
	if err != nil {
		return nil, err
	}
	for _, number := range saved {
		if number >= bucketOf(first) {
			found = searchBucket(found, it, familyQuestion, number, hash)
		}
	}
	return after(distinct(&found), first), it.Close()
}

// askedIn returns the buckets in Pebble that may hold questions of some ten minutes.
func (x *Index) askedIn(minutes uint32) []uint32 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Concat(x.times[minutes], x.times[anyTime])
}

// Records returns the records of a transaction after its first, in order; but its end perhaps not,
// if that is at most Near records away.
func (x *Index) Records(txn uint64) ([]uint64, error) {
	found := x.pending(func(g *generation) bool { return g.later.has(txn) },
		func(n *Note) (uint64, bool) { return n.Seq, n.Txn == txn && !n.first() })
	it, err := x.db.NewIter(&pebble.IterOptions{
		LowerBound: appendRecordKey(nil, txn, 0), UpperBound: appendRecordKey(nil, txn+1, 0)})
	if err != nil {
		return nil, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		found = append(found, binary.BigEndian.Uint64(it.Key()[9:]))
	}
	slices.Sort(found)
	return slices.Compact(found), it.Close()
}

// Card returns transactions that may be of a card, newest first, none before first: all of the
// newest limit, and perhaps some of another card or more than limit.
func (x *Index) Card(hash [16]byte, first uint64, limit int) ([]uint64, error) {
	found := x.pending(anyGeneration,
		func(n *Note) (uint64, bool) { return n.Txn, n.first() && n.Card == hash })
	return x.search(familyCard, cardHash(&hash), found, first, limit)
}

// Reference does the same for a retrieval reference number (DE 37).
func (x *Index) Reference(reference [12]byte, first uint64, limit int) ([]uint64, error) {
	found := x.pending(anyGeneration,
		func(n *Note) (uint64, bool) { return n.Txn, n.first() && n.Reference == reference })
	return x.search(familyReference, referenceHash(&reference), found, first, limit)
}

func anyGeneration(*generation) bool { return true }

// pending collects from the notes in memory, of the generations that may have some.
func (x *Index) pending(has func(*generation) bool, match func(*Note) (uint64, bool)) []uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var found []uint64
	for _, g := range []*generation{x.filling, x.writing} {
		if g == nil || !has(g) {
			continue
		}
		for i := range g.notes {
			if seq, ok := match(&g.notes[i]); ok {
				found = append(found, seq)
			}
		}
	}
	return found
}

// search goes through the buckets from the newest down until it has enough.
func (x *Index) search(family byte, hash uint64, found []uint64, first uint64,
	limit int) ([]uint64, error) {
	found = append(found, x.buckets.match(family, hash)...)
	it, err := x.db.NewIter(&pebble.IterOptions{
		LowerBound: []byte{family}, UpperBound: []byte{family + 1}})
	if err != nil {
		return nil, err
	}
	newest, oldest := int64(bucketOf(x.Through())), int64(bucketOf(first))
	for number := newest; number >= oldest && len(distinct(&found)) < limit; number-- {
		found = searchBucket(found, it, family, uint32(number), hash)
	}
	return after(distinct(&found), first), it.Close()
}

// after drops what began before first.
func after(found []uint64, first uint64) []uint64 {
	return slices.DeleteFunc(found, func(txn uint64) bool { return txn < first })
}

// distinct sorts, newest first, and drops what is there twice: in memory and already in Pebble.
func distinct(found *[]uint64) []uint64 {
	slices.SortFunc(*found, func(a, b uint64) int { return cmp.Compare(b, a) })
	*found = slices.Compact(*found)
	return *found
}

package txn

import (
	"hash/maphash"
	"math/bits"

	"cardswitch/store/journal"
)

// places finds where in the ring a question lies. At a million questions nearly every look into a
// Go map waits for memory. Here a bucket is one line of the processor's cache, and the questions
// that follow each other, with trace numbers that differ in the last three bits only, share one: so
// most looks find it there already.
//
// A bucket that is full lets the next one take what belongs to it, and counts how many it has let
// pass, so that a search knows where to end (as in F14, Meta's hash table).
type places struct {
	seed    maphash.Seed // of this process: nobody can choose trace numbers that meet in one bucket
	buckets []bucket
	tagged  uint32 // the bits of a slot that hold the tag; the place has the others
}

const slotsOfBucket = 14

// bucket is 64 bytes. Its slots are filled from the front.
type bucket struct {
	slots  [slotsOfBucket]uint32 // part of the hash, and the place
	used   uint32
	passed uint32 // entries that belong here or before and lie further on
}

// together is how many trace numbers in a row share a bucket.
const together = 8

// newPlaces makes room for so many places below limit.
func newPlaces(limit int) places {
	size := 1 << bits.Len(uint(limit/8)) // a third of the slots will be used at most
	return places{seed: maphash.MakeSeed(), buckets: make([]bucket, size),
		tagged: ^uint32(0) << bits.Len(uint(limit-1))}
}

// hash gives the bucket that a key belongs into, and the tag that its slot has.
func (p *places) hash(k journal.Key) (at, tag uint32) {
	low := k[13] & (together - 1) // the last byte of the trace number
	k[13] &^= together - 1
	h := maphash.Bytes(p.seed, k[:])
	at = uint32(h) & uint32(len(p.buckets)-1)
	return at, (uint32(h>>32) ^ uint32(low)<<29) & p.tagged
}

// find gives the place of a key, which is the one of those with its tag at which the ring has it.
func (p *places) find(k journal.Key, ring []asked) (Place, bool) {
	at, tag := p.hash(k)
	for {
		b := &p.buckets[at]
		for _, s := range b.slots[:b.used] {
			if s&p.tagged == tag {
				if place := s &^ p.tagged; ring[place].key == k {
					return Place(place), true
				}
			}
		}
		if b.passed == 0 {
			return 0, false
		}
		at = (at + 1) & uint32(len(p.buckets)-1)
	}
}

// put notes the place of a key that isn't there.
func (p *places) put(k journal.Key, place Place) {
	at, tag := p.hash(k)
	for {
		b := &p.buckets[at]
		if b.used < slotsOfBucket {
			b.slots[b.used] = tag | uint32(place)
			b.used++
			return
		}
		b.passed++
		at = (at + 1) & uint32(len(p.buckets)-1)
	}
}

// drop forgets a key at its place; it must be there.
func (p *places) drop(k journal.Key, place Place) {
	at, tag := p.hash(k)
	for {
		b := &p.buckets[at]
		for i, s := range b.slots[:b.used] {
			if s == tag|uint32(place) {
				b.used--
				b.slots[i] = b.slots[b.used]
				return
			}
		}
		b.passed--
		at = (at + 1) & uint32(len(p.buckets)-1)
	}
}

package negative

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync/atomic"
)

// urgent is the emergency entries of an issuer, in shards by the first byte of the hash. A shard is
// never changed but replaced: who reads needs no lock, and a change copies a small part of all.
type urgent struct {
	shards [256]atomic.Pointer[[]urgentEntry]
	count  atomic.Int64
}

// urgentEntry is an emergency entry, or a release: generation is that of the file that is released
// from, 0 of an entry.
type urgentEntry struct {
	Entry
	generation uint64
}

func byCard(e urgentEntry, card Hash) int { return bytes.Compare(e.Card[:], card[:]) }

func (u *urgent) find(card *Hash) (urgentEntry, bool) {
	shard := u.shards[card[0]].Load()
	if shard == nil {
		return urgentEntry{}, false
	}
	at, ok := slices.BinarySearchFunc(*shard, *card, byCard)
	if !ok {
		return urgentEntry{}, false
	}
	return (*shard)[at], true
}

// set enters an entry in the place of any other of its card.
func (u *urgent) set(e urgentEntry) {
	var old []urgentEntry
	if shard := u.shards[e.Card[0]].Load(); shard != nil {
		old = *shard
	}
	at, again := slices.BinarySearchFunc(old, e.Card, byCard)
	next := make([]urgentEntry, 0, len(old)+1)
	next = append(append(next, old[:at]...), e)
	if again {
		at++
	} else {
		u.count.Add(1)
	}
	next = append(next, old[at:]...)
	u.shards[e.Card[0]].Store(&next)
}

func (u *urgent) remove(card *Hash) {
	shard := u.shards[card[0]].Load()
	if shard == nil {
		return
	}
	at, ok := slices.BinarySearchFunc(*shard, *card, byCard)
	if !ok {
		return
	}
	u.count.Add(-1)
	if len(*shard) == 1 {
		u.shards[card[0]].Store(nil)
		return
	}
	next := slices.Concat((*shard)[:at], (*shard)[at+1:])
	u.shards[card[0]].Store(&next)
}

// fill enters what a start finds, in the order of the hashes.
func (u *urgent) fill(all []urgentEntry) {
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Card[0] == all[0].Card[0] {
			n++
		}
		shard := all[:n:n]
		u.shards[all[0].Card[0]].Store(&shard)
		u.count.Add(int64(n))
		all = all[n:]
	}
}

func (u *urgent) each(fn func(urgentEntry) bool) {
	for i := range u.shards {
		shard := u.shards[i].Load()
		if shard == nil {
			continue
		}
		for _, e := range *shard {
			if !fn(e) {
				return
			}
		}
	}
}

// from looks at so many entries from a card on, in the order of the hashes, and gives the one to go
// on at: the first of all, where it came to the end.
func (u *urgent) from(card Hash, most int, fn func(*urgentEntry)) (next Hash) {
	for i := int(card[0]); i < len(u.shards); i++ {
		shard := u.shards[i].Load()
		if shard == nil {
			continue
		}
		at, _ := slices.BinarySearchFunc(*shard, card, byCard)
		for ; at < len(*shard); at++ {
			e := &(*shard)[at]
			if most--; most < 0 {
				return e.Card
			}
			fn(e)
		}
	}
	return Hash{}
}

func (e *urgentEntry) value() []byte {
	b := e.Terms.append(nil)
	if e.generation != 0 {
		b = binary.BigEndian.AppendUint64(b, e.generation)
	}
	return b
}

// urgentOf reads what value wrote.
func urgentOf(card Hash, value []byte) (urgentEntry, bool) {
	if len(value) != termsSize && len(value) != termsSize+8 {
		return urgentEntry{}, false
	}
	e := urgentEntry{Entry: Entry{card, termsOf(value)}}
	if len(value) > termsSize {
		e.generation = binary.BigEndian.Uint64(value[termsSize:])
	}
	return e, (e.Action == 0) == (e.generation != 0)
}

package index

import (
	"encoding/binary"
	"slices"
	"sync"

	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2"
)

// A bucket is 2^18 records. The transactions of a question, a card or a reference are found through
// one sorted list a bucket, eight bytes an entry: 46 bits of a hash of what is sought, then 18 of
// where in the bucket the transaction began. Two may share the 46 bits, so who searches must look
// at the record too. Against a Pebble key each, this saves half of what a transaction costs the
// store.
const (
	bucketBits  = 18
	bucketMask  = 1<<bucketBits - 1
	pieceLength = 4096 // entries under one key

	// timesKept is how many different ten minutes a bucket's questions may be of before it counts as
	// one of anyTime: live traffic has a few, so more come of a peer whose clock is wild.
	timesKept = 64
	anyTime   = 1<<32 - 1
)

func bucketOf(seq uint64) uint32 { return uint32(seq >> bucketBits) }

// cardHash and referenceHash give the upper 46 bits of an entry. A card is a hash already.
func cardHash(card *[16]byte) uint64 { return binary.BigEndian.Uint64(card[:]) &^ bucketMask }

func referenceHash(r *[12]byte) uint64 {
	h := binary.LittleEndian.Uint64(r[:]) * 0x9e3779b97f4a7c15
	h ^= h>>32 ^ uint64(binary.LittleEndian.Uint32(r[8:]))
	h *= 0xd6e8feb86659fd93
	return (h ^ h>>32) * 0xd6e8feb86659fd93 &^ bucketMask
}

func questionHash(k *journal.Key) uint64 {
	h := binary.LittleEndian.Uint64(k[:]) * 0x9e3779b97f4a7c15
	h = (h ^ h>>32 ^ binary.LittleEndian.Uint64(k[8:])) * 0xd6e8feb86659fd93
	h = (h ^ h>>32 ^ binary.LittleEndian.Uint64(k[16:])) * 0xd6e8feb86659fd93
	return (h ^ h>>32) * 0x9e3779b97f4a7c15 &^ bucketMask
}

// bucket collects the entries of the newest records.
type bucket struct {
	number     uint32
	cards      []uint64
	references []uint64
	questions  []uint64
	times      []uint32 // minutesOf the questions, without order
}

func (b *bucket) empty() bool { return len(b.cards)+len(b.references)+len(b.questions) == 0 }

func (b *bucket) add(n *Note) {
	if !n.first() {
		return
	}
	if !n.Key.IsZero() {
		b.questions = append(b.questions, questionHash(&n.Key)|n.Seq&bucketMask)
		b.askedAt(minutesOf(&n.Key))
	}
	if n.Card != [16]byte{} {
		b.cards = append(b.cards, cardHash(&n.Card)|n.Seq&bucketMask)
	}
	if n.Reference != [12]byte{} {
		b.references = append(b.references, referenceHash(&n.Reference)|n.Seq&bucketMask)
	}
}

func (b *bucket) askedAt(minutes uint32) {
	switch {
	case slices.Contains(b.times, minutes) || slices.Contains(b.times, anyTime):
	case len(b.times) == timesKept:
		b.times = append(b.times[:0], anyTime)
	default:
		b.times = append(b.times, minutes)
	}
}

// match appends the transactions that have a hash, from entries in any order.
func match(found, entries []uint64, number uint32, hash uint64) []uint64 {
	for _, e := range entries {
		if e&^bucketMask == hash {
			found = append(found, uint64(number)<<bucketBits|e&bucketMask)
		}
	}
	return found
}

// buckets are those in memory: the newest, and such as are being written.
type buckets struct {
	mu     sync.RWMutex
	newest bucket
	full   []bucket
}

// add takes notes in the order of their records.
func (s *buckets) add(notes []Note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range notes {
		n := &notes[i]
		if number := bucketOf(n.Seq); number != s.newest.number {
			if !s.newest.empty() {
				s.full = append(s.full, s.newest)
			}
			s.newest = bucket{number: number}
		}
		s.newest.add(n)
	}
}

// save writes the full buckets and returns them; forget drops them once they are in Pebble.
func (s *buckets) save(to *pebble.Batch) []bucket {
	s.mu.RLock()
	full := s.full
	s.mu.RUnlock()
	for _, b := range full {
		savePieces(to, familyCard, b.number, b.cards)
		savePieces(to, familyReference, b.number, b.references)
		savePieces(to, familyQuestion, b.number, b.questions)
	}
	return full
}

func (s *buckets) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = nil
}

// match searches those in memory.
func (s *buckets) match(family byte, hash uint64) (found []uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found = s.newest.match(found, family, hash)
	for i := range s.full {
		found = s.full[i].match(found, family, hash)
	}
	return found
}

func (b *bucket) match(found []uint64, family byte, hash uint64) []uint64 {
	switch family {
	case familyCard:
		return match(found, b.cards, b.number, hash)
	case familyReference:
		return match(found, b.references, b.number, hash)
	}
	return match(found, b.questions, b.number, hash)
}

// savePieces writes a sorted list in pieces, each under its first entry. The list is sorted in a
// copy, as others may be searching it.
func savePieces(to *pebble.Batch, family byte, number uint32, entries []uint64) {
	entries = slices.Clone(entries)
	slices.Sort(entries)
	value := make([]byte, 0, 8*pieceLength)
	for piece := range slices.Chunk(entries, pieceLength) {
		value = value[:0]
		for _, e := range piece {
			value = binary.BigEndian.AppendUint64(value, e)
		}
		_ = to.Set(pieceKey(family, number, piece[0]), value, nil)
	}
}

// searchBucket appends the transactions in one saved bucket that have a hash.
func searchBucket(found []uint64, it *pebble.Iterator, family byte, number uint32,
	hash uint64) []uint64 {
	low := string(pieceKey(family, number, 0))
	after := append(pieceKey(family, number, hash|bucketMask), 0)
	var entries []uint64
	for ok := it.SeekLT(after); ok; ok = it.Prev() {
		if string(it.Key()) < low {
			break
		}
		entries = entries[:0]
		for v := it.Value(); len(v) >= 8; v = v[8:] {
			entries = append(entries, binary.BigEndian.Uint64(v))
		}
		found = match(found, entries, number, hash)
		if len(entries) > 0 && entries[0] < hash {
			break // the piece before holds smaller hashes only
		}
	}
	return found
}

package store

import (
	"encoding/binary"

	"cardswitch/store/index"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/store/total"

	"github.com/cockroachdb/pebble/v2"
)

// chunkSize is where the records of a batch are split into another chunk. Larger ones compress
// better, smaller ones make reading a single record cheaper.
const chunkSize = 64 << 10

// Batch is one durable group: records, the queue changes that belong to them, and those of tables
// beside the journal. One goroutine fills one batch at a time; another may be committing meanwhile.
// Batches commit in the order in which they were filled.
type Batch struct {
	s       *Store
	first   uint64
	count   int
	size    int
	writers []*journal.Writer // one a chunk
	used    int
	notes   []index.Note
	changes []change
	others  []other
	then    []func()
	moved   total.Dirty
	scratch []byte
}

// change is a queue or work-list entry set, or deleted if it has no value.
type change struct {
	key   [11]byte
	n     int
	value []byte
}

// NewBatch returns an empty batch. Batches are reused; a switch needs two.
func (s *Store) NewBatch() *Batch { return &Batch{s: s} }

// Append adds a record, and what it moves in the totals, and returns its Seq. It keeps nothing of
// r, not even its images.
func (b *Batch) Append(r *journal.Record) uint64 {
	seq := b.s.next
	b.s.next++
	if b.count == 0 {
		b.first = seq
	}
	w := b.writer(seq)
	before := w.Size()
	w.Append(r)
	b.size += w.Size() - before
	b.count++
	if r.Moves != 0 {
		b.s.totals.Count(r, &b.moved)
	}
	note := index.NoteOf(r)
	if note.Seq = seq; r.Txn == 0 {
		note.Txn = seq
	}
	b.notes = append(b.notes, note)
	return seq
}

// writer returns the chunk that takes the record seq.
func (b *Batch) writer(seq uint64) *journal.Writer {
	if b.used > 0 && b.writers[b.used-1].Size() < chunkSize {
		return b.writers[b.used-1]
	}
	if b.used == len(b.writers) {
		b.writers = append(b.writers, new(journal.Writer))
	}
	b.used++
	w := b.writers[b.used-1]
	w.Reset(seq)
	return w
}

// Len is the number of records, Size their bytes before compression.
func (b *Batch) Len() int  { return b.count }
func (b *Batch) Size() int { return b.size }

// Enqueue owes an advice to a center; Dequeue says that it is owed no more.
func (b *Batch) Enqueue(center uint16, e queue.Entry) {
	b.change(queueKey(center, e.ID), &queue.Owed{Center: center, Entry: e})
}
func (b *Batch) Dequeue(center uint16, id uint64) { b.change(queueKey(center, id), nil) }

// Shelve puts an entry on the work list, Unshelve takes it off. Neither touches the queue: moving
// an entry is Dequeue and Shelve in one batch.
func (b *Batch) Shelve(center uint16, e queue.Entry) {
	b.change(seqKey(familyWorkList, e.ID), &queue.Owed{Center: center, Entry: e})
}
func (b *Batch) Unshelve(id uint64) { b.change(seqKey(familyWorkList, id), nil) }

func (b *Batch) change(key []byte, o *queue.Owed) {
	c := change{n: len(key)}
	copy(c.key[:], key)
	if o != nil {
		at := len(b.scratch)
		b.scratch = queue.Append(b.scratch, o)
		c.value = b.scratch[at:]
	}
	b.changes = append(b.changes, c)
}

func (b *Batch) reset() {
	clear(b.then)
	b.count, b.size, b.used = 0, 0, 0
	b.notes, b.changes, b.scratch = b.notes[:0], b.changes[:0], b.scratch[:0]
	b.others, b.then = b.others[:0], b.then[:0]
	b.moved.Rows = b.moved.Rows[:0]
}

// seal writes the batch into one of Pebble's: its chunks, the segments that begin with one of them,
// the queue changes, those beside the journal and the totals.
func (b *Batch) seal(to *pebble.Batch) []segment {
	s := b.s
	var begun []segment
	segment := s.segments.last()
	notes := b.notes
	for _, w := range b.writers[:b.used] {
		s.sealed = s.sealer.Seal(s.sealed[:0], w)
		first := b.first + uint64(len(b.notes)-len(notes))
		set(to, seqKey(familyChunk, first), s.sealed)
		if day := dayOf(w.At()); segment.first == 0 || day != segment.day {
			segment.first, segment.day = first, day
			set(to, seqKey(familySegment, first), binary.BigEndian.AppendUint32(nil, uint32(day)))
			begun = append(begun, segment)
		}
		notes = notes[w.Len():]
	}
	for i := range b.changes {
		c := &b.changes[i]
		if c.value == nil {
			_ = to.Delete(c.key[:c.n], nil)
		} else {
			set(to, c.key[:c.n], c.value)
		}
	}
	for _, o := range b.others {
		if o.value == nil {
			_ = to.Delete(o.key, nil)
		} else {
			set(to, o.key, o.value)
		}
	}
	for i := range b.moved.Rows {
		row := &b.moved.Rows[i]
		s.totalKey = row.Key.Append(append(s.totalKey[:0], familyTotals))
		s.totalValue = row.Sums.Append(s.totalValue[:0])
		set(to, s.totalKey, s.totalValue)
	}
	return begun
}

// set adds to a Pebble batch, which fails only beyond 4 GB.
func set(b *pebble.Batch, key, value []byte) { _ = b.Set(key, value, nil) }

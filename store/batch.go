package store

import (
	"cardswitch/store/entry"
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

// Scrap returns a batch of no store: it can be filled, and goes nowhere.
func Scrap() *Batch { return (&Store{totals: total.NewTable(nil)}).NewBatch() }

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

// sealed is a batch as it is written: its entry, and what the store keeps in memory of it.
type sealed struct {
	entry []byte // until the next one is sealed
	epoch uint64
	first uint64
	count int
	begun []segment
	notes []index.Note
	head  journal.Hash // of the last chunk
	level uint8        // that it raises the journal to; 0: none
}

// seal makes the entry of the batch: its chunks, the segments that begin with one of them, the
// queue changes, those beside the journal and the totals.
func (b *Batch) seal() sealed {
	s := b.s
	made := sealed{epoch: s.epoch.Load(), first: b.first, count: b.count, notes: b.notes}
	out := entry.Begin(s.sealed[:0], b.used)
	segment := s.segments.last()
	notes := b.notes
	for _, w := range b.writers[:b.used] {
		first := b.first + uint64(len(b.notes)-len(notes))
		out = entry.AppendChunk(out, first, func(dst []byte) []byte { return s.sealer.Seal(dst, w) })
		if day := dayOf(w.At()); segment.first == 0 || day != segment.day {
			segment.first, segment.day = first, day
			made.begun = append(made.begun, segment)
		}
		notes = notes[w.Len():]
	}
	made.head = s.sealer.Last()
	for _, g := range made.begun {
		out = entry.AppendSet(out, seqKey(familySegment, g.first), g.value())
	}
	s.sealed = b.appendChanges(out)
	made.entry = s.sealed
	return made
}

// appendChanges appends what changes beside the chunks.
func (b *Batch) appendChanges(out []byte) []byte {
	for i := range b.changes {
		c := &b.changes[i]
		out = appendChange(out, c.key[:c.n], c.value)
	}
	for _, o := range b.others {
		out = appendChange(out, o.key, o.value)
	}
	s := b.s
	for i := range b.moved.Rows {
		row := &b.moved.Rows[i]
		s.totalKey = row.Key.Append(append(s.totalKey[:0], familyTotals))
		s.totalValue = row.Sums.Append(s.totalValue[:0])
		out = entry.AppendSet(out, s.totalKey, s.totalValue)
	}
	return out
}

// appendChange appends that a key is set, or deleted if it has no value.
func appendChange(out, key, value []byte) []byte {
	if value == nil {
		return entry.AppendDelete(out, key)
	}
	return entry.AppendSet(out, key, value)
}

// set adds to a Pebble batch, which fails only beyond 4 GB.
func set(b *pebble.Batch, key, value []byte) { _ = b.Set(key, value, nil) }

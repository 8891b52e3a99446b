package store

import (
	"cardswitch/store/journal"
	"cardswitch/store/queue"
)

// Batch is one durable group: records and the queue changes that belong to them. One goroutine fills
// one batch at a time; another may be committing meanwhile. Batches commit in the order they were filled.
type Batch struct{}

func (s *Store) NewBatch() *Batch                { return &Batch{} }
func (s *Store) Commit(b *Batch) error           { return nil }
func (b *Batch) Append(r *journal.Record) uint64 { return 0 }
func (b *Batch) Len() int                        { return 0 }
func (b *Batch) Size() int                       { return 0 }

// Enqueue owes an advice to a center; Dequeue says that it is owed no more.
func (b *Batch) Enqueue(center uint16, e queue.Entry) {}
func (b *Batch) Dequeue(center uint16, id uint64)     {}

// Shelve puts an entry on the work list, Unshelve takes it off. Neither touches the queue: moving an
// entry is Dequeue and Shelve in one batch.
func (b *Batch) Shelve(center uint16, e queue.Entry) {}
func (b *Batch) Unshelve(id uint64)                  {}

package store

import (
	"encoding/binary"
	"iter"

	"cardswitch/store/queue"

	"github.com/cockroachdb/pebble/v2"
)

// Queue goes through what is owed to a center, oldest first, as it is at the call of the iteration.
func (s *Store) Queue(center uint16) iter.Seq2[queue.Entry, error] {
	return func(yield func(queue.Entry, error) bool) {
		for o, err := range s.owed(queuePrefix(center)) {
			if !yield(o.Entry, err) {
				return
			}
		}
	}
}

// Queues goes through what is owed to all centers, center by center.
func (s *Store) Queues() iter.Seq2[queue.Owed, error] { return s.owed([]byte{familyQueue}) }

// WorkList goes through what an operator has to decide, oldest first.
func (s *Store) WorkList() iter.Seq2[queue.Owed, error] {
	return s.owed([]byte{familyWorkList})
}

// owed is what stands under a prefix. Who asks while the switch ends, as an operator's page may,
// is told so: Pebble would panic.
func (s *Store) owed(prefix []byte) iter.Seq2[queue.Owed, error] {
	return func(yield func(queue.Owed, error) bool) {
		if s.closed.Load() {
			yield(queue.Owed{}, ErrClosed)
			return
		}
		owed(s.db, prefix)(yield)
	}
}

// owed reads the entries under a prefix. It yields an error once, as the last.
func owed(db pebble.Reader, prefix []byte) iter.Seq2[queue.Owed, error] {
	return func(yield func(queue.Owed, error) bool) {
		it, err := db.NewIter(within(prefix))
		if err != nil {
			yield(queue.Owed{}, err)
			return
		}
		defer it.Close()
		for ok := it.First(); ok; ok = it.Next() {
			k := it.Key()
			o, err := queue.Parse(binary.BigEndian.Uint64(k[len(k)-8:]), it.Value())
			if !yield(o, err) || err != nil {
				return
			}
		}
		if err := it.Error(); err != nil {
			yield(queue.Owed{}, err)
		}
	}
}

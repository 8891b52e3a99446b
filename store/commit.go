package store

import (
	"errors"
	"fmt"
	"time"

	"cardswitch/store/entry"

	"github.com/cockroachdb/pebble/v2"
)

// Commit makes a batch durable, on as many nodes as it takes; then b is empty and may be filled
// again. It returns within StallAfter, or when the nodes have decided whether this one goes on
// leading. A batch refused for want of space is unchanged and can be committed again; no later one
// can be before it.
func (s *Store) Commit(b *Batch) error {
	if err := s.err(); err != nil {
		return err
	}
	if b.blank() {
		b.tell()
		return nil
	}
	if err := s.leads(); err != nil {
		return err
	}
	if b.count > 0 && b.first != s.last.Load()+1 {
		return fmt.Errorf("commit of record %d after %d: batches must be committed in order",
			b.first, s.last.Load())
	}
	if err := s.health.full(s); err != nil {
		return err
	}
	start := time.Now()
	s.health.began(start)
	made := b.seal()
	var err error
	if s.agreement != nil {
		err = s.agree(&made)
	} else {
		err = s.writeAlone(&made)
	}
	if err != nil {
		return err
	}
	s.health.committed(time.Since(start))
	b.tell()
	return nil
}

// writeAlone writes what nobody has to agree with.
func (s *Store) writeAlone(made *sealed) error {
	e, err := entry.Parse(made.entry)
	if err != nil {
		return err
	}
	to := s.db.NewBatchWithSize(len(made.entry) + 512)
	if err := put(to, &e); err != nil {
		return err
	}
	if err := s.write(to); err != nil {
		return err
	}
	if made.count > 0 {
		s.position.last, s.position.head = s.position.last+uint64(made.count), made.head
	}
	s.absorb(made)
	return nil
}

// put adds all that an entry writes to a batch.
func put(to *pebble.Batch, e *entry.Entry) error {
	for i := range e.Chunks {
		set(to, seqKey(familyChunk, e.Chunks[i].First), e.Chunks[i].Sealed)
	}
	return e.Changes.Each(func(key, value []byte) { set(to, key, value) },
		func(key []byte) { _ = to.Delete(key, nil) })
}

// write hands a batch to the writer and waits for it, but not for ever.
func (s *Store) write(b *pebble.Batch) error {
	select {
	case s.writes <- b:
	case <-s.failed:
		return s.failure
	}
	s.patient.Reset(s.patience)
	defer s.patient.Stop()
	select {
	case err := <-s.written:
		return err
	case <-s.failed:
	case <-s.patient.C:
		s.stalled()
	}
	return s.failure
}

// commitAside makes durable what no batch of records carries. It too gives up on the disk in time.
func (s *Store) commitAside(b *pebble.Batch) error {
	done := make(chan error, 1)
	go func() { done <- s.commit(b, pebble.Sync) }()
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-s.failed:
	case <-timer.C:
		s.stalled()
	}
	return s.failure
}

func (s *Store) stalled() { s.fail(fmt.Errorf("%w for %s", ErrStalled, s.patience)) }

// writer commits to Pebble. A failure inside may leave it blocked, with Pebble's locks held.
func (s *Store) writer() {
	defer s.finished.Done()
	for {
		select {
		case b := <-s.writes:
			s.written <- s.commit(b, pebble.Sync)
			s.health.look(s)
		case <-s.stop:
			return
		}
	}
}

// commit writes a Pebble batch. Pebble reports some failures to its logger only.
func (s *Store) commit(b *pebble.Batch, how *pebble.WriteOptions) error {
	err := s.protect(func() error { return errors.Join(b.Commit(how), b.Close()) })
	if err != nil {
		s.fail(err)
	}
	select {
	case <-s.failed:
		return s.failure
	default:
		return nil
	}
}

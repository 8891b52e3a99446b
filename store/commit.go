package store

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Commit makes a batch durable; then b is empty and may be filled again. It returns within
// StallAfter. A batch refused for want of space is unchanged and can be committed again; no later
// one can be before it.
func (s *Store) Commit(b *Batch) error {
	if err := s.err(); err != nil {
		return err
	}
	if b.blank() {
		b.tell()
		return nil
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
	to := s.db.NewBatchWithSize(b.size/2 + 512)
	begun := b.seal(to)
	if err := s.write(to); err != nil {
		return err
	}
	s.health.committed(time.Since(start))
	s.segments.add(begun)
	if b.count > 0 {
		s.last.Add(uint64(b.count))
		s.index.Add(b.notes)
		s.feed.wake()
	}
	b.tell()
	return nil
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
		s.fail(fmt.Errorf("%w for %s", ErrStalled, s.patience))
	}
	return s.failure
}

// commitAside makes durable what no batch of records carries. It too gives up on the disk in time.
func (s *Store) commitAside(b *pebble.Batch) error {
	done := make(chan error, 1)
	go func() { done <- s.commit(b) }()
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-s.failed:
	case <-timer.C:
		s.fail(fmt.Errorf("%w for %s", ErrStalled, s.patience))
	}
	return s.failure
}

// writer commits to Pebble. A failure inside may leave it blocked, with Pebble's locks held.
func (s *Store) writer() {
	defer s.finished.Done()
	for {
		select {
		case b := <-s.writes:
			s.written <- s.commit(b)
			s.health.look(s)
		case <-s.stop:
			return
		}
	}
}

// commit makes a Pebble batch durable. Pebble reports some failures to its logger only.
func (s *Store) commit(b *pebble.Batch) error {
	err := s.protect(func() error { return errors.Join(b.Commit(pebble.Sync), b.Close()) })
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

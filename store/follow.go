package store

import (
	"context"
	"sync"

	"cardswitch/store/journal"
)

// farBehind is how many records a follower that had caught up may then fall behind.
const farBehind = 1 << 17

// feed wakes those who follow the journal. They read from the store at their own pace, one chunk at
// a time, so a slow one holds nothing that a commit needs.
type feed struct {
	mu        sync.Mutex
	followers map[chan struct{}]bool
}

func (f *feed) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.followers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (f *feed) join() chan struct{} {
	c := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.followers == nil {
		f.followers = make(map[chan struct{}]bool)
	}
	f.followers[c] = true
	return c
}

func (f *feed) leave(c chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.followers, c)
}

// Follow calls fn with every committed record from one on, in order, and with new ones as they
// come, until ctx ends, fn fails or the store closes. A reader that has caught up and then falls
// far behind gets a SlowReaderError with the record to go on from.
func (s *Store) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	more := s.feed.join()
	defer s.feed.leave(more)
	next, caughtUp := from, false
	for {
		next = max(next, s.first.Load())
		last := s.last.Load()
		if next > last {
			caughtUp = true
			select {
			case <-more:
				continue
			case <-ctx.Done():
				return ctx.Err()
			case <-s.stop:
				return ErrClosed
			}
		}
		if caughtUp && last-next >= farBehind {
			return &SlowReaderError{Resume: next}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		value, err := s.chunkOf(next)
		if err != nil {
			return err
		}
		var c chunks
		if err := c.chunk.Open(value, s.keys); err != nil {
			return err
		}
		if err := c.each(next, fn); err != nil {
			return err
		}
		next = c.chunk.Last() + 1
	}
}

// chunkOf returns a copy of the chunk that holds a record.
func (s *Store) chunkOf(seq uint64) ([]byte, error) {
	it, err := s.db.NewIter(within([]byte{familyChunk}))
	if err != nil {
		return nil, err
	}
	defer it.Close()
	if !it.SeekLT(seqKey(familyChunk, seq+1)) {
		return nil, ErrNotFound
	}
	value, err := it.ValueAndErr()
	return append([]byte(nil), value...), err
}

package store

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const (
	lookEvery = time.Second
	trimEvery = time.Hour
)

// keeper watches the free space and drops what is older than the retention.
func (s *Store) keeper() {
	defer s.finished.Done()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var trimmed time.Time
	for {
		if now := time.Now(); s.retention > 0 && now.Sub(trimmed) >= trimEvery {
			trimmed = now
			if err := s.trim(dayOf(now.UnixNano()) - int32(s.retention)); err != nil && s.err() == nil {
				s.log.Error("old days of the journal couldn't be dropped", "error", err)
			}
		}
		select {
		case <-ticker.C:
			s.health.look(s)
		case <-s.stop:
			return
		}
	}
}

// trim drops the whole days before one, but nothing from the oldest record on that is still
// needed: of an open transaction, of a queued advice, of an entry of the work list, of the log that
// the nodes agree by.
func (s *Store) trim(day int32) error {
	if s.err() != nil {
		return nil
	}
	if _, wanted := s.segments.cut(day, 0); wanted > 0 {
		if err := s.raft.DropRecords(wanted); err != nil {
			return err
		}
	}
	needed, err := s.needed()
	if err != nil {
		return err
	}
	cut, wanted := s.segments.cut(day, needed)
	s.health.held.Store(0)
	if cut < wanted {
		s.health.held.Store(needed)
		s.log.Warn("retention waits for an unfinished transaction", "record", needed)
	}
	if cut == 0 {
		return nil
	}
	return s.dropBefore(cut)
}

// needed is the oldest record that may not be dropped.
func (s *Store) needed() (uint64, error) {
	needed := s.Floor()                            // before the snapshot: what opens later is newer
	if first := s.raft.FirstRecord(); first != 0 { // a follower may still have to get it
		needed = min(needed, first)
	}
	snapshot := s.db.NewSnapshot() // of both lists, as an entry may move from one to the other
	defer snapshot.Close()
	for _, family := range []byte{familyQueue, familyWorkList} {
		for o, err := range owed(snapshot, []byte{family}) {
			if err != nil {
				return 0, err
			}
			needed = min(needed, o.ID, o.Txn)
		}
	}
	return needed, nil
}

// dropBefore drops all before the first record of a segment. What the index still has of them is
// dropped after the journal, and never found in between: searches begin at the first record.
func (s *Store) dropBefore(first uint64) error {
	c, err := s.chunks(s.db)
	if err != nil {
		return err
	}
	_, err = c.seek(first)
	to := anchor{first, c.chunk.Previous}
	if err == nil && c.chunk.First != first {
		err = errors.New("a day doesn't begin with a chunk")
	}
	if err = errors.Join(err, c.it.Close()); err != nil {
		return err
	}
	b := s.db.NewBatch()
	set(b, []byte(aboutAnchor), to.value())
	for _, family := range []byte{familyChunk, familySegment} {
		_ = b.DeleteRange(seqKey(family, 0), seqKey(family, first), nil)
	}
	s.first.Store(first)
	if err := s.commitAside(b); err != nil {
		return err
	}
	s.segments.drop(first)
	s.log.Info("old days of the journal were dropped", "first", first)
	return s.index.DropBefore(first)
}

// loadSegments reads the table of days.
func loadSegments(db *pebble.DB) ([]segment, error) {
	it, err := db.NewIter(within([]byte{familySegment}))
	if err != nil {
		return nil, err
	}
	var list []segment
	for ok := it.First(); ok; ok = it.Next() {
		g, err := parseSegment(it.Key()[1:], it.Value())
		if err != nil {
			return nil, errors.Join(err, it.Close())
		}
		list = append(list, g)
	}
	return list, it.Close()
}

package store

import (
	"errors"
	"fmt"
	"io"
	"time"

	"cardswitch/store/entry"
	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2"
	"go.etcd.io/raft/v3/raftpb"
)

// ErrGone is that of entries that the log doesn't have any more.
var ErrGone = errors.New("the log doesn't go back so far")

// entriesAtOnce is how many bytes of entries are read at once.
const entriesAtOnce = 1 << 20

// Entries calls fn with the entries that are applied after one, in order. Those that change nothing
// but the members of the cluster come without data. What fn is given is valid during its call.
func (s *Store) Entries(after uint64, fn func(index uint64, data []byte) error) error {
	applied := s.Applied()
	for next := after + 1; next <= applied; {
		first, err := s.raft.FirstIndex()
		if err != nil {
			return err
		}
		if next < first {
			return fmt.Errorf("%w: entry %d, it begins with %d", ErrGone, next, first)
		}
		found, err := s.raft.Entries(next, applied+1, entriesAtOnce)
		if now, _ := s.raft.FirstIndex(); err != nil && next < now {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range found {
			data := e.GetData()
			if e.GetType() != raftpb.EntryNormal {
				data = nil
			}
			if err := fn(next, data); err != nil {
				return err
			}
			next++
		}
	}
	return nil
}

// Hold wants the entries after one kept until they are copied, see raftlog.
func (s *Store) Hold(after uint64) { s.raft.Hold(after) }

// Redo writes entries of a log that is elsewhere into a journal that belongs to no cluster, until
// next returns io.EOF, or stop says so, which gets the last record of each before it is written.
// Each must go on where the journal ends. Close the store then: what it keeps in memory is as
// before.
func (s *Store) Redo(next func() ([]byte, error), stop func(last uint64, at time.Time) bool) error {
	if err := s.leads(); err != nil {
		return err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	for {
		data, err := next()
		if errors.Is(err, io.EOF) {
			return s.db.LogData(nil, pebble.Sync)
		}
		if err != nil {
			return err
		}
		if len(data) == 0 {
			continue
		}
		ended, err := s.redo(data, stop)
		if err != nil || ended {
			return errors.Join(err, s.db.LogData(nil, pebble.Sync))
		}
	}
}

func (s *Store) redo(data []byte, stop func(last uint64, at time.Time) bool) (bool, error) {
	e, err := entry.Parse(data)
	if err != nil {
		return false, err
	}
	made, err := s.examine(&e)
	if err != nil {
		return false, err
	}
	if made.count > 0 {
		if made.first != s.position.last+1 {
			return false, fmt.Errorf("an entry begins with record %d, the journal ends with %d",
				made.first, s.position.last)
		}
		at, err := s.timeOfLast(&e)
		if err != nil || stop(made.first+uint64(made.count)-1, at) {
			return true, err
		}
	}
	b := s.db.NewBatch()
	if err := put(b, &e); err != nil {
		return false, errors.Join(err, b.Close())
	}
	if err := s.commit(b, pebble.NoSync); err != nil {
		return false, err
	}
	if made.count > 0 {
		s.position.last, s.position.head = s.position.last+uint64(made.count), made.head
	}
	s.absorb(made)
	return false, nil
}

// timeOfLast is the time of an entry's last record.
func (s *Store) timeOfLast(e *entry.Entry) (time.Time, error) {
	c := &s.follower
	if err := c.Open(e.Chunks[len(e.Chunks)-1].Sealed, s.keys); err != nil {
		return time.Time{}, err
	}
	var r journal.Record
	for {
		ok, err := c.Next(&r)
		if !ok || err != nil {
			return time.Unix(0, r.At), err
		}
	}
}

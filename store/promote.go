package store

import (
	"errors"
	"fmt"
)

// Promote makes the node of a directory the only voter of its cluster, under a higher generation: a
// site goes on alone, without those who would have to agree. All that the node's log has counts
// from then on, also what nobody had told it to be agreed. No replica may run on the store; it must
// be closed, and opened anew before one does.
//
// Whoever lives on under the old generation must never be heard again: that no node of it still
// serves is for people to know.
func (s *Store) Promote(generation uint64) error {
	const op = "promote the site"
	if err := s.err(); err != nil {
		return err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	switch id := s.raft.Identity(); {
	case id.Node == 0:
		return &Error{op, errors.New("the data directory is no node's"), "start the node first"}
	case generation <= id.Generation:
		return &Error{op, fmt.Errorf("generation %d isn't above %d", generation, id.Generation),
			"take a higher one"}
	case s.position.index == 0:
		return &Error{op, errors.New("the node never had anything of the cluster's"),
			"restore a backup instead"}
	}
	b := s.db.NewBatch()
	if err := s.raft.Promote(b, generation); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := s.commitAside(b); err != nil {
		return err
	}
	return s.raft.Reload()
}

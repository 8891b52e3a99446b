package store

import (
	"errors"
	"fmt"
	"time"

	"cardswitch/store/journal"
	"cardswitch/store/raftlog"

	"github.com/cockroachdb/pebble/v2"
	pb "go.etcd.io/raft/v3/raftpb"
)

// Found makes the directory a node's. What the journal holds already counts as the first entry of
// the cluster's log, so the members of a new cluster must all begin with an empty one; of a node
// that is to learn what there is from the others, members is empty.
func (s *Store) Found(id raftlog.Identity, members []raftlog.Member) error {
	if err := s.err(); err != nil {
		return err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	if s.raft.Founded() {
		return errors.New("the data directory belongs to a node already")
	}
	if s.position.last > 0 && len(members) != 1 {
		return &Error{"join a cluster", errors.New("the journal isn't empty"),
			"start it alone and let the others join, or begin with an empty data directory"}
	}
	former, err := s.Former()
	if err != nil {
		return err
	}
	if former.Cluster == id.Cluster && id.Generation <= former.Generation {
		return &Error{"found the cluster", fmt.Errorf("the journal was brought back from a backup of "+
			"cluster %s, generation %d", former.Cluster, former.Generation), "raise the generation, so " +
			"that nodes that may still run refuse it, and this one them"}
	}
	after, err := s.termsBefore()
	if err != nil {
		return err
	}
	b := s.db.NewBatch()
	if former.Node != 0 { // a node alone may lead with it; with others about, people are asked first
		set(b, []byte(aboutClaim), nil)
	}
	return s.found(b, id, members, after)
}

// found adds to a batch that the directory is a node's, and commits it.
func (s *Store) found(b *pebble.Batch, id raftlog.Identity, members []raftlog.Member,
	after uint64) error {
	if err := s.raft.Found(b, id, members, after); err != nil {
		return errors.Join(err, b.Close())
	}
	if len(members) == 1 && members[0].Kind == raftlog.Learner {
		s.raft.Demote(b, members[0])
	}
	at := s.position
	if len(members) > 0 {
		at.index, at.term = raftlog.FirstEntry, raftlog.FirstEntry
	}
	set(b, []byte(aboutPosition), at.value())
	if err := s.commitAside(b); err != nil {
		return err
	}
	s.position = at
	return s.raft.Reload()
}

// termsBy is a term that no cluster has come to by a time: the seconds since 1970, as it would have
// to elect once a second all that while. A journal that was promoted, or brought back from a
// backup, goes on after it: there may have been terms that it doesn't know of, and centers that
// heard the last one take nothing of a lower one any more (hsm/envelope/SPEC.md, section 14).
func termsBy(now time.Time) uint64 { return uint64(max(0, now.Unix())) }

// termsBefore is the last term that there may have been before this directory is a node's; 0 if its
// journal is new.
func (s *Store) termsBefore() (uint64, error) {
	if s.position.last == 0 {
		return 0, nil
	}
	it, err := s.db.NewIter(within([]byte{familyChunk}))
	if err != nil {
		return 0, err
	}
	last := uint64(0)
	if it.Last() {
		h, err := journal.ReadHeader(it.Value())
		if err != nil {
			return 0, errors.Join(err, it.Close())
		}
		last = h.Epoch
	}
	return max(last, termsBy(time.Now())), it.Close()
}

// ApplyMembers applies a change of the members, durably and in order with all that is applied.
func (s *Store) ApplyMembers(index, term uint64, conf *pb.ConfState,
	changed raftlog.Member) error {
	if err := s.err(); err != nil {
		return err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	if index <= s.position.index {
		return nil
	}
	at := s.position
	at.index, at.term = index, term
	b := s.db.NewBatch()
	if err := s.raft.SetConf(b, conf, changed); err != nil {
		return errors.Join(err, b.Close())
	}
	set(b, []byte(aboutPosition), at.value())
	if err := s.commitAside(b); err != nil {
		return err
	}
	s.position = at
	s.raft.Changed(conf, changed)
	return nil
}

func (s *Store) raftOptions() raftlog.Options {
	if s.logOnly {
		return raftlog.Options{Write: s.writeLog}
	}
	return raftlog.Options{Write: s.writeLog, Freeze: s.freeze,
		ChunkKey: func(first uint64) []byte { return seqKey(familyChunk, first) }}
}

// writeLog writes what belongs to the log. If the disk doesn't answer, the store fails; this call
// may then never return, so whoever waits for what it writes must look at Failed as well.
func (s *Store) writeLog(b *pebble.Batch, sync bool) error {
	late := time.AfterFunc(s.patience, s.stalled)
	defer late.Stop()
	how := pebble.NoSync
	if sync {
		how = pebble.Sync
	}
	err := s.commit(b, how)
	s.health.look(s)
	return err
}

package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"cardswitch/store/raftlog"

	"github.com/cockroachdb/pebble/v2"
)

// A journal that was brought back from a backup claims to be the cluster's. Whether those that had
// it before still run, no program can know: until people have said so it has no vote, and nobody
// heeds it.

// Claims tells that the journal was brought back from a backup and that it hasn't been promoted
// since.
func (s *Store) Claims() (bool, error) {
	former, err := s.Former()
	if err != nil || former.Node == 0 {
		return false, err
	}
	if !s.raft.Founded() {
		return true, nil
	}
	_, closer, err := s.db.Get([]byte(aboutClaim))
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, closer.Close()
}

// Claim makes the directory, whose journal Claims, that of a node of a cluster without a vote and
// of no generation: it can look at all it has, and lead only after Promote.
func (s *Store) Claim(cluster string, node uint64, address string) error {
	const op = "take up the journal that was brought back"
	if err := s.err(); err != nil {
		return err
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	is := s.raft.Identity()
	switch claims, err := s.Claims(); {
	case err != nil:
		return err
	case s.logOnly:
		return &Error{op, errors.New("a witness has no journal"), "restore it as a data node"}
	case !claims:
		return &Error{op, errors.New("it wasn't"), "begin with an empty data directory"}
	case is.Node != 0 && (is.Node != node || is.Cluster != cluster):
		return &Error{op, fmt.Errorf("the data directory is that of node %d of cluster %q", is.Node,
			is.Cluster), "restore it once more, for this node"}
	}
	self := raftlog.Member{ID: node, Kind: raftlog.Learner, Address: address}
	b := s.db.NewBatch()
	set(b, []byte(aboutClaim), nil)
	if is.Node != 0 { // it was taken up before, perhaps as a node that was alone
		s.raft.Demote(b, self)
		if err := s.commitAside(b); err != nil {
			return err
		}
		return s.raft.Reload()
	}
	after, err := s.termsBefore()
	if err != nil {
		return errors.Join(err, b.Close())
	}
	return s.found(b, raftlog.Identity{Cluster: cluster, Node: node}, []raftlog.Member{self}, after)
}

// appendMembers writes members, each with its length before it.
func appendMembers(b []byte, list []raftlog.Member) []byte {
	for _, m := range list {
		one := m.Append(nil)
		b = append(binary.AppendUvarint(b, uint64(len(one))), one...)
	}
	return b
}

var errMembers = errors.New("damaged list of the former members")

func parseMembers(b []byte) (list []raftlog.Member, err error) {
	for len(b) > 0 {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, errMembers
		}
		m, err := raftlog.ParseMember(b[n : n+int(size)])
		if err != nil {
			return nil, err
		}
		list, b = append(list, m), b[n+int(size):]
	}
	return list, nil
}

// FormerMembers are those of the cluster that a journal was brought back from, as they were when it
// was copied; nil if it never was.
func (s *Store) FormerMembers() ([]raftlog.Member, error) {
	v, closer, err := s.db.Get([]byte(aboutFormerMembers))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := parseMembers(slices.Clone(v))
	return list, errors.Join(err, closer.Close())
}

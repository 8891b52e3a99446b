package store

import (
	"errors"
	"log/slog"

	"cardswitch/store/fence"
	"cardswitch/store/raftlog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Disown makes the copy of a node's journal, which no store has opened yet, nobody's: the cluster's
// log is dropped with what wasn't applied of it. So the copy can never come back as the node that
// it was, whose log and votes it would contradict. What it was stays known, see Former.
func Disown(dir string) (err error) {
	const op = "take the journal out of its cluster"
	s := &Store{dir: dir, log: slog.New(slog.DiscardHandler), fs: fence.New(vfs.Default),
		failed: make(chan struct{})}
	s.indexFS = s.fs
	name := s.fs.PathJoin(dir, "journal")
	if s.db, err = pebble.Open(name, s.journalOptions(s.fs)); err != nil {
		return openError(op, name, err)
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	at, agreed, err := readPosition(s.db)
	if err != nil || !agreed {
		return err
	}
	if s.raft, err = raftlog.Open(s.db, s.raftOptions()); err != nil {
		return err
	}
	b := s.db.NewBatch()
	_ = b.DeleteRange(seqKey(familyChunk, at.last+1), []byte{familyChunk + 1}, nil)
	_ = b.DeleteRange([]byte{familyRaft}, []byte{familyRaft + 1}, nil)
	_ = b.Delete([]byte(aboutPosition), nil)
	set(b, []byte(aboutFormer), s.raft.Identity().Append(nil))
	set(b, []byte(aboutFormerMembers), appendMembers(nil, s.raft.Members()))
	_ = b.Delete([]byte(aboutClaim), nil)
	if err := b.Commit(pebble.Sync); err != nil {
		return &Error{op, err, "check the disk"}
	}
	return nil
}

// Former is whose the journal was before it was brought back from a backup, zero if it never was.
func (s *Store) Former() (raftlog.Identity, error) {
	v, closer, err := s.db.Get([]byte(aboutFormer))
	if errors.Is(err, pebble.ErrNotFound) {
		return raftlog.Identity{}, nil
	}
	if err != nil {
		return raftlog.Identity{}, err
	}
	id, err := raftlog.ParseIdentity(v)
	return id, errors.Join(err, closer.Close())
}

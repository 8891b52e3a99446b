package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"cardswitch/store/journal"
	"cardswitch/store/raftlog"

	"github.com/cockroachdb/pebble/v2"
)

// The folder in which a journal of another node comes, and its name when it is complete. Open puts
// it in the place of the node's own.
const (
	incoming = "incoming"
	received = "received"
)

// Receive reads what Ship wrote into a folder beside the journal. Then Replace puts it in the
// journal's place.
func (s *Store) Receive(from io.Reader) error {
	if err := s.receive(from); err != nil {
		return fmt.Errorf("take the journal of another node: %w", err)
	}
	return nil
}

func (s *Store) receive(from io.Reader) (err error) {
	dir := s.fs.PathJoin(s.dir, incoming)
	if err := s.fs.RemoveAll(dir); err != nil {
		return err
	}
	if err := s.makeFolders(dir, s.fs.PathJoin(dir, "journal")); err != nil {
		return err
	}
	db, err := pebble.Open(s.fs.PathJoin(dir, "journal"), s.journalOptions(s.fs))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	b := db.NewBatch()
	err = shipped(from, func(key, value []byte) error {
		if err := s.fits(key, value); err != nil {
			return err
		}
		if s.logOnly && !raftlog.Shipped(key) {
			return s.skim(b, key, value)
		}
		set(b, key, value)
		if b.Len() < 4<<20 {
			return nil
		}
		err := b.Commit(pebble.NoSync)
		b.Reset()
		return err
	})
	if err != nil {
		return errors.Join(err, b.Close())
	}
	return errors.Join(b.Commit(pebble.NoSync), b.Close(), db.Flush())
}

// Replace makes the journal received the node's own, from the next Open on. What raft must not
// forget goes with it, so the node must not take part any more.
func (s *Store) Replace() error {
	dir := s.fs.PathJoin(s.dir, incoming)
	db, err := pebble.Open(s.fs.PathJoin(dir, "journal"), s.journalOptions(s.fs))
	if err != nil {
		return err
	}
	at, ok, err := readPosition(db)
	if err == nil && !ok {
		err = errors.New("the journal received doesn't say how far it goes")
	}
	b := db.NewBatch()
	if err == nil {
		s.raft.Begin(b, at.index, at.term)
		err = b.Commit(pebble.Sync)
	}
	if err = errors.Join(err, b.Close(), db.Close()); err != nil {
		return err
	}
	if err := s.fs.Rename(dir, s.fs.PathJoin(s.dir, received)); err != nil {
		return err
	}
	return syncFolder(s.fs, s.dir)
}

// adopt puts a journal received in the place of the node's own. A crash in between only means that
// it is done again.
func (s *Store) adopt() error {
	from := s.fs.PathJoin(s.dir, received)
	if _, err := s.fs.Stat(s.fs.PathJoin(from, "journal")); err == nil {
		for _, old := range []string{"journal", "index"} {
			if err := s.fs.RemoveAll(s.fs.PathJoin(s.dir, old)); err != nil {
				return err
			}
		}
		err := s.fs.Rename(s.fs.PathJoin(from, "journal"), s.fs.PathJoin(s.dir, "journal"))
		if err = errors.Join(err, syncFolder(s.fs, s.dir)); err != nil {
			return err
		}
	}
	return errors.Join(s.fs.RemoveAll(from), s.fs.RemoveAll(s.fs.PathJoin(s.dir, incoming)))
}

func syncFolder(fs FS, dir string) error {
	f, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// skim takes of a journal what a witness needs: how far it goes.
func (s *Store) skim(b *pebble.Batch, key, value []byte) error {
	if string(key) != aboutPosition {
		return nil
	}
	at, err := parsePosition(value)
	at.last, at.head = 0, journal.Hash{}
	set(b, key, at.value())
	firstLines(b, s.keys.ID())
	return err
}

// fits refuses a journal under another key or of another version.
func (s *Store) fits(key, value []byte) error {
	id := s.keys.ID()
	switch {
	case string(key) == aboutKey && !s.logOnly && !bytes.Equal(value, id[:]):
		return fmt.Errorf("it is under data key %x, this node has %x", value, id)
	case string(key) == aboutVersion:
		_, err := s.levelOf(value)
		return err
	case key[0] == familyRaft && !raftlog.Shipped(key):
		return errors.New("it has a log of its own")
	}
	return nil
}

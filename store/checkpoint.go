package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2"
)

// Mark is how far a journal goes, and what it needs to be opened.
type Mark struct {
	First uint64       `json:"first"` // Seq of the first record; above 1 by retention
	Last  uint64       `json:"last"`
	Head  journal.Hash `json:"head"` // of the last chunk
	At    time.Time    `json:"at"`   // of the last record
	Key   string       `json:"key"`  // KeyName of the data key, in hexadecimal digits
	// KeyStore is the newest version of the key store that the journal was told, see KeyWitness.
	KeyStore uint64 `json:"key_store"`
	// Log names the log that the cluster agrees by, Index its last entry that is in the journal. ""
	// is that of a journal that belongs to no cluster.
	Log   string `json:"log,omitempty"`
	Index uint64 `json:"index,omitempty"`
}

// LogName names the log that the node's cluster agrees by, the same on all its nodes and another
// one after a promotion; "" if it belongs to none.
func (s *Store) LogName() string {
	id := s.raft.Identity()
	if id.Node == 0 {
		return ""
	}
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(id.Cluster), id.Generation))
	return hex.EncodeToString(sum[:8])
}

// checkpointSpare is what a checkpoint may need beyond the logs that it copies.
const checkpointSpare = 64 << 20

// Checkpoint puts the journal, as it is at one moment, into a folder that isn't there yet, on the
// same disk: its tables as links, the rest copied. Whatever was committed before is in it. It
// costs a sync and the bytes of Pebble's log; commits go on meanwhile, and a checkpoint that fails
// fails alone. The index isn't in it, for it is made of the journal.
func (s *Store) Checkpoint(dir string) (Mark, error) {
	const op = "copy the journal"
	if err := s.err(); err != nil {
		return Mark{}, err
	}
	if err := s.roomToCopy(); err != nil {
		return Mark{}, err
	}
	defer s.fs.Aside(dir)()
	if err := checkpoint(s.db, dir); err != nil {
		return Mark{}, &Error{op, err, "check the disk of the data directory"}
	}
	copied, err := pebble.Open(dir, s.readOnly())
	if err != nil {
		return Mark{}, &Error{op, err, "the copy can't be opened: check the disk of the data directory"}
	}
	m, err := s.mark(copied)
	return m, errors.Join(err, copied.Close())
}

// checkpoint returns, too, what Pebble panics with where the folder's names can't be synced. It
// holds no lock then.
func checkpoint(db *pebble.DB, dir string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("pebble: %v", p)
		}
	}()
	return db.Checkpoint(dir, pebble.WithFlushedWAL())
}

// roomToCopy refuses a copy that might take the free space that commits need.
func (s *Store) roomToCopy() error {
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return nil // a disk that can't say
	}
	need := s.minFree + s.db.Metrics().WAL.PhysicalSize + checkpointSpare
	if usage.AvailBytes < need {
		return &Error{"copy the journal", fmt.Errorf("%w: %d MB in %s, a copy needs %d MB",
			ErrDiskFull, usage.AvailBytes>>20, s.dir, need>>20), "free some space"}
	}
	return nil
}

func (s *Store) readOnly() *pebble.Options {
	quiet := pebbleLog{slog.New(slog.DiscardHandler), func(error) {}}
	return &pebble.Options{FS: s.fs.FS, FormatMajorVersion: pebbleForm, ReadOnly: true,
		Logger: quiet, Experimental: s.journalOptions(s.fs).Experimental}
}

// Mark is how far the journal goes now.
func (s *Store) Mark() (Mark, error) {
	snapshot := s.db.NewSnapshot()
	m, err := s.mark(snapshot)
	return m, errors.Join(err, snapshot.Close())
}

func (s *Store) mark(from pebble.Reader) (m Mark, err error) {
	at, err := readAnchor(from)
	if err != nil {
		return m, err
	}
	m = Mark{First: at.first, Last: at.first - 1, Head: at.previous,
		Key: fmt.Sprintf("%x", s.keys.ID())}
	if m.KeyStore, err = keyStoreVersion(from); err != nil {
		return m, err
	}
	p, agreed, err := readPosition(from)
	if err != nil {
		return m, err
	}
	if agreed {
		m.Log, m.Index = s.LogName(), p.index
	}
	c, err := s.chunks(from)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, c.it.Close()) }()
	ok, err := c.moved(c.it.Last())
	if !ok || err != nil {
		return m, err
	}
	m.Last, m.Head = c.chunk.Last(), c.chunk.Hash
	return m, c.each(m.Last, func(r *journal.Record) error {
		m.At = time.Unix(0, r.At).UTC()
		return nil
	})
}

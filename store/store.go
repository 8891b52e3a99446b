// Package store keeps the switch's books: the journal, what is derived from it, and what is still owed.
package store

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/store/registry"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options say where the store lives and when it gives up. Zero values are sensible but for Dir and the key.
type Options struct {
	Dir           string
	FS            vfs.FS        // nil: the machine's
	KeyFile       string        // 32 bytes in hex, readable by its owner alone
	CreateKey     bool          // write KeyFile if it isn't there
	Key           []byte        // instead of KeyFile: 32 bytes
	RetentionDays int           // whole days kept before today (UTC); 0: everything
	MinFreeBytes  uint64        // below it, commits are refused; below twice that, Health says Low
	StallAfter    time.Duration // a commit that takes longer is a failure; 0: 5 s
	Epoch         uint64        // of the node, written into every chunk
	Logger        *slog.Logger
	OnFailure     func(error) // called once, from any goroutine, when nothing can be committed any more
}

// Store is one open data directory. All methods but NewBatch, Append and Commit (see Batch) are safe for
// concurrent use.
type Store struct{}

// Health is what the doors and the operator watch.
type Health struct {
	FreeBytes     uint64
	Low           bool // less than twice MinFreeBytes: take no new requests
	Full          bool // less than MinFreeBytes: commits are refused
	Stalled       bool // a commit has taken longer than StallAfter
	LastCommit    time.Duration
	Commits       uint64
	Syncs         uint64
	BytesSynced   uint64
	IndexLag      uint64 // records committed but not yet indexed
	RetentionHeld uint64 // record that keeps a day from being dropped; 0: none
	Failure       error
}

// Report is what Verify found out about a sound journal.
type Report struct {
	Chunks, Records uint64
	First, Last     uint64 // Seq of the first and last record
	Bytes           uint64
}

// Open opens or creates a data directory.
func Open(o Options) (*Store, error) { return &Store{}, nil }

func (s *Store) Close() error { return nil }

func (s *Store) Replay(from uint64, fn func(*journal.Record) error) error { return nil }
func (s *Store) Floor() uint64                                            { return 0 }
func (s *Store) FirstSeq() uint64                                         { return 0 }
func (s *Store) LastSeq() uint64                                          { return 0 }
func (s *Store) IndexedThrough() uint64                                   { return 0 }
func (s *Store) NewestIndexed(center uint16) uint64                       { return 0 }

func (s *Store) Find(key journal.Key) (txn uint64, ok bool, err error) { return 0, false, nil }
func (s *Store) Transaction(txn uint64) ([]journal.Record, error)      { return nil, nil }
func (s *Store) FindCard(hash [16]byte, limit int) ([]uint64, error)   { return nil, nil }
func (s *Store) FindReference(rrn string, limit int) ([]uint64, error) { return nil, nil }
func (s *Store) HashPAN(p spec.PAN) [16]byte                           { return [16]byte{} }

func (s *Store) Queue(center uint16) iter.Seq2[queue.Entry, error] { return nil }
func (s *Store) WorkList() iter.Seq2[queue.Owed, error]            { return nil }

func (s *Store) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	return nil
}
func (s *Store) Registry() *registry.Registry                         { return nil }
func (s *Store) Health() Health                                       { return Health{} }
func (s *Store) Verify(progress func(records uint64)) (Report, error) { return Report{}, nil }

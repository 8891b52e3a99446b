// Package store keeps the switch's books: the journal, what is derived from it, and what is still
// owed.
//
// The journal is one Pebble (dir/journal) with one key a chunk of records, in sequence, written and
// synced by Commit; what belongs to a record (an advice queued or delivered, a token of the vault)
// changes in the same batch. Where things are found is derived from it into a second Pebble
// (dir/index) that keeps no log, so that a transaction's small keys cost no synced byte and never
// make the journal's tables overlap: those are written once and then only moved. A chunk is
// compressed and sealed before it is written, see journal. At 100,000 transactions a second for
// 20 s (TestLoad) the journal's tables were each written once, none was compacted, and the index
// cost about a third of the processor time.
//
// After a failure nothing more is written (see fence), every Commit returns the error, and
// OnFailure has been called; reading goes on as far as the disk allows. A disk that doesn't answer
// is a failure too, so Commit never hangs.
//
// Goroutines: writer (one Pebble commit at a time, so that Commit can give up on it), keeper (free
// space, retention), the index's own, and Pebble's. All end with Close.
package store

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/spec"
	"cardswitch/store/fence"
	"cardswitch/store/index"
	"cardswitch/store/journal"
	"cardswitch/store/raftlog"
	"cardswitch/store/registry"
	"cardswitch/store/total"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options say where the store lives and when it gives up. Zero values are sensible but for Dir and
// the key.
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
	OnFailure     func(error) // called once, when nothing can be committed any more
	// LogOnly is for a witness: it keeps the log that the nodes agree by, and an empty journal. It
	// needs no key, for it reads nothing of what it keeps.
	LogOnly bool
	Reads   uint8 // the newest level that is read, for tests of programs to come; 0: Reads
	// Until ends what reads the journal from end to end, as Verify; nil: nothing does.
	Until context.Context
}

// Store is one open data directory. NewBatch, Append and Commit have rules of their own (see
// Batch); all other methods are safe for concurrent use.
type Store struct {
	dir       string
	log       *slog.Logger
	retention int
	minFree   uint64
	patience  time.Duration
	until     context.Context
	onFailure func(error)

	fs       *fence.FS // of the journal
	indexFS  *fence.FS
	db       *pebble.DB
	index    *index.Index
	keys     *journal.Keys
	registry *registry.Registry
	segments segments
	totals   *total.Table // of the goroutine that fills batches

	next   uint64          // Seq of the next record; of the goroutine that fills batches
	sealer *journal.Sealer // of Commit
	sealed []byte          // of Commit

	totalKey, totalValue []byte // of Commit

	raft      *raftlog.Log
	logOnly   bool
	reads     uint8
	level     atomic.Uint32
	agreement Agreement
	epoch     atomic.Uint64          // in which the node leads; 0: it doesn't
	mine      atomic.Pointer[sealed] // what Commit has proposed
	applying  sync.Mutex
	position  position      // under applying; without an Agreement of Commit
	follower  journal.Chunk // under applying
	freezing  sync.Mutex
	frozen    map[uint64]*frozen // under freezing, by entry

	last  atomic.Uint64 // Seq of the last committed record
	first atomic.Uint64 // Seq of the first record still kept

	writes   chan *pebble.Batch
	written  chan error
	patient  *time.Timer
	stop     chan struct{}
	finished sync.WaitGroup

	health   health
	feed     feed
	failOnce sync.Once
	failed   chan struct{} // closed after failure is set
	failure  error
	closed   atomic.Bool
}

// HashPAN is the keyed hash under which a card is found. It doesn't allocate.
func (s *Store) HashPAN(p spec.PAN) [16]byte { return s.keys.HashPAN(p) }

// CardOf is the card behind such a hash: whoever holds the data key can tell. false if it is none.
func (s *Store) CardOf(hash [16]byte) (spec.PAN, bool) { return s.keys.CardOf(hash) }

// KeyName names the data key without telling anything about it; zero: a witness has none.
func (s *Store) KeyName() [8]byte {
	if s.logOnly {
		return [8]byte{}
	}
	return s.keys.ID()
}

// Registry returns the names behind the numbers in the journal.
func (s *Store) Registry() *registry.Registry { return s.registry }

// Log is the log that the nodes agree by.
func (s *Store) Log() *raftlog.Log { return s.raft }

// Failed is closed when nothing can be written any more; Health then has the reason.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// LastSeq is the Seq of the last committed record, 0 if there is none.
func (s *Store) LastSeq() uint64 { return s.last.Load() }

// FirstSeq is the Seq of the first record that retention has left.
func (s *Store) FirstSeq() uint64 { return s.first.Load() }

// Floor is the first record that a restart must replay: all before it are indexed and closed.
func (s *Store) Floor() uint64 { return max(s.index.Floor(), s.first.Load()) }

// IndexedThrough is the newest record that the index has on Pebble, with all before it.
func (s *Store) IndexedThrough() uint64 { return s.index.Through() }

// NewestIndexed is the newest local time (DE 12) among the indexed questions of a center.
func (s *Store) NewestIndexed(center uint16) uint64 { return s.index.Newest(center) }

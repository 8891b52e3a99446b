// Package raftlog keeps the log that the nodes of a cluster agree by, in the journal's own Pebble.
//
// It is raft's Storage and what writes it. An entry of the log holds the chunks of the journal that
// a batch made. They are written once: by the synced write that appends the entry, under the keys
// that they have in the journal; the log itself keeps the rest of the entry. So what lies at the
// end of the journal may not be agreed yet, and nobody but the log may see it; when another leader
// puts other entries in the place of some, their chunks go with them. Agreeing costs no second copy
// of a byte, and a log that is kept long for who was away costs next to nothing.
package raftlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// Options say where the log lies.
type Options struct {
	// Write commits a batch, durably if it says sync.
	Write func(b *pebble.Batch, sync bool) error
	// ChunkKey is where the journal keeps the chunk of a first record. nil: there is no journal, as
	// at a witness, and entries are kept whole.
	ChunkKey func(first uint64) []byte
	// Freeze holds the journal as it is now, so that it can be shipped; nil: there is none.
	Freeze func() (*pb.Snapshot, error)
}

// Identity is whose log it is. A node's number is never given to another node, nor is a data
// directory copied to make one.
type Identity struct {
	Cluster    string
	Node       uint64
	Generation uint64 // raised when a site is promoted; what is of an older one is refused
}

// recentBytes is how much of the newest entries is kept in memory, for who is about to need it.
const recentBytes = 16 << 20

// Log is safe for concurrent use.
type Log struct {
	o  Options
	db *pebble.DB

	writing  sync.Mutex    // held while something is written
	released atomic.Uint64 // nobody needs the entries through this one

	mu       sync.RWMutex
	identity Identity
	conf     *pb.ConfState
	members  map[uint64]Member
	hard     hardState
	written  hardState // as it is on the disk
	first    mark      // the last entry that is dropped
	last     mark
	record   uint64 // Seq of the first record that an entry holds; 0: none does
	held     uint64 // see Hold
	recent   []*pb.Entry
	size     int // of recent
}

// hardState is what raft must not forget.
type hardState struct{ term, vote, commit uint64 }

// mark is an entry's place. Bytes are those of all entries up to it.
type mark struct{ index, term, bytes uint64 }

// Open reads where the log begins and ends.
func Open(db *pebble.DB, o Options) (*Log, error) {
	l := &Log{o: o, db: db, held: math.MaxUint64}
	if err := l.load(); err != nil {
		return nil, fmt.Errorf("read the log of the cluster: %w", err)
	}
	return l, nil
}

// Founded tells that the log has an owner.
func (l *Log) Founded() bool { return l.Identity().Node != 0 }

// Identity is whose log it is, zero if it is nobody's yet.
func (l *Log) Identity() Identity {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.identity
}

// FirstRecord is the Seq of the first record that an entry of the log holds, 0 if none does.
func (l *Log) FirstRecord() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.record
}

// Agreed is the last entry that is known to be agreed on: if this node is the only voter, that is
// all it has.
func (l *Log) Agreed() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.alone() {
		return l.last.index
	}
	return l.hard.commit
}

func (l *Log) alone() bool {
	return len(l.conf.GetVoters()) == 1 && len(l.conf.GetVotersOutgoing()) == 0 &&
		l.conf.GetVoters()[0] == l.identity.Node
}

// Hold wants the entries after one kept, for who copies them elsewhere, as far as the bound of the
// log's size allows. It is forgotten with the process.
func (l *Log) Hold(after uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = after
}

// Held is what Hold was told, the highest number if it wasn't called.
func (l *Log) Held() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.held
}

// Bytes is the size of the entries after one, up to the last.
func (l *Log) Bytes(after uint64) uint64 {
	at, err := l.mark(after)
	l.mu.RLock()
	defer l.mu.RUnlock()
	if err != nil {
		at = l.first
	}
	return l.last.bytes - min(at.bytes, l.last.bytes)
}

// mark gives the place of an entry, whose number may also be that of the last one dropped.
func (l *Log) mark(index uint64) (mark, error) {
	l.mu.RLock()
	first, last := l.first, l.last
	l.mu.RUnlock()
	switch {
	case index == first.index:
		return first, nil
	case index == last.index:
		return last, nil
	case index < first.index:
		return mark{}, raft.ErrCompacted
	case index > last.index:
		return mark{}, raft.ErrUnavailable
	}
	v, closer, err := l.db.Get(entryKey(index))
	if err != nil {
		return mark{}, fmt.Errorf("entry %d of the log: %w", index, err)
	}
	defer closer.Close()
	if len(v) < entryHead {
		return mark{}, damaged("entry", index)
	}
	return mark{index, binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])}, nil
}

func damaged(what string, index uint64) error {
	return fmt.Errorf("damaged %s %d of the log", what, index)
}

// Entry is one entry of the log.
type Entry struct {
	Term uint64
	Conf bool // it changes the members
	Data []byte
}

// Entry returns one entry, nil if the log ends before it.
func (l *Log) Entry(index uint64) (*Entry, error) {
	found, err := l.Entries(index, index+1, 0)
	if errors.Is(err, raft.ErrUnavailable) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e := found[0]
	return &Entry{e.GetTerm(), e.GetType() != pb.EntryNormal, e.GetData()}, nil
}

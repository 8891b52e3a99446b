package store

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Health is what the doors and the operator watch.
type Health struct {
	FreeBytes     uint64 // 0: not known
	Low           bool   // less than twice MinFreeBytes: take no new requests
	Full          bool   // less than MinFreeBytes: commits are refused
	Stalled       bool   // a commit has been waiting for longer than StallAfter
	LastCommit    time.Duration
	Commits       uint64
	Syncs         uint64 // of the write-ahead log
	BytesSynced   uint64 // written to it
	IndexLag      uint64 // records committed but not yet indexed
	RetentionHeld uint64 // the record that keeps its day from being dropped; 0: none
	Failure       error
}

// freeEvery is how old the knowledge of free space may be at a commit.
const freeEvery = 100 * time.Millisecond

type health struct {
	free    atomic.Uint64 // plus one; 0: not known
	asked   atomic.Int64  // unix nanoseconds
	started atomic.Int64  // the commit under way
	took    atomic.Int64
	commits atomic.Uint64
	held    atomic.Uint64
}

func (h *health) began(at time.Time) { h.started.Store(at.UnixNano()) }

func (h *health) committed(took time.Duration) {
	h.started.Store(0)
	h.took.Store(int64(took))
	h.commits.Add(1)
}

// look asks the disk for its free space, if that wasn't done just now.
func (h *health) look(s *Store) {
	now := time.Now().UnixNano()
	if asked := h.asked.Load(); now-asked < int64(freeEvery) || !h.asked.CompareAndSwap(asked, now) {
		return
	}
	if usage, err := s.fs.GetDiskUsage(s.dir); err == nil {
		h.free.Store(usage.AvailBytes + 1)
	}
}

// full refuses a commit that might not fit. What it knows may be as old as the last commit.
func (h *health) full(s *Store) error {
	if s.Room() {
		return nil
	}
	return &Error{"write the journal", fmt.Errorf("%w: %d MB in %s, %d MB are kept free",
		ErrDiskFull, (h.free.Load()-1)>>20, s.dir, s.minFree>>20),
		"free some space or shorten data.retention_days"}
}

// Room tells whether there is space for commits, as far as is known. It is cheap.
func (s *Store) Room() bool {
	free := s.health.free.Load()
	return free == 0 || free-1 >= s.minFree
}

// Health returns what is known now, without asking the disk.
func (s *Store) Health() Health {
	h := Health{Commits: s.health.commits.Load(), RetentionHeld: s.health.held.Load(),
		LastCommit: time.Duration(s.health.took.Load()), IndexLag: s.last.Load() - s.index.Through()}
	h.BytesSynced, h.Syncs = s.fs.Log()
	if free := s.health.free.Load(); free != 0 {
		h.FreeBytes = free - 1
		h.Low, h.Full = h.FreeBytes < 2*s.minFree, h.FreeBytes < s.minFree
	}
	if at := s.health.started.Load(); at != 0 {
		h.Stalled = time.Since(time.Unix(0, at)) > s.patience
	}
	select {
	case <-s.failed:
		h.Failure = s.failure
	default:
	}
	return h
}

// Held is how many bytes of memory the tables that aren't flushed yet and the caches of blocks
// have. It grows with what was written lately, up to the sizes of journalOptions and indexOptions,
// and isn't for the path: Pebble answers under its lock.
func (s *Store) Held() uint64 {
	m := s.db.Metrics()
	return m.MemTable.Size + m.MemTable.ZombieSize + uint64(m.BlockCache.Size) + s.index.Held()
}

// HoldDisk has the disk answer no sync for a time, as a drill: as if it had stalled. It is over
// before the store would give up, and release ends it now.
func (s *Store) HoldDisk(lasts time.Duration) (release func()) {
	answer := s.fs.Hold()
	late := time.AfterFunc(min(lasts, s.patience*4/5), answer)
	return func() {
		late.Stop()
		answer()
	}
}

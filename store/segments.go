package store

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"cardswitch/store/journal"
)

// segment is a run of chunks of one day (UTC). Retention drops whole segments. A clock that jumps
// makes more and shorter ones, and does no other harm.
type segment struct {
	first uint64 // Seq of its first record
	day   int32  // since 1970
}

func (g segment) value() []byte { return binary.BigEndian.AppendUint32(nil, uint32(g.day)) }

func parseSegment(first, value []byte) (segment, error) {
	if len(first) != 8 || len(value) != 4 {
		return segment{}, journal.ErrDamaged
	}
	return segment{binary.BigEndian.Uint64(first), int32(binary.BigEndian.Uint32(value))}, nil
}

func dayOf(at int64) int32 { return int32(at / int64(24*time.Hour)) }

// segments is the table of them, oldest first.
type segments struct {
	mu   sync.RWMutex
	list []segment
}

func (t *segments) add(begun []segment) {
	if len(begun) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, begun...)
}

// last is the segment that is being written, zero if there is none.
func (t *segments) last() segment {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.list) == 0 {
		return segment{}
	}
	return t.list[len(t.list)-1]
}

// cut is where to cut so that every segment older than day is dropped, but nothing from the record
// keep on; wanted is where it would be without keep. A later segment of an older day says that
// those before it are older still, whatever their clock said. 0: drop nothing.
func (t *segments) cut(day int32, keep uint64) (cut, wanted uint64) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	old := 0
	for i, s := range t.list {
		if s.day < day {
			old = i + 1
		}
	}
	old = min(old, len(t.list)-1) // the one that is being written stays
	for i := 1; i <= old; i++ {
		wanted = t.list[i].first
		if wanted <= keep {
			cut = wanted
		}
	}
	return cut, wanted
}

// drop forgets the segments before first.
func (t *segments) drop(first uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = slices.DeleteFunc(t.list, func(s segment) bool { return s.first < first })
}

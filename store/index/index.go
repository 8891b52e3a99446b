// Package index finds transactions: by question, by card, by reference number, and the later
// records of one.
//
// It is derived from the journal and can be rebuilt from it, so it has a Pebble of its own that
// keeps no log: what was not flushed at a crash is replayed from the journal, from the floor that
// lies in the same flush. Committed records arrive as notes, wait in memory for half a second,
// where Find sees them too, and go to Pebble sorted, in one batch.
//
// One goroutine (run) does that; it ends with Close.
package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const (
	delay     = 500 * time.Millisecond
	batchFull = 1 << 15 // notes that don't wait any longer
	farBehind = 1 << 18 // notes at which Add waits
)

// Index is safe for concurrent use; notes must be added in the order of their records.
type Index struct {
	db       *pebble.DB
	fail     func(error)
	patience time.Duration
	newest   [1 << 16]atomic.Uint64 // by center
	floor    atomic.Uint64
	saved    atomic.Uint64 // the records through this one are in Pebble

	open    openSet // of run alone
	keys    []byte
	buckets buckets

	wake chan struct{} // something waits
	full chan struct{} // enough waits
	stop chan struct{} // closed by Close
	done chan struct{} // closed by run

	mu      sync.RWMutex
	roomy   *sync.Cond
	filling *generation
	writing *generation
	spare   *generation
	times   map[uint32][]uint32 // minutesOf: the buckets in Pebble that hold such questions
	closed  bool
}

// generation is what goes to Pebble together.
type generation struct {
	notes []Note
	asked filter // by questionHash
	later filter // by transaction
}

func (g *generation) reset() {
	g.notes = g.notes[:0]
	g.asked, g.later = filter{}, filter{}
}

// add takes the notes of one commit.
func (g *generation) add(notes []Note) {
	g.notes = append(g.notes, notes...)
	for i := range notes {
		n := &notes[i]
		if !n.first() {
			g.later.add(n.Txn)
		} else if !n.Key.IsZero() {
			g.asked.add(questionHash(&n.Key) >> bucketBits)
		}
	}
}

// filter says what surely isn't in a generation, so that most searches need not go through its
// notes.
type filter [1 << 14]uint64

func (f *filter) add(v uint64)      { f[v>>6%uint64(len(f))] |= 1 << (v & 63) }
func (f *filter) has(v uint64) bool { return f[v>>6%uint64(len(f))]>>(v&63)&1 != 0 }

// Open opens the index. Fail is called when it can't go on, or when Add has waited for longer than
// patience.
func Open(dir string, o *pebble.Options, patience time.Duration,
	fail func(error)) (*Index, error) {
	db, err := pebble.Open(dir, o)
	if err != nil {
		return nil, err
	}
	x := &Index{db: db, fail: fail, patience: patience,
		filling: new(generation), spare: new(generation),
		times: make(map[uint32][]uint32), wake: make(chan struct{}, 1), full: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{})}
	x.roomy = sync.NewCond(&x.mu)
	x.floor.Store(1)
	if err := x.load(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	go x.run()
	return x, nil
}

// load reads what is kept in memory.
func (x *Index) load() error {
	if err := x.renew(); err != nil {
		return err
	}
	v, closer, err := x.db.Get([]byte{familyFloor})
	switch {
	case err == nil && len(v) == 16:
		x.floor.Store(binary.BigEndian.Uint64(v))
		x.saved.Store(binary.BigEndian.Uint64(v[8:]))
		err = closer.Close()
	case errors.Is(err, pebble.ErrNotFound):
		err = nil
	}
	return errors.Join(err,
		x.scan(familyNewest, func(k, v []byte) {
			x.newest[binary.BigEndian.Uint16(k[1:])].Store(binary.BigEndian.Uint64(v))
		}),
		x.scan(familyTimes, func(k, _ []byte) {
			minutes := binary.BigEndian.Uint32(k[1:])
			x.times[minutes] = append(x.times[minutes], binary.BigEndian.Uint32(k[5:]))
		}))
}

// renew empties an index of another version, to be rebuilt.
func (x *Index) renew() error {
	v, closer, err := x.db.Get([]byte{familyVersion})
	switch {
	case err == nil:
		same := bytes.Equal(v, []byte{indexVersion})
		if err := closer.Close(); err != nil || same {
			return err
		}
	case !errors.Is(err, pebble.ErrNotFound):
		return err
	}
	b := x.db.NewBatch()
	_ = b.DeleteRange([]byte{0}, []byte{0xff}, nil)
	_ = b.Set([]byte{familyVersion}, []byte{indexVersion}, nil)
	return b.Commit(pebble.NoSync)
}

func (x *Index) scan(family byte, fn func(k, v []byte)) error {
	it, err := x.db.NewIter(&pebble.IterOptions{
		LowerBound: []byte{family}, UpperBound: []byte{family + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		fn(it.Key(), it.Value())
	}
	return it.Close()
}

// Floor is the first record that a restart must replay: all before it are indexed and closed.
func (x *Index) Floor() uint64 { return x.floor.Load() }

// Start is the first record whose note the index itself needs at a start, by Reopen up to Through:
// it keeps the newest bucket in memory.
func (x *Index) Start() uint64 {
	return min(x.Floor(), max(1, x.Through()&^bucketMask))
}

// Through is the newest record that went to Pebble with all before it.
func (x *Index) Through() uint64 { return x.saved.Load() }

// Newest is the newest local time among a center's questions that went to Pebble.
func (x *Index) Newest(center uint16) uint64 { return x.newest[center].Load() }

// Reopen gives the index what it keeps in memory: at a start, the notes from Start to Through, in
// order, before any Add.
func (x *Index) Reopen(n *Note) {
	if n.Seq >= x.Floor() {
		x.open.note(n)
	}
	if bucketOf(n.Seq) == bucketOf(x.Through()) {
		x.buckets.add([]Note{*n})
	}
}

// Add takes the notes of committed records. It waits only when the index is very far behind.
func (x *Index) Add(notes []Note) {
	x.mu.Lock()
	if len(x.filling.notes) >= farBehind {
		x.waitForRoom()
	}
	g := x.filling
	g.add(notes)
	full := len(g.notes) >= batchFull
	x.mu.Unlock()
	signal(x.wake)
	if full {
		signal(x.full)
	}
}

// waitForRoom waits, with mu held, until Pebble has taken what was there. If that takes too long
// the disk doesn't answer; the index is then given up.
func (x *Index) waitForRoom() {
	late := time.AfterFunc(x.patience, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.closed = true
		x.roomy.Broadcast()
		x.fail(fmt.Errorf("the index took nothing for %s", x.patience))
	})
	defer late.Stop()
	for len(x.filling.notes) >= farBehind && !x.closed {
		x.roomy.Wait()
	}
}

// Flush writes what waits, and returns when all that was added before is in Pebble.
func (x *Index) Flush() {
	x.mu.Lock()
	defer x.mu.Unlock()
	last := x.saved.Load()
	if n := len(x.filling.notes); n > 0 {
		last = x.filling.notes[n-1].Seq
	} else if x.writing != nil {
		last = x.writing.notes[len(x.writing.notes)-1].Seq
	}
	for x.saved.Load() < last && !x.closed {
		signal(x.full)
		x.roomy.Wait()
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run writes generation after generation. A tick comes only while something waits.
func (x *Index) run() {
	defer close(x.done)
	timer := time.NewTimer(delay)
	for {
		select {
		case <-x.wake:
			timer.Reset(delay)
			select {
			case <-timer.C:
			case <-x.full:
			case <-x.stop:
			}
		case <-x.full:
		case <-x.stop:
			x.write()
			return
		}
		if !x.write() {
			return
		}
	}
}

// write brings the filling generation to Pebble. After a failure the index stays as it is.
func (x *Index) write() bool {
	x.mu.Lock()
	g := x.filling
	if len(g.notes) == 0 {
		x.mu.Unlock()
		return true
	}
	x.filling, x.writing, x.spare = x.spare, g, nil
	x.mu.Unlock()
	err := x.apply(g)
	x.mu.Lock()
	defer x.mu.Unlock()
	if err != nil {
		x.closed = true
		x.roomy.Broadcast()
		x.fail(err)
		return false
	}
	x.writing, x.spare = nil, g
	g.reset()
	x.roomy.Broadcast()
	return true
}

// Close writes what waits and closes Pebble.
func (x *Index) Close() error {
	close(x.stop)
	<-x.done
	x.mu.Lock()
	failed := x.closed
	x.closed = true
	x.roomy.Broadcast()
	x.mu.Unlock()
	if failed {
		return x.db.Close()
	}
	return errors.Join(x.db.Flush(), x.db.Close())
}

// Metrics is Pebble's own account of the index.
func (x *Index) Metrics() string { return x.db.Metrics().String() }

// Held is how many bytes of memory the index's tables and its cache of blocks have.
func (x *Index) Held() uint64 {
	m := x.db.Metrics()
	return m.MemTable.Size + m.MemTable.ZombieSize + uint64(m.BlockCache.Size)
}

// AsyncFlush begins to write what Pebble has in memory to tables.
func (x *Index) AsyncFlush() (<-chan struct{}, error) { return x.db.AsyncFlush() }

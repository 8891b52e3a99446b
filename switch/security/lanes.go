package security

import (
	"hash/maphash"
	"sync"

	"cardswitch/spec"
)

// Lanes are where jobs wait that ask a module somewhere else: those of one lane are done one
// after the other, in order, lanes beside each other. A message is in the lane of its terminal and
// in that of its card. So a slow module delays who needs it, and nobody is overtaken by his own
// next message. How many wait is bounded.
type Lanes struct {
	seed maphash.Seed
	mu   sync.Mutex
	work sync.Cond // a job is ready
	room sync.Cond // less than most wait

	lanes   map[uint64]*lane
	ready   []*job // first in all of their lanes, and not being done
	waiting int    // jobs, those being done included
	most    int
	closed  bool
}

type lane struct {
	key  uint64
	jobs []*job // the first is being done, or waits for its other lane
}

type job struct {
	do     func()
	in     [2]*lane // the second may be nil
	behind int      // in how many of them it isn't first
}

// NewLanes makes lanes for so many jobs.
func NewLanes(most int) *Lanes {
	l := &Lanes{seed: maphash.MakeSeed(), lanes: make(map[uint64]*lane), most: most}
	l.work.L, l.room.L = &l.mu, &l.mu
	return l
}

// Pair names the lanes of a message: of its terminal, and of its card if it names one.
type Pair [2]uint64

// Of names the lanes of a message on one connection, one way.
func (l *Lanes) Of(connection uint64, out bool, m *spec.Message) Pair {
	way := connection * 0x9E3779B97F4A7C15
	if out {
		way = ^way
	}
	terminal := maphash.Bytes(l.seed, m.Data(41)) ^ way
	pan := m.PAN()
	if pan.IsZero() {
		return Pair{terminal, terminal}
	}
	return Pair{terminal, maphash.Comparable(l.seed, pan) ^ way}
}

// Submit adds a job to its lanes. Where too many wait it waits for room, or is false.
func (l *Lanes) Submit(keys Pair, wait bool, do func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.waiting >= l.most && wait && !l.closed {
		l.room.Wait()
	}
	if l.waiting >= l.most || l.closed {
		return false
	}
	l.waiting++
	j := &job{do: do}
	l.enter(j, 0, keys[0])
	if keys[1] != keys[0] {
		l.enter(j, 1, keys[1])
	}
	if j.behind == 0 {
		l.ready = append(l.ready, j)
		l.work.Signal()
	}
	return true
}

func (l *Lanes) enter(j *job, at int, key uint64) {
	one := l.lanes[key]
	if one == nil {
		one = &lane{key: key}
		l.lanes[key] = one
	}
	j.in[at] = one
	if one.jobs = append(one.jobs, j); len(one.jobs) > 1 {
		j.behind++
	}
}

// Busy tells whether one of the lanes has jobs.
func (l *Lanes) Busy(keys Pair) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lanes[keys[0]] != nil || l.lanes[keys[1]] != nil
}

// Waiting is how many jobs there are.
func (l *Lanes) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

// Work does jobs until Close. As many as call it are done at once.
func (l *Lanes) Work() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for len(l.ready) == 0 && !l.closed {
			l.work.Wait()
		}
		if l.closed {
			return
		}
		j := l.ready[0]
		l.ready = l.ready[1:]
		l.mu.Unlock()
		j.do()
		l.mu.Lock()
		l.waiting--
		l.room.Signal()
		for _, one := range j.in {
			l.leave(one)
		}
	}
}

// leave takes the first job of a lane off. The next one is ready if it's also first in its other.
func (l *Lanes) leave(one *lane) {
	if one == nil {
		return
	}
	one.jobs[0] = nil
	one.jobs = one.jobs[1:]
	if len(one.jobs) == 0 {
		delete(l.lanes, one.key)
		return
	}
	next := one.jobs[0]
	if next.behind--; next.behind == 0 {
		l.ready = append(l.ready, next)
		l.work.Signal()
	}
}

// Close ends Work and forgets what waits.
func (l *Lanes) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.work.Broadcast()
	l.room.Broadcast()
}

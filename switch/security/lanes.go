package security

import (
	"hash/maphash"
	"sync"
)

// Lanes are where jobs wait that ask a module somewhere else: those of one lane are done one
// after the other, in order, lanes beside each other. So a slow module delays who needs it, and
// nobody is overtaken by his own next message. How many wait is bounded.
type Lanes struct {
	seed maphash.Seed
	mu   sync.Mutex
	work sync.Cond // a lane is ready
	room sync.Cond // less than most wait

	lanes   map[uint64]*lane
	ready   []*lane // that have jobs and aren't worked on
	waiting int     // jobs, those being done included
	most    int
	closed  bool
}

type lane struct {
	key  uint64
	jobs []func() // the first is being done
}

// NewLanes makes lanes for so many jobs.
func NewLanes(most int) *Lanes {
	l := &Lanes{seed: maphash.MakeSeed(), lanes: make(map[uint64]*lane), most: most}
	l.work.L, l.room.L = &l.mu, &l.mu
	return l
}

// Key names the lane of one terminal (element 41) on one connection, one way.
func (l *Lanes) Key(connection uint64, out bool, terminal []byte) uint64 {
	key := maphash.Bytes(l.seed, terminal) ^ connection*0x9E3779B97F4A7C15
	if out {
		return ^key
	}
	return key
}

// Submit adds a job to a lane. Where too many wait it waits for room, or is false.
func (l *Lanes) Submit(key uint64, wait bool, job func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.waiting >= l.most && wait && !l.closed {
		l.room.Wait()
	}
	if l.waiting >= l.most || l.closed {
		return false
	}
	l.waiting++
	one := l.lanes[key]
	if one == nil {
		one = &lane{key: key}
		l.lanes[key] = one
	}
	one.jobs = append(one.jobs, job)
	if len(one.jobs) == 1 {
		l.ready = append(l.ready, one)
		l.work.Signal()
	}
	return true
}

// Busy tells whether a lane has jobs.
func (l *Lanes) Busy(key uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lanes[key] != nil
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
		one := l.ready[0]
		l.ready = l.ready[1:]
		job := one.jobs[0]
		l.mu.Unlock()
		job()
		l.mu.Lock()
		l.done(one)
	}
}

// done takes the first job of a lane off.
func (l *Lanes) done(one *lane) {
	one.jobs[0] = nil
	one.jobs = one.jobs[1:]
	l.waiting--
	l.room.Signal()
	if len(one.jobs) == 0 {
		delete(l.lanes, one.key)
		return
	}
	l.ready = append(l.ready, one)
	l.work.Signal()
}

// Close ends Work and forgets what waits.
func (l *Lanes) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.work.Broadcast()
	l.room.Broadcast()
}

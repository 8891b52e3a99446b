package replica

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// sim is a cluster with a seeded network, disks and clocks. One goroutine plays it, event by event:
// a seed is the same each time.
type sim struct {
	rng    *rand.Rand
	now    time.Duration
	queue  events
	number int
	nodes  []*simNode
	shape  shape
	breaks breaks

	loss    float64
	cut     map[[2]uint64]bool // from, to
	next    uint64             // number of the next record that is proposed
	acked   []uint64
	leaders map[uint64]uint64 // by term
	told    map[string]int    // what happened, and how often
	trace   []string
	broken  error
}

// shape is the cluster that a seed has drawn.
type shape struct {
	members  []Member
	length   time.Duration
	logBytes uint64
}

// breaks are what a test breaks on purpose, to see that it is found.
type breaks struct {
	noSync  bool // the log isn't synced
	noLease bool // a leader speaks without looking at its lease
	// A node that starts anew gives its vote to whoever asks, whatever it has promised before.
	noPromise bool
}

func (s *sim) note(format string, args ...any) {
	s.trace = append(s.trace, fmt.Sprintf("%9.3fms ", float64(s.now)/1e6)+fmt.Sprintf(format, args...))
	if len(s.trace) > 400 {
		s.trace = s.trace[200:]
	}
}

func (s *sim) breach(format string, args ...any) {
	if s.broken == nil {
		s.broken = fmt.Errorf("%s: %w", s.now, fmt.Errorf(format, args...))
		s.note("BROKEN %v", s.broken)
	}
}

// event is something that happens at a time.
type event struct {
	at time.Duration
	n  int
	do func()
}

type events []*event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].n < e[j].n
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(*event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

// after has something happen later.
func (s *sim) after(d time.Duration, do func()) {
	s.number++
	heap.Push(&s.queue, &event{s.now + d, s.number, do})
}

// run plays until a time, or until something is broken.
func (s *sim) run(until time.Duration) {
	for len(s.queue) > 0 && s.queue[0].at <= until && s.broken == nil {
		e := heap.Pop(&s.queue).(*event)
		s.now = e.at
		s.protected(e.do)
		s.check()
	}
	s.now = max(s.now, until)
}

// protected turns a panic of raft, which has lost something, into a breach.
func (s *sim) protected(do func()) {
	defer func() {
		if p := recover(); p != nil {
			s.breach("%v", p)
		}
	}()
	do()
}

func (s *sim) between(low, high time.Duration) time.Duration {
	return low + time.Duration(s.rng.Int64N(int64(high-low)+1))
}

// send carries a message over the network, or not.
func (s *sim) send(m *pb.Message) {
	from, to := m.GetFrom(), m.GetTo()
	if s.cut[[2]uint64{from, to}] || s.rng.Float64() < s.loss {
		return
	}
	times := 1
	if s.loss > 0 && s.rng.IntN(50) == 0 {
		times = 2
	}
	for range times {
		late := s.between(50*time.Microsecond, 2*time.Millisecond)
		if s.loss > 0 && s.rng.IntN(40) == 0 {
			late = s.between(0, 400*time.Millisecond) // it comes after others
		}
		copied := proto.CloneOf(m)
		s.after(late, func() {
			if s.cut[[2]uint64{from, to}] {
				return
			}
			if n := s.node(to); n != nil {
				n.receive(copied)
			}
		})
	}
}

func (s *sim) node(id uint64) *simNode {
	for _, n := range s.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

// check holds, at each instant, that at most one node may speak, and one node leads a term.
func (s *sim) check() {
	var speaker *simNode
	for _, n := range s.nodes {
		if !n.speaks() {
			continue
		}
		if speaker != nil {
			s.breach("nodes %d and %d may both speak, in terms %d and %d", speaker.id, n.id,
				speaker.core.term, n.core.term)
		}
		speaker = n
		if was, ok := s.leaders[n.core.term]; ok && was != n.id {
			s.breach("nodes %d and %d both led term %d", was, n.id, n.core.term)
		}
		s.leaders[n.core.term] = n.id
	}
}

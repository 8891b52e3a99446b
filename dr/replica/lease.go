package replica

import (
	"encoding/binary"
	"slices"
	"sync/atomic"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
)

// Lease tells whether this node may speak for the cluster.
type Lease struct {
	began time.Time    // by the monotonic clock, so that a step of the clock changes nothing
	until atomic.Int64 // after began; 0: it may not
}

// forever is the lease of the only voter.
const forever = 1<<63 - 1

// Valid tells it now. It is cheap: ask before each write to a socket.
func (l *Lease) Valid() bool { return int64(time.Since(l.began)) < l.until.Load() }

// Left is how long the lease still lasts.
func (l *Lease) Left() time.Duration {
	return max(0, time.Duration(l.until.Load())-time.Since(l.began))
}

// rounds counts the leader's heartbeats and who has answered which. A follower that answered one
// votes for nobody else for the time of an election after it came; so once a majority has answered
// a round, there is no other leader until the lease is over that began when the round was sent.
type rounds struct {
	length time.Duration
	last   uint64
	sent   map[uint64]time.Duration // when, by the time of core
	heard  map[uint64]uint64        // the newest round that a member has answered
	unfit  map[uint64]bool          // it said so with that
	away   map[uint64]bool          // its connection has ended since
}

// markSize is that of a heartbeat's mark: its round, how far all members have the log, and how long
// a lease lasts in nanoseconds, 8 bytes each. An answer has the same mark, but for confess.
const markSize = 24

// begin is called when a node has come to lead.
func (r *rounds) begin() {
	r.sent, r.heard = make(map[uint64]time.Duration), make(map[uint64]uint64)
	r.unfit, r.away = make(map[uint64]bool), make(map[uint64]bool)
}

// send begins a round, and marks its heartbeats with it.
func (r *rounds) send(now time.Duration, heartbeats []*pb.Message, floor uint64) {
	for round, at := range r.sent {
		if now-at > r.length { // whoever answers it, gives nothing any more
			delete(r.sent, round)
		}
	}
	r.last++
	r.sent[r.last] = now
	for _, m := range heartbeats {
		mark := binary.BigEndian.AppendUint64(make([]byte, 0, markSize), r.last)
		mark = binary.BigEndian.AppendUint64(mark, floor)
		m.Context = binary.BigEndian.AppendUint64(mark, uint64(r.length))
	}
}

// answered notes who has answered which round. The mark is no business of raft's.
func (r *rounds) answered(m *pb.Message) {
	mark := m.GetContext()
	m.Context = nil
	if len(mark) != markSize || r.heard == nil {
		return
	}
	round := binary.BigEndian.Uint64(mark)
	if from := m.GetFrom(); round <= r.last && round >= r.heard[from] {
		r.heard[from], r.unfit[from], r.away[from] = round, confesses(mark), false
	}
}

// missed is how many rounds a member may leave unanswered and still counts as being there.
const missed = 5

// active tells whether a member has answered lately.
func (r *rounds) active(id uint64) bool {
	return !r.away[id] && r.heard[id] > 0 && r.heard[id]+missed >= r.last
}

// until is when the lease ends that the voters have given, 0 if they never did.
func (r *rounds) until(self uint64, conf *pb.ConfState) time.Duration {
	round := min(r.majority(self, conf.GetVoters()), r.majority(self, conf.GetVotersOutgoing()))
	if round == forever {
		return forever
	}
	if at, ok := r.sent[round]; ok {
		return at + r.length
	}
	return 0
}

// majority is the newest round that a majority of some voters has answered; the node itself hears
// all of its own.
func (r *rounds) majority(self uint64, voters []uint64) uint64 {
	if len(voters) == 0 || len(voters) == 1 && voters[0] == self {
		return forever
	}
	heard := make([]uint64, 0, 8)
	for _, id := range voters {
		if id == self {
			heard = append(heard, r.last)
			continue
		}
		heard = append(heard, r.heard[id])
	}
	slices.Sort(heard)
	return heard[(len(heard)-1)/2]
}

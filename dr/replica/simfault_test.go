package replica

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/store/raftlog"

	pb "go.etcd.io/raft/v3/raftpb"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// drawShape draws a cluster from a seed.
func drawShape(rng *rand.Rand) shape {
	data := func(id uint64) Member { return Member{ID: id, Kind: Data} }
	shapes := [][]Member{
		{data(1), data(2), data(3)},
		{data(1), data(2), {ID: 3, Kind: Witness}},
		{data(1), data(2), {ID: 3, Kind: Witness}, {ID: 4, Kind: Learner}},
		{data(1), data(2), data(3), data(4), data(5)},
		{data(1), data(2)},
		{data(1)},
	}
	return shape{shapes[rng.IntN(len(shapes))], time.Duration(2+rng.IntN(5)) * time.Second,
		[]uint64{1 << 30, 16 << 10}[rng.IntN(2)]}
}

// play plays a seed: faults, then none, and then all must be well.
func play(seed uint64, b breaks) (*sim, error) {
	s := newSim(seed, shape{}, b)
	s.shape = drawShape(s.rng)
	defer s.end()
	if err := s.begin(); err != nil {
		return s, err
	}
	s.clients()
	s.faults()
	s.run(s.shape.length)
	s.heal()
	return s, s.broken
}

func newSim(seed uint64, of shape, b breaks) *sim {
	return &sim{rng: rand.New(rand.NewPCG(seed, 0)), shape: of, breaks: b,
		cut: make(map[[2]uint64]bool), leaders: make(map[uint64]uint64), told: make(map[string]int)}
}

// begin starts all nodes.
func (s *sim) begin() error {
	for _, m := range s.shape.members {
		n := &simNode{s: s, id: m.ID, kind: m, disk: store.Memory(), rate: 0.97 + s.rng.Float64()*0.06}
		s.nodes = append(s.nodes, n)
		if err := n.start(); err != nil {
			return err
		}
	}
	return nil
}

// speaker is who may speak now, if anybody.
func (s *sim) speaker() *simNode {
	for _, n := range s.nodes {
		if n.speaks() {
			return n
		}
	}
	return nil
}

func (s *sim) end() {
	for _, n := range s.nodes {
		if n.core != nil {
			n.halt()
		}
	}
}

func (s *sim) clients() {
	s.after(s.between(0, 4*time.Millisecond), func() {
		for _, n := range s.nodes {
			if n.core != nil && n.client != nil && s.now >= n.paused {
				n.client.commit(s.rng)
			}
		}
		s.clients()
	})
}

// faults does something bad now and then, while time lasts.
func (s *sim) faults() {
	if s.now > s.shape.length-time.Second {
		return
	}
	s.after(s.between(20*time.Millisecond, 600*time.Millisecond), func() {
		if s.now < s.shape.length-time.Second {
			s.fault()
			s.faults()
		}
	})
}

func (s *sim) fault() {
	n := s.nodes[s.rng.IntN(len(s.nodes))]
	if s.rng.IntN(2) == 0 { // whoever speaks is the one to hurt
		for _, other := range s.nodes {
			if other.speaks() {
				n = other
			}
		}
	}
	switch s.rng.IntN(12) {
	case 0, 1:
		s.told["crash"]++
		n.crash()
		s.restart(n, s.between(0, 900*time.Millisecond))
	case 2:
		s.told["all crash"]++
		for _, n := range s.nodes {
			n.crash()
			s.restart(n, s.between(0, 300*time.Millisecond))
		}
	case 3:
		s.told["partition"]++
		s.partition(n, s.rng.IntN(3), s.between(20*time.Millisecond, 1200*time.Millisecond))
	case 4:
		s.told["pause"]++
		n.paused = s.now + s.between(10*time.Millisecond, 900*time.Millisecond)
		s.note("node %d is paused until %s", n.id, n.paused)
	case 5:
		s.told["disk hang"]++
		n.hangs = s.now + s.between(50*time.Millisecond, 1500*time.Millisecond)
		s.note("the disk of node %d hangs until %s", n.id, n.hangs)
	case 6:
		s.told["loss"]++
		s.loss = s.rng.Float64() * 0.3
		s.disconnect(n) // and it goes on
		s.note("loss %.2f", s.loss)
		s.after(s.between(100*time.Millisecond, time.Second), func() { s.loss = 0 })
	case 7:
		s.transfer(n)
	case 8:
		s.told["full"]++
		n.full = s.now + s.between(50*time.Millisecond, 1500*time.Millisecond)
		s.note("the disk of node %d is full until %s", n.id, n.full)
	default:
		s.member(n)
	}
}

func (s *sim) restart(n *simNode, later time.Duration) {
	s.after(later, func() {
		if n.core == nil {
			if err := n.start(); err != nil {
				s.breach("node %d can't start: %w", n.id, err)
			}
		}
	})
}

// partition cuts a node off, both ways, or only what it sends, or only what it would hear.
func (s *sim) partition(n *simNode, how int, lasts time.Duration) {
	s.note("node %d is cut off, way %d", n.id, how)
	var lines [][2]uint64
	for _, other := range s.nodes {
		if how != 1 {
			lines = append(lines, [2]uint64{n.id, other.id})
		}
		if how != 2 {
			lines = append(lines, [2]uint64{other.id, n.id})
		}
	}
	for _, l := range lines {
		s.cut[l] = true
	}
	s.after(lasts, func() {
		for _, l := range lines {
			delete(s.cut, l)
		}
	})
}

// disconnect has the others notice that a node's connections have ended, or some of them.
func (s *sim) disconnect(n *simNode) {
	for _, other := range s.nodes {
		if other == n || s.rng.IntN(4) == 0 {
			continue
		}
		s.after(s.between(50*time.Microsecond, 2*time.Millisecond), func() {
			if other.core != nil {
				other.when(0, func() { other.core.disconnected(n.id) })
			}
		})
	}
}

func (s *sim) transfer(n *simNode) {
	if n.core == nil || !n.core.leads || s.now < n.paused {
		return
	}
	if to, _ := n.core.heir(); to != 0 {
		s.told["transfer"]++
		s.note("node %d hands on to %d", n.id, to)
		n.core.transfer(to, n.local())
		n.pump()
	}
}

// member takes a new node in, or gives a learner its vote.
func (s *sim) member(n *simNode) {
	if n.core == nil || !n.core.leads || s.now < n.paused {
		return
	}
	for _, m := range n.core.log.Members() {
		if m.Kind == Learner {
			s.told["vote"]++
			s.note("node %d: learner %d gets a vote", n.id, m.ID)
			m.Kind = Data
			s.change(n, pb.ConfChangeAddLearnerNode, m)
			return
		}
	}
	if last := s.nodes[len(s.nodes)-1]; last.join && last != n && s.rng.IntN(2) == 0 {
		s.told["leave"]++
		s.note("node %d: node %d is taken out", n.id, last.id)
		s.change(n, pb.ConfChangeRemoveNode, Member{ID: last.id, Kind: Removed})
		return
	}
	if len(s.nodes) >= 6 {
		return
	}
	m := Member{ID: uint64(len(s.nodes) + 1), Kind: []raftlog.Kind{Learner, Data}[s.rng.IntN(2)]}
	s.told["join"]++
	s.note("node %d: node %d joins", n.id, m.ID)
	joins := &simNode{s: s, id: m.ID, kind: Member{ID: m.ID, Kind: Data}, disk: store.Memory(),
		rate: 1, join: true}
	s.nodes = append(s.nodes, joins)
	s.restart(joins, 0)
	s.change(n, pb.ConfChangeAddLearnerNode, m)
}

// change is lost where another one is under way, and may be where the leader is deposed.
func (s *sim) change(n *simNode, kind pb.ConfChangeType, m Member) {
	_, err := n.core.change(&pb.ConfChange{Type: kind.Enum(), NodeId: new(m.ID),
		Context: m.Append(nil)}, n.local())
	if err != nil {
		s.note("it is refused: %v", err)
	}
	n.pump()
}

// heal ends all faults; then all nodes must come to the same, with all that was acknowledged.
func (s *sim) heal() {
	if s.broken != nil {
		return
	}
	s.note("all faults end")
	s.loss, s.cut = 0, make(map[[2]uint64]bool)
	for _, n := range s.nodes {
		n.paused, n.hangs, n.full = s.now, s.now, s.now
		s.restart(n, 0)
	}
	before := len(s.acked)
	limit := s.now + 20*time.Second
	for s.broken == nil && s.now < limit {
		s.run(s.now + 250*time.Millisecond)
		if len(s.acked) > before && s.settled() {
			break
		}
	}
	if s.broken != nil {
		return
	}
	if s.now >= limit {
		s.breach("after all faults the cluster doesn't come to itself: %s", s.state())
		return
	}
	s.compare()
}

// settled stops the clients until everything is applied everywhere.
func (s *sim) settled() bool {
	for _, n := range s.nodes {
		n.paused = 0
		if n.client != nil {
			n.leading = 0
		}
	}
	s.run(s.now + 2*time.Second)
	applied := make(map[uint64]bool)
	for _, n := range s.nodes {
		if n.core == nil {
			return false
		}
		if s.belongs(n) {
			applied[n.core.applied] = true
		}
	}
	return len(applied) == 1
}

// belongs tells whether a node is a member as far as those know that were there from the
// beginning: it may have been taken out without ever hearing of it.
func (s *sim) belongs(n *simNode) bool {
	is := n.core.log.Member(n.id).Kind
	for _, other := range s.nodes[:len(s.shape.members)] {
		if other.core != nil && other.core.applied >= n.core.applied {
			is = other.core.kind(n.id)
		}
	}
	return is != 0 && is != Removed
}

func (s *sim) state() string {
	var b strings.Builder
	for _, n := range s.nodes {
		if n.core == nil {
			fmt.Fprintf(&b, "node %d is down; ", n.id)
			continue
		}
		st := n.core.status(n.local())
		fmt.Fprintf(&b, "node %d %s term %d leader %d commit %d applied %d last %d; ", n.id, st.Role,
			st.Term, st.Leader, st.Committed, st.Applied, st.Last)
	}
	return b.String()
}

// compare holds that all journals are the same, and have all that was acknowledged, in that order.
func (s *sim) compare() {
	var head journal.Hash
	for i, n := range s.dataNodes() {
		r, err := n.store.Verify(nil)
		if err != nil {
			s.breach("the journal of node %d: %w", n.id, err)
			return
		}
		if i == 0 {
			head = r.Head
		}
		if r.Head != head {
			s.breach("the journal of node %d is another", n.id)
			return
		}
		s.holdsAcked(n)
	}
}

func (s *sim) dataNodes() (list []*simNode) {
	for _, n := range s.nodes {
		if n.store != nil && s.belongs(n) {
			list = append(list, n)
		}
	}
	return list
}

// holdsAcked holds that a journal has what was acknowledged, and nothing twice. The order of two
// that different nodes have acknowledged is the journal's, not that of the answers.
func (s *sim) holdsAcked(n *simNode) {
	seen := make(map[uint64]bool)
	err := n.store.Replay(1, func(r *journal.Record) error {
		if seen[r.Amount] {
			return fmt.Errorf("record %d comes twice", r.Amount)
		}
		seen[r.Amount] = true
		return nil
	})
	if err != nil {
		s.breach("node %d: %w", n.id, err)
	}
	for _, number := range s.acked {
		if !seen[number] {
			s.breach("node %d lacks the acknowledged record %d", n.id, number)
		}
	}
}

// neverSynced is a disk that forgets to sync logs.
type neverSynced struct{ vfs.FS }

func (d neverSynced) Unwrap() vfs.FS { return d.FS }

func (d neverSynced) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return lazy(name)(d.FS.Create(name, c))
}

func (d neverSynced) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return lazy(name)(d.FS.ReuseForWrite(old, name, c))
}

func lazy(name string) func(vfs.File, error) (vfs.File, error) {
	return func(f vfs.File, err error) (vfs.File, error) {
		if err != nil || !strings.HasSuffix(name, ".log") {
			return f, err
		}
		return lazyFile{f}, nil
	}
}

type lazyFile struct{ vfs.File }

func (lazyFile) Sync() error                { return nil }
func (lazyFile) SyncData() error            { return nil }
func (lazyFile) SyncTo(int64) (bool, error) { return true, nil }

package replica

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"time"

	"cardswitch/store"
	"cardswitch/store/journal"

	pb "go.etcd.io/raft/v3/raftpb"
)

// simNode is one node: its disk, its clock, and the process that may be running on it.
type simNode struct {
	s      *sim
	id     uint64
	kind   Member
	config Config
	disk   store.FS
	rate   float64 // of its clock
	paused time.Duration
	hangs  time.Duration // until then its disk answers nothing
	full   time.Duration // until then it has no room
	join   bool          // it is taken in later

	life     int // counts processes: what an old one has begun means nothing to a new one
	core     *core
	machine  Machine
	store    *store.Store // nil at a witness
	close    func() error
	writing  time.Duration // since when; 0: nothing is being written
	busy     bool          // something is being applied
	fetching bool
	client   *client
	leading  uint64 // the term that the owner was told of
}

// local is the node's monotonic clock.
func (n *simNode) local() time.Duration { return time.Duration(float64(n.s.now) * n.rate) }

// speaks tells whether the node would send something outside now.
func (n *simNode) speaks() bool {
	if n.core == nil {
		return false
	}
	if n.s.breaks.noLease {
		return n.core.leads
	}
	return int64(n.local()) < n.core.lease.until.Load()
}

func (n *simNode) start() error {
	n.life++
	o := store.Options{Dir: "data", FS: n.disk, Key: testKey, StallAfter: time.Hour}
	if n.s.breaks.noSync {
		o.FS = neverSynced{n.disk}
	}
	o.LogOnly = n.kind.Kind == Witness
	opened, err := store.Open(o)
	if err != nil {
		return err
	}
	n.machine, n.close = opened, opened.Close
	if !o.LogOnly {
		n.store = opened
	}
	lease := &Lease{}
	n.config = Config{Cluster: "sim", Node: n.id, KeepEntries: 16, LogBytes: n.s.shape.logBytes}
	n.fetching = false
	if err := n.config.complete(); err != nil {
		return err
	}
	r := &Replica{config: n.config, machine: n.machine, log: n.machine.Log()}
	if !n.join {
		r.config.Members = n.s.shape.members
	}
	if err := r.found(); err != nil {
		return err
	}
	n.core, err = newCore(&n.config, n.machine.Log(), lease, n.machine.Applied(), n.local())
	if err != nil {
		return err
	}
	if n.s.breaks.noPromise {
		n.core.promised = 0
	}
	if n.store != nil {
		n.client = newClient(n)
		n.store.AgreeBy(n.client)
	}
	n.writing, n.busy, n.leading = 0, false, 0
	n.s.note("node %d starts, applied %d", n.id, n.machine.Applied())
	n.tickOn(n.life)
	n.pump()
	return nil
}

func (n *simNode) tickOn(life int) {
	n.s.after(time.Duration(float64(n.config.Tick)/n.rate), func() {
		if n.core == nil || n.life != life {
			return
		}
		if n.s.now >= n.paused {
			hung := n.writing != 0 && n.local()-n.writing > n.config.DiskHang
			n.core.look(n.s.now < n.full, hung)
			n.core.tick(n.local())
			n.core.handOn(n.local())
			n.pump()
		}
		n.tickOn(life)
	})
}

// when does something once the node isn't paused, if the process then still runs.
func (n *simNode) when(later time.Duration, do func()) {
	life := n.life
	var try func()
	try = func() {
		switch {
		case n.core == nil || n.life != life:
		case n.s.now < n.paused:
			n.s.after(n.paused-n.s.now, try)
		default:
			do()
			n.pump()
		}
	}
	n.s.after(later, try)
}

func (n *simNode) receive(m *pb.Message) {
	if n.core == nil {
		return
	}
	n.when(0, func() {
		if n.core.lacks(m) {
			n.fetch(m)
			return
		}
		n.core.step(m, n.local())
	})
}

// fetch gets the whole journal from the leader, then starts anew.
func (n *simNode) fetch(m *pb.Message) {
	from := n.s.node(m.GetFrom())
	if n.fetching {
		return
	}
	n.fetching = true
	n.when(n.s.between(time.Millisecond, 100*time.Millisecond), func() {
		n.fetching = false
		if from.core == nil || n.s.cut[[2]uint64{from.id, n.id}] {
			return
		}
		var shipped bytes.Buffer
		from.core.shipping[n.id]++
		err := from.machine.Ship(m.GetSnapshot().GetMetadata().GetIndex(), &shipped)
		from.core.shipped(n.id, err == nil, from.local())
		if from.pump(); err != nil {
			n.s.told["not shipped"]++
			return
		}
		if n.core.has(m.GetSnapshot().GetMetadata()) {
			n.s.told["not needed"]++
			return
		}
		n.s.told["shipped"]++
		n.s.note("node %d takes the journal of node %d", n.id, from.id)
		if err := errors.Join(n.machine.Receive(&shipped), n.machine.Replace()); err != nil {
			n.s.breach("node %d: %w", n.id, err)
			return
		}
		n.halt()
		n.s.restart(n, n.s.between(0, 50*time.Millisecond))
	})
}

// pump does what the core has decided.
func (n *simNode) pump() {
	if n.core == nil {
		return
	}
	c := n.core
	for _, m := range c.out {
		n.s.send(m)
	}
	c.out = nil
	for _, role := range c.roles {
		n.follow(role)
	}
	c.roles = nil
	if n.writing == 0 && len(c.appends) > 0 {
		waiting := c.appends
		c.appends = nil
		n.writing = n.local()
		late := n.s.between(100*time.Microsecond, 2*time.Millisecond)
		n.when(max(late, n.hangs-n.s.now), func() { n.write(waiting) })
	}
	if !n.busy && len(c.applies) > 0 {
		waiting := c.applies
		c.applies = nil
		n.busy = true
		n.when(n.s.between(10*time.Microsecond, time.Millisecond), func() { n.apply(waiting) })
	}
	if n.client != nil {
		n.client.look()
	}
}

func (n *simNode) write(waiting []*pb.Message) {
	for len(waiting) > 0 {
		k, entries := joinable(waiting)
		if err := n.machine.Log().Append(entries, hardState(waiting[:k])); err != nil {
			n.s.breach("node %d: write the log: %w", n.id, err)
			return
		}
		for _, m := range waiting[:k] {
			n.core.appended(m, n.local())
		}
		waiting = waiting[k:]
	}
	n.writing = 0
	if through := n.core.cut(n.core.release()); through != 0 {
		if err := n.machine.Log().Compact(through); err != nil {
			n.s.breach("node %d: cut the log: %w", n.id, err)
		}
	}
}

func (n *simNode) apply(waiting []*pb.Message) {
	n.busy = false
	for _, m := range waiting {
		for _, e := range m.GetEntries() {
			if err := n.applyOne(e); err != nil {
				n.s.breach("node %d: %w", n.id, err)
				return
			}
			n.core.did(e, n.local())
			n.pumpRoles()
		}
		n.core.applyDone(m, n.local())
	}
}

func (n *simNode) pumpRoles() {
	for _, role := range n.core.roles {
		n.follow(role)
	}
	n.core.roles = nil
}

func (n *simNode) applyOne(e *pb.Entry) error {
	if e.GetType() == pb.EntryNormal {
		return n.machine.Apply(e.GetIndex(), e.GetTerm(), e.GetData())
	}
	cc, changed, err := parseChange(e)
	if err != nil {
		return err
	}
	conf := n.core.members(cc, n.local())
	return n.machine.ApplyMembers(e.GetIndex(), e.GetTerm(), conf, changed)
}

// follow does what the owner of a node does with a role.
func (n *simNode) follow(role Role) {
	if !role.Leading {
		n.machine.Yield()
		n.leading = 0
		return
	}
	n.s.told["led"]++
	n.s.note("node %d leads term %d", n.id, role.Term)
	if n.client.ends(); n.store.Lead(role.Term) != nil {
		n.s.breach("node %d can't lead: %w", n.id, n.store.Lead(role.Term))
	}
	n.leading = role.Term
}

// crash cuts the power: of what wasn't synced a part is kept.
func (n *simNode) crash() {
	if n.core == nil {
		return
	}
	n.s.note("node %d crashes, applied %d", n.id, n.machine.Applied())
	kept := store.Crashed(n.disk, n.s.rng.Uint64())
	n.halt()
	n.disk = kept
	n.s.disconnect(n)
}

func (n *simNode) halt() {
	n.core = nil
	if n.client != nil {
		n.client.abandon()
		n.client = nil
	}
	if err := n.close(); err != nil {
		n.s.breach("node %d: %w", n.id, err)
	}
	n.store, n.machine = nil, nil
}

var errCrashed = errors.New("the power was cut")

// client proposes numbered records on a node while it may speak, one batch at a time.
type client struct {
	n        *simNode
	proposed chan []byte
	epoch    uint64
	answer   chan error
	ended    chan error
	waits    *proposal
	numbers  []uint64
}

func newClient(n *simNode) *client {
	return &client{n: n, proposed: make(chan []byte), answer: make(chan error),
		ended: make(chan error)}
}

// Propose is called by the store, in the goroutine of commit.
func (c *client) Propose(epoch uint64, entry []byte) error {
	c.epoch = epoch
	c.proposed <- entry
	return <-c.answer
}

// commit begins a commit.
func (c *client) commit(rng *rand.Rand) {
	s := c.n.store
	if c.waits != nil || c.n.leading == 0 || c.n.s.now < c.n.full || !c.n.speaks() || s.Epoch() == 0 {
		return
	}
	b := s.NewBatch()
	c.numbers = nil
	for range 1 + rng.IntN(8) {
		c.n.s.next++
		c.numbers = append(c.numbers, c.n.s.next)
		b.Append(&journal.Record{At: 1, Kind: journal.Event, Amount: c.n.s.next})
	}
	go func() { c.ended <- s.Commit(b) }()
	select {
	case err := <-c.ended:
		c.n.s.breach("node %d: %w", c.n.id, err)
		return
	case entry := <-c.proposed:
		p, err := c.n.core.propose(c.epoch, entry, c.n.local())
		if err != nil {
			c.answer <- err
			<-c.ended
			return
		}
		c.waits = p
	}
	c.n.pump()
}

// look takes what became of the proposal.
func (c *client) look() {
	if c.waits == nil {
		return
	}
	select {
	case err := <-c.waits.done:
		c.waits = nil
		c.answer <- err
		if <-c.ended == nil {
			c.n.s.acked = append(c.n.s.acked, c.numbers...)
		}
	default:
	}
}

// ends makes sure that no commit of an earlier term goes on.
func (c *client) ends() { c.look() }

func (c *client) abandon() {
	if c.waits != nil {
		c.waits = nil
		c.answer <- errCrashed
		<-c.ended
	}
}

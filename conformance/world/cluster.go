package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"cardswitch/dr/replica"
	"cardswitch/dr/replica/replicatest"
	"cardswitch/dr/role"
	"cardswitch/store"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/link"
)

// member is a process that takes part in a cluster: its journal, its part in the agreement, and the
// loop that has it lead and follow, which is the program's own.
type member struct {
	process *process
	store   *store.Store
	replica *replica.Replica
	port    *replicatest.Port
	duty    atomic.Pointer[duty] // nil while it follows
	ready   *readiness
}

// duty is the switch of one term.
type duty struct {
	*cardswitch.Switch
	process  *process
	term     uint64
	mayLeave func() bool

	generation uint64
}

// Close is role's. The switch's keys are the world's.
func (*duty) Close() error { return nil }

// id is the number of the node in its cluster.
func (n *node) id() uint64 { return uint64(n.place) + 1 }

// String names the node in a trace.
func (n *node) String() string {
	if n.world.options.several() {
		return fmt.Sprint("node ", n.id())
	}
	return "the switch"
}

// ofWhom says whose something is, where there are several.
func (n *node) ofWhom() string {
	if n.world.options.several() {
		return " of " + n.String()
	}
	return ""
}

// members are those of the cluster.
func (w *World) members() (list []replica.Member) {
	for _, n := range w.nodes {
		m := replica.Member{ID: n.id(), Kind: replica.Data}
		switch {
		case n.spare:
			continue
		case n.witness:
			m.Kind = replica.Witness
		case n.far:
			m.Kind = replica.Learner
		}
		list = append(list, m)
	}
	return list
}

// join opens the journal and takes part in the cluster.
func (p *process) join(ctx context.Context) (run func() error, err error) {
	n, w := p.node, p.node.world
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	o := n.config.StoreOptions()
	o.FS, o.Logger, o.LogOnly = p.disk.FS(), log, n.witness
	m := &member{process: p, port: w.between.net.Plug(n.id())}
	if m.store, err = store.Open(o); err != nil {
		return nil, err
	}
	c := replica.Config{Cluster: "world", Generation: n.generation.Load(), Node: n.id(),
		Members: w.members(), Logger: log}
	if n.spare {
		c.Members = nil // it learns them
	}
	if w.options.ShortLog {
		c.KeepEntries, c.LogBytes = 16, 16<<10
	}
	if m.replica, err = replica.Start(c, paced{m.store, &p.pausing}, m.port); err != nil {
		m.port.Pull()
		return nil, errors.Join(err, m.store.Close())
	}
	m.store.AgreeBy(m.replica)
	m.port.Serve(m.replica)
	p.member = m
	if err := m.getReady(); err != nil {
		return nil, err
	}
	loop := role.New(role.Loop{Replica: m.replica, Store: m.store, Owner: m, Logger: log,
		Deposed: cardswitch.Deposed})
	n.loop.Store(loop)
	greeting, stop := context.WithCancel(ctx)
	if w.options.Lost {
		w.parties.Go(func() { m.greets(greeting) })
	}
	return func() error {
		err := loop.Serve(ctx)
		stop()
		m.ready.holder.Close()
		m.port.Pull()
		m.replica.Close()
		if errors.Is(err, errAdopts) {
			n.generation.Store(w.generation())
			err = errors.Join(err, m.store.Adopt(n.generation.Load()))
		}
		return errors.Join(err, m.store.Close())
	}, nil
}

// leave ends the part of a process whose power was cut.
func (m *member) leave() {
	m.port.Pull()
	go m.replica.Close()
	go m.ready.holder.Close()
}

// serves is the switch that may speak now, if any does.
func (m *member) serves() *cardswitch.Switch {
	if d := m.duty.Load(); d != nil && d.mayLeave() {
		return d.Switch
	}
	return nil
}

// Lead is role's.
func (m *member) Lead(_ context.Context, term uint64, mayLeave func() bool) (role.Duty, error) {
	d := &duty{process: m.process, term: term, mayLeave: mayLeave,
		generation: m.process.node.generation.Load()}
	deps := m.process.deps()
	deps.Disk, deps.Store, deps.MayLeave, deps.Term = nil, m.store, d.asked, term
	deps.Listen, deps.Dial = d.listen, d.dial
	deps.Ready = func() []*link.Idle { return m.ready.take(d) }
	var err error
	d.Switch, err = cardswitch.New(m.process.node.config, deps)
	return d, err
}

// Leads is role's: before the switch opens its doors, the journal that it has taken over is held
// against what left any node so far.
func (m *member) Leads(_ context.Context, it role.Duty, term uint64, _ time.Time) error {
	w, n := m.process.node.world, m.process.node
	w.tell("%s leads in term %d", n, term)
	if !m.process.dead.Load() && n.generation.Load() == w.generation() {
		w.compare(fmt.Sprintf("as %s takes over", n), m.store)
	}
	m.duty.Store(it.(*duty))
	w.fencing.alone(it.(*duty))
	return nil
}

// Follows is role's.
func (m *member) Follows(_ context.Context, term uint64, deposed bool) error {
	m.duty.Store(nil)
	m.ready.follow()
	how := "leads no more"
	if deposed {
		how = "is deposed"
	}
	m.process.node.world.tell("%s %s, term %d", m.process.node, how, term)
	return nil
}

// listen has every byte that leaves over what is accepted known as the duty's.
func (d *duty) listen(at string) (net.Listener, error) {
	l, err := d.process.listen(at)
	if err != nil {
		return nil, err
	}
	return &dutyListener{l, d}, nil
}

type dutyListener struct {
	net.Listener
	duty *duty
}

func (l *dutyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.duty.owns(conn.(*end), conn.RemoteAddr())
	}
	return conn, err
}

func (d *duty) dial(ctx context.Context, at string) (net.Conn, error) {
	conn, err := d.process.dial(ctx, at)
	if err == nil {
		d.owns(conn.(*end), conn.LocalAddr())
	}
	return conn, err
}

// owns makes a connection the duty's. It is known by the address that dialed.
func (d *duty) owns(e *end, dialed net.Addr) {
	f := d.process.node.world.fencing
	f.own(dialed.String(), d)
	e.speak = func(late bool) { f.spoke(d, e.cable.name, late) }
}

// replaceDisk gives a machine its disk back whose program couldn't start.
func (n *node) replaceDisk() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.disk = n.disk.Cut(func() bool { return true })
}

// step sets the machine's clock.
func (n *node) step(by time.Duration) { n.skew += by }

func (n *node) isOff() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.off
}

// riseLater switches a machine on after a while; the world goes on meanwhile.
func (w *World) riseLater(n *node, d time.Duration) {
	n.mu.Lock()
	n.off = true
	n.mu.Unlock()
	w.after(ofWorld, d, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.off = false // and look starts it
	})
}

// configOf is the configuration of one node: its own addresses.
func (w *World) configOf(n *node) cardswitch.Config {
	c := w.config
	c.Centers = slices.Clone(c.Centers)
	for i := range c.Centers {
		center := &c.Centers[i]
		center.Links = slices.Clone(center.Links)
		for j := range center.Links {
			switch l := &center.Links[j]; {
			case i < len(w.shops):
				l.Listen = w.shops[i].at(n.place, j)
			default:
				l.Dial = w.banks[i-len(w.shops)].at(n.place, j)
			}
		}
	}
	return c
}

// addresses are those at which a shop finds a line.
func (w *World) addresses(p *shop, line int) (list []string) {
	for _, n := range w.data() {
		list = append(list, p.at(n.place, line))
	}
	return list
}

// lay lays a cable from each node to where a line of a center ends. The node listens, or dials.
func (w *World) lay(center string, line int, listens bool, at func(node, line int) string) {
	for _, n := range w.data() {
		name := fmt.Sprintf("%s/%d", center, line)
		c := w.network.lay(name, name, at(n.place, line), w.options.Latency, w.options.Seed)
		if w.options.several() {
			c.name += "@" + n.String()
		}
		c.listens = listens
		n.cables = append(n.cables, c)
	}
}

// journals are the nodes that have a journal of the cluster; nil: nobody is active.
func (w *World) journals() (list []*node) {
	members := w.membersNow()
	for _, n := range w.data() {
		if n.belongs(members) {
			list = append(list, n)
		}
	}
	return list
}

// applied is how far the nodes are that have a journal: the last and the first of them.
func (w *World) applied() (least, most uint64) {
	for i, n := range w.journals() {
		at := uint64(0)
		if p := n.process(); p != nil {
			at = p.member.replica.Status().Applied // no lock that a disk may hold
		}
		if least, most = min(least, at), max(most, at); i == 0 {
			least = at
		}
	}
	return least, most
}

// sameEverywhere holds that all data nodes come to the same journal, one that joins as well.
func (w *World) sameEverywhere() {
	if !w.options.several() {
		return
	}
	for began := time.Now(); ; w.clock.sleep(ofWorld, 50*time.Millisecond) {
		least, most := w.applied()
		if least == most && most > 0 && !w.joining() {
			break
		}
		w.look()
		if time.Since(began) > healTime {
			w.say("the nodes don't come to the same: one has applied %d entries, one %d", least, most)
			return
		}
	}
	var heads []store.Report
	for _, n := range w.journals() {
		r, err := n.process().member.store.Verify(nil)
		if err != nil {
			w.say("the journal of %s: %v", n, err)
		}
		heads = append(heads, r)
	}
	for _, r := range heads {
		if r.Head != heads[0].Head || r.Last != heads[0].Last {
			w.say("the journals of two nodes differ: %+v and %+v", heads[0], r)
		}
	}
}

// auditMajority holds that what the active node has applied lies durable on so many that no
// majority lacks it, and that all that ever left is in it: had the power of all been cut now,
// nothing were lost.
func (w *World) auditMajority() {
	n, _ := w.active()
	if n == nil {
		return
	}
	p := n.process()
	w.compareOpen(p.member.store)
	at := p.member.replica.Status().Applied
	term, err := p.member.store.Log().Term(at)
	if err != nil {
		return // it is just being cut
	}
	holds, voters := 0, 0
	for _, m := range p.member.replica.Status().Members {
		if !m.Votes {
			continue
		}
		voters++
		if w.holds(w.nodes[m.ID-1], at, term) {
			holds++
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if voters-holds > voters/2 { // those who don't could elect one of them
		w.violation("entry %d of term %d is applied, but durable on %d of %d nodes", at, term, holds,
			voters)
	}
	w.trace.add("audited: entry %d is on %d nodes", at, holds)
}

// holds tells whether a node's disk would still have an entry after a power cut.
func (w *World) holds(n *node, index, term uint64) bool {
	s, err := n.kept()
	if err != nil {
		return false
	}
	defer s.Close()
	is, err := s.Log().Term(index)
	return err == nil && is == term
}

// compareOpen holds a journal that is being written against what left.
func (w *World) compareOpen(journal *store.Store) {
	b, err := readBooks(journal)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.violation("the journal can't be read: %v", err)
		return
	}
	for _, what := range w.witness.compare(b) {
		w.violation("the agreed journal doesn't know that %s", what)
	}
}

package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/dr/role"
	"cardswitch/store"
	"cardswitch/store/disktest"
	cardswitch "cardswitch/switch"
)

// node is one machine on which the switch runs: its power, its disk and its clock.
type node struct {
	world   *World
	place   int
	witness bool
	far     bool // at another site, where it learns until it is promoted
	spare   bool // no member of the cluster when it is founded
	random  *rand.Rand
	config  cardswitch.Config
	skew    time.Duration

	mu     sync.Mutex
	disk   *disktest.Disk
	now    *process
	gone   []*process // that may not have noticed yet
	loop   atomic.Pointer[role.Loop]
	lost   bool      // with its site
	out    bool      // it has no part in the world
	off    bool      // until somebody switches it on
	hangs  time.Time // until then its disk answers nothing
	cables []*cable

	generation atomic.Uint64
}

// process is one life of the program.
type process struct {
	node   *node
	sw     *cardswitch.Switch // of a node alone
	member *member            // nil: it is alone
	disk   *disktest.Disk
	dead   atomic.Bool
	stop   context.CancelFunc
	ended  chan error

	pausing pausing

	mu        sync.Mutex
	listeners []net.Listener
}

// machines makes the nodes.
func (w *World) machines() {
	o := w.options
	for i := range o.Nodes {
		w.machine().witness = o.Witness && i == o.Nodes-1
	}
	if o.Far {
		w.machine().far = true
	}
	if o.Joins {
		n := w.machine()
		n.spare, n.out = true, true
	}
	if o.several() {
		w.joinNodes()
	}
}

func (w *World) machine() *node {
	n := &node{world: w, place: len(w.nodes), disk: disktest.New()}
	name := "node"
	if n.place > 0 {
		name = fmt.Sprint("node ", n.place)
	}
	n.random = w.stream(name)
	n.generation.Store(1)
	w.nodes = append(w.nodes, n)
	return n
}

// data are the nodes that have a journal.
func (w *World) data() (list []*node) {
	for _, n := range w.nodes {
		if !n.witness {
			list = append(list, n)
		}
	}
	return list
}

// active is the switch that serves, with its node; nil if there is none now. One of a site that was
// lost doesn't count.
func (w *World) active() (*node, *cardswitch.Switch) {
	newest := w.generation()
	for _, n := range w.nodes {
		if p := n.process(); p != nil && !p.paused() && n.generation.Load() == newest {
			if sw := p.serves(); sw != nil {
				return n, sw
			}
		}
	}
	return nil, nil
}

// process is the one that runs now, if any does.
func (n *node) process() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

func (n *node) diskNow() *disktest.Disk {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.disk
}

// serves is the switch that may speak in this process.
func (p *process) serves() *cardswitch.Switch {
	if p.member == nil {
		return p.sw
	}
	return p.member.serves()
}

// deps are what a switch of this process gets from the world.
func (p *process) deps() cardswitch.Deps {
	w := p.node.world
	w.starts++
	return cardswitch.Deps{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Disk: p.disk.FS(),
		Listen: p.listen, Dial: p.dial, Keys: w.keys, Seed: w.options.Seed<<8 | w.starts,
		Skew: p.node.skew, Questions: w.questions(), Dialect: w.dialect}
}

// start starts the program on what its disk has.
func (n *node) start() error {
	n.dressDisk()
	p := &process{node: n, disk: n.diskNow(), ended: make(chan error, 1)}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	run, err := p.open(ctx)
	if err != nil {
		stop()
		return err
	}
	n.mu.Lock()
	n.now = p
	n.mu.Unlock()
	go func() { p.ended <- run() }()
	return nil
}

// open opens the journal, and returns what then runs until ctx ends.
func (p *process) open(ctx context.Context) (run func() error, err error) {
	if p.node.world.options.several() {
		return p.join(ctx)
	}
	p.sw, err = cardswitch.New(p.node.config, p.deps())
	return func() error { return p.sw.Run(ctx) }, err
}

// longStall is longer than anybody waits for a disk.
const longStall = 6 * time.Second

// dressDisk gives the disk its manners.
func (n *node) dressDisk() {
	o, k := n.world.options, ofDisk
	if o.several() {
		k = classOf(ofDisks, n.place)
	}
	draws, disk := drawer{n.world.options.Seed, uint64(k)}, n.diskNow()
	disk.Free(1 << 40)
	if o.SlowDisk || o.AtSync || o.several() {
		disk.Slow(func() time.Duration {
			r := draws.at(time.Now())
			d := time.Duration(50+r.IntN(400)) * time.Microsecond
			if o.SlowDisk && r.IntN(10) == 0 {
				d += time.Duration(r.IntN(80)) * time.Millisecond
			}
			if o.SlowDisk && n.world.faulty() && r.IntN(300) == 0 {
				d += longStall
			}
			return n.world.clock.in(k, max(d, n.hanging()))
		})
	}
}

// hanging is how long the disk will still answer nothing.
func (n *node) hanging() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Until(n.hangs)
}

var errNoPower = errors.New("the machine is off")

func (p *process) listen(at string) (net.Listener, error) {
	if p.dead.Load() {
		return nil, errNoPower
	}
	l, err := p.node.world.network.listen(at)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.listeners = append(p.listeners, l)
	p.mu.Unlock()
	return &doorway{l, p}, nil
}

// doorway is a listener of a process.
type doorway struct {
	net.Listener
	process *process
}

func (l *doorway) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		conn.(*end).of = &l.process.pausing
		l.process.pausing.pass(ofReads)
	}
	return conn, err
}

func (p *process) dial(ctx context.Context, at string) (net.Conn, error) {
	if p.dead.Load() {
		return nil, errNoPower
	}
	p.pausing.pass(ofReads)
	conn, err := p.node.world.network.dial(ctx, at)
	if err == nil {
		conn.(*end).of = &p.pausing
		p.pausing.pass(ofReads)
	}
	return conn, err
}

// cut takes the power away. What the disk keeps of what wasn't synced is drawn: nothing, all, or
// some of it. Bytes that were on their way are lost with the connections.
func (n *node) cut() {
	p := n.process()
	if p == nil || p.dead.Swap(true) {
		return
	}
	mode := n.random.IntN(3)
	kept := p.disk.Cut(func() bool {
		return mode == 1 || mode == 2 && n.random.IntN(2) == 0
	})
	n.detach(p, kept)
}

// detach ends what the process had with the world.
func (n *node) detach(p *process, kept *disktest.Disk) {
	p.dead.Store(true)
	p.mu.Lock()
	listeners := p.listeners
	p.mu.Unlock()
	for _, l := range listeners {
		l.Close()
	}
	for _, w := range n.cables {
		w.cut()
	}
	p.wake()
	if p.member != nil {
		p.member.leave()
	}
	p.stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gone = append(n.gone, p)
	n.disk, n.now = kept, nil
}

// died takes note that the process has ended by itself. The operating system lives on: the disk
// has all that was written to it, synced or not.
func (n *node) died(err error) {
	p := n.process()
	p.ended <- err // for who waits for all of them
	n.detach(p, p.disk.Cut(func() bool { return true }))
}

// end stops the program in order.
func (n *node) end() error {
	p := n.process()
	p.stop()
	err := <-p.ended
	p.ended <- err
	n.detach(p, p.disk.Cut(func() bool { return true }))
	return err
}

// await waits until all processes have come to their end.
func (n *node) await() {
	for _, p := range n.gone {
		p.ended <- <-p.ended // one that has both died and been ended is there twice
	}
}

// audit reads the journal from what the disk would have kept, had its power been cut now and
// nothing been kept that wasn't synced.
func (n *node) audit() (*books, error) {
	s, err := n.kept()
	if err != nil {
		return nil, err
	}
	b, err := readBooks(s)
	return b, errors.Join(err, s.Close())
}

// kept opens what the disk would have kept.
func (n *node) kept() (*store.Store, error) {
	kept := n.diskNow().Kept(func() bool { return false })
	o := store.Options{Dir: n.config.Data.Dir, FS: kept.FS(), LogOnly: n.witness}
	if !n.witness {
		o.KeyFile = n.config.Data.KeyFile
	}
	return store.Open(o)
}

package world

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"cardswitch/hsm/keyring"
	"cardswitch/store"
	"cardswitch/store/disktest"
	cardswitch "cardswitch/switch"
)

// node is the machine on which the switch runs: its power, its disk and its clock.
type node struct {
	world  *World
	random *rand.Rand
	config cardswitch.Config
	keys   *keyring.Ring
	disk   *disktest.Disk
	skew   time.Duration
	now    *process
	gone   []*process // that may not have noticed yet
	starts uint64
}

// process is one life of the switch.
type process struct {
	node      *node
	sw        *cardswitch.Switch
	disk      *disktest.Disk
	dead      atomic.Bool
	listeners []net.Listener
	stop      context.CancelFunc
	ended     chan error
}

// start starts the switch on what its disk has.
func (n *node) start() error {
	n.starts++
	ctx, stop := context.WithCancel(context.Background())
	p := &process{node: n, disk: n.disk, stop: stop, ended: make(chan error, 1)}
	n.dressDisk()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	sw, err := cardswitch.New(n.config, cardswitch.Deps{Log: log, Disk: n.disk.FS(),
		Listen: p.listen, Dial: p.dial, Keys: n.keys, Seed: n.world.options.Seed<<8 | n.starts,
		Skew: n.skew, Questions: n.world.questions(), Dialect: n.world.dialect})
	if err != nil {
		stop()
		return err
	}
	p.sw, n.now = sw, p
	go func() { p.ended <- sw.Run(ctx) }()
	return nil
}

// longStall is longer than anybody waits for a disk.
const longStall = 6 * time.Second

// dressDisk gives the disk its manners.
func (n *node) dressDisk() {
	o, draws := n.world.options, drawer{n.world.options.Seed, uint64(ofDisk)}
	n.disk.Free(1 << 40)
	if o.SlowDisk || o.AtSync {
		n.disk.Slow(func() time.Duration {
			r := draws.at(time.Now())
			d := time.Duration(50+r.IntN(400)) * time.Microsecond
			if o.SlowDisk && r.IntN(10) == 0 {
				d += time.Duration(r.IntN(80)) * time.Millisecond
			}
			if o.SlowDisk && n.world.faulty() && r.IntN(300) == 0 {
				d += longStall
			}
			return n.world.clock.in(ofDisk, d)
		})
	}
}

var errNoPower = errors.New("the machine is off")

func (p *process) listen(at string) (net.Listener, error) {
	if p.dead.Load() {
		return nil, errNoPower
	}
	l, err := p.node.world.network.listen(at)
	if err == nil {
		p.listeners = append(p.listeners, l)
	}
	return l, err
}

func (p *process) dial(ctx context.Context, at string) (net.Conn, error) {
	if p.dead.Load() {
		return nil, errNoPower
	}
	return p.node.world.network.dial(ctx, at)
}

// cut takes the power away. What the disk keeps of what wasn't synced is drawn: nothing, all, or
// some of it. Bytes that were on their way are lost with the connections.
func (n *node) cut() {
	p := n.now
	if p == nil || p.dead.Swap(true) {
		return
	}
	mode := n.random.IntN(3)
	n.disk = p.disk.Cut(func() bool {
		return mode == 1 || mode == 2 && n.random.IntN(2) == 0
	})
	n.detach(p)
}

// detach ends what the process had with the world.
func (n *node) detach(p *process) {
	p.dead.Store(true)
	for _, l := range p.listeners {
		l.Close()
	}
	for _, w := range n.world.network.order {
		w.cut()
	}
	p.stop()
	n.gone = append(n.gone, p)
	n.now = nil
}

// died takes note that the process has ended by itself. The operating system lives on: the disk
// has all that was written to it, synced or not.
func (n *node) died(err error) {
	p := n.now
	p.ended <- err // for who waits for all of them
	n.disk = p.disk.Cut(func() bool { return true })
	n.detach(p)
}

// end stops the switch in order.
func (n *node) end() error {
	p := n.now
	p.stop()
	err := <-p.ended
	p.ended <- err
	n.disk = p.disk.Cut(func() bool { return true })
	n.detach(p)
	return err
}

// await waits until all processes have come to their end.
func (n *node) await() {
	for _, p := range n.gone {
		<-p.ended
	}
}

// audit reads the journal from what the disk would have kept, had its power been cut now and
// nothing been kept that wasn't synced.
func (n *node) audit() (*books, error) {
	kept := n.now.disk.Kept(func() bool { return false })
	s, err := store.Open(store.Options{Dir: n.config.Data.Dir, FS: kept.FS(),
		KeyFile: n.config.Data.KeyFile})
	if err != nil {
		return nil, err
	}
	b, err := readBooks(s)
	return b, errors.Join(err, s.Close())
}

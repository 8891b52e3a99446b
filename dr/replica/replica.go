// Package replica carries the journal on several nodes: they agree on each entry before it counts.
//
// It is raft (go.etcd.io/raft/v3) with the log in the journal's own Pebble (store/raftlog), and
// what raft leaves to its user: the lease that lets a leader speak only while no other node can
// lead, who may lead at all, and what becomes of a disk that hangs. One node alone is the same with
// one voter. core decides, and does nothing by itself; Replica does what it decides.
//
// Goroutines: ticks, the clock; appends, which writes the log, and applies while the node leads;
// applies, which applies while it follows. All end with Close, or are left behind in a disk that
// doesn't answer.
package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/store/raftlog"

	pb "go.etcd.io/raft/v3/raftpb"
)

// Machine is what the log is applied to: a store, or a witness that keeps only the log.
type Machine interface {
	Log() *raftlog.Log
	Found(raftlog.Identity, []Member) error
	Apply(index, term uint64, entry []byte) error
	ApplyMembers(index, term uint64, conf *pb.ConfState, changed Member) error
	Applied() uint64
	Yield() // it must not commit any more
	// Ship writes all there was at an entry that the log has named in a Snapshot. Receive takes it in
	// beside what the machine has; Replace makes it the machine's own when it is opened again.
	Ship(index uint64, to io.Writer) error
	Receive(from io.Reader) error
	Replace() error
	Failed() <-chan struct{}
	Room() bool // on its disk, for commits; not asked of it now
}

// Transport brings messages to the other members. It may lose, delay, double and reorder them.
type Transport interface {
	// Send must not wait, and not keep the message when it returns unless it has cloned it.
	Send(*pb.Message)
	// Members is called with all members at the start and after each change.
	Members([]Member)
	// Stream asks another member for something large, which its Replica.Serve writes. What is read
	// ends with io.EOF only if it is whole.
	Stream(ctx context.Context, from uint64, request string) (io.ReadCloser, error)
}

// Replica is this node's part in the cluster.
type Replica struct {
	config    Config
	machine   Machine
	log       *raftlog.Log
	transport Transport
	lease     *Lease

	mu       sync.Mutex
	core     *core
	applying bool
	fetching bool // the journal of another node
	stopped  bool
	fault    error

	roles    chan Role
	toAppend chan struct{}
	toApply  chan struct{}
	stop     chan struct{}  // closed when nothing goes on any more
	works    sync.WaitGroup // ticks, appends and applies
	joined   sync.WaitGroup // these and what else goes on

	writing  atomic.Int64 // since when the log's write under way has been, after lease.began; 0: none
	lastSync atomic.Int64
}

// Start makes the node take part. The machine must be open, and goes on belonging to the caller,
// who closes it after Close.
func Start(config Config, machine Machine, transport Transport) (*Replica, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}
	r := &Replica{config: config, machine: machine, log: machine.Log(), transport: transport,
		lease: &Lease{began: time.Now()}, roles: make(chan Role, 1),
		toAppend: make(chan struct{}, 1), toApply: make(chan struct{}, 1),
		stop: make(chan struct{})}
	if err := r.found(); err != nil {
		return nil, err
	}
	transport.Members(r.log.Members())
	err := r.do(func(now time.Duration) (err error) {
		r.core, err = newCore(&r.config, r.log, r.lease, machine.Applied(), now)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, work := range []func(){r.ticks, r.appends, r.applies} {
		r.works.Go(work)
	}
	r.joined.Go(r.works.Wait)
	return r, nil
}

// Found makes the directory the node's, or makes sure that it is. Start does it too; done before
// there is a transport, a node that may take no part isn't heard of either.
func Found(config Config, machine Machine) error {
	if err := config.complete(); err != nil {
		return err
	}
	r := &Replica{config: config, machine: machine, log: machine.Log()}
	return r.found()
}

// found makes the directory the node's, or makes sure that it is.
func (r *Replica) found() error {
	want := raftlog.Identity{Cluster: r.config.Cluster, Node: r.config.Node,
		Generation: r.config.Generation}
	is := r.log.Identity()
	switch {
	case is.Node == 0:
		return r.machine.Found(want, r.config.Members)
	case is.Node != want.Node || is.Cluster != want.Cluster:
		return fmt.Errorf("the data directory is that of node %d of cluster %q, this is node %d of %q; "+
			"a directory is never copied to make a node, nor a number given again", is.Node, is.Cluster,
			want.Node, want.Cluster)
	}
	r.config.Generation = is.Generation
	return nil
}

// do runs fn on the core, then does what it has decided.
func (r *Replica) do(fn func(now time.Duration) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return r.fault
	}
	err := r.protected(func() error { return fn(time.Since(r.lease.began)) })
	if r.core != nil && !r.stopped {
		r.handOut()
	}
	return err
}

// protected turns a panic of raft into the end of the replica: it can't tell any more what is
// agreed.
func (r *Replica) protected(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the agreement failed: %v", p)
			r.end(err)
		}
	}()
	return fn()
}

// handOut passes on what waits in the core.
func (r *Replica) handOut() {
	c := r.core
	for _, m := range c.out {
		r.transport.Send(m)
	}
	clear(c.out)
	c.out = c.out[:0]
	for _, role := range c.roles {
		r.tell(role)
	}
	c.roles = c.roles[:0]
	if len(c.appends) > 0 {
		wake(r.toAppend)
	}
	if len(c.applies) > 0 && !c.leads {
		wake(r.toApply)
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// tell puts a role where the node's owner finds it; one that he hasn't taken yet is outdated.
func (r *Replica) tell(role Role) {
	if !role.Leading {
		r.machine.Yield()
	}
	select {
	case <-r.roles:
	default:
	}
	r.roles <- role
}

// Roles tells what the node is to do. A role that isn't taken before the next comes is left out, so
// a Leading of another term says that there was something between.
func (r *Replica) Roles() <-chan Role { return r.roles }

// Lease is asked before each write to a socket.
func (r *Replica) Lease() *Lease { return r.lease }

// Step takes a message of another member, which it may change.
func (r *Replica) Step(m *pb.Message) {
	lacks := false
	_ = r.do(func(now time.Duration) error {
		if lacks = r.core.lacks(m); !lacks {
			r.core.step(m, now)
		}
		return nil
	})
	if lacks {
		r.fetch(m)
	}
}

// Propose is store.Agreement's.
func (r *Replica) Propose(epoch uint64, entry []byte) error {
	var p *proposal
	err := r.do(func(now time.Duration) (err error) {
		p, err = r.core.propose(epoch, entry, now)
		return err
	})
	if err != nil {
		return err
	}
	return r.await(context.Background(), p)
}

func (r *Replica) await(ctx context.Context, p *proposal) error {
	select {
	case err := <-p.done:
		return err
	case <-r.stop:
		return r.fault
	case <-r.machine.Failed():
		return errors.New("the disk failed; what was proposed may or may not be agreed")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Status is what the node knows now.
func (r *Replica) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return Status{Cluster: r.config.Cluster, Node: r.config.Node, Role: "stopped"}
	}
	s := r.core.status(time.Since(r.lease.began))
	s.LastSync = time.Duration(r.lastSync.Load())
	return s
}

// ticks is the clock, and watches the disk.
func (r *Replica) ticks() {
	ticker := time.NewTicker(r.config.Tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = r.do(func(now time.Duration) error {
				r.core.look(!r.machine.Room(), r.hangs(now))
				r.core.tick(now)
				r.core.handOn(now)
				return nil
			})
		case <-r.machine.Failed():
			r.fail(errors.New("the disk failed"))
			return
		case <-r.stop:
			return
		}
	}
}

// hangs tells whether the disk has left a write of the log unanswered for too long.
func (r *Replica) hangs(now time.Duration) bool {
	since := r.writing.Load()
	return since != 0 && now-time.Duration(since) > r.config.DiskHang
}

// fail stops the replica for good.
func (r *Replica) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end(err)
}

func (r *Replica) end(err error) {
	if r.stopped {
		return
	}
	r.halt(err)
	r.tell(Role{Stopped: true, Err: err})
}

// halt ends all work, and tells nobody yet.
func (r *Replica) halt(err error) {
	r.stopped, r.fault = true, err
	r.lease.until.Store(0)
	close(r.stop)
}

var errClosed = errors.New("the replica is closed")

// End stops the replica for good, for a reason that its Role tells.
func (r *Replica) End(why error) { r.fail(why) }

// Close ends the node's part. It waits for a write under way, unless the disk has failed.
func (r *Replica) Close() {
	r.fail(errClosed)
	ended := make(chan struct{})
	go func() { r.joined.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-r.machine.Failed():
	}
}

// Nobody is the transport of a cluster of one.
type Nobody struct{}

func (Nobody) Send(*pb.Message) {}
func (Nobody) Members([]Member) {}
func (Nobody) Stream(context.Context, uint64, string) (io.ReadCloser, error) {
	return nil, errors.New("there is no other node")
}

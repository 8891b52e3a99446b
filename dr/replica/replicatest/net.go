// Package replicatest is a network between nodes in memory, for simulations.
//
// What becomes of each message is the simulation's to say: when it arrives, how often, or never.
package replicatest

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"cardswitch/dr/replica"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Fate says after which times something that one node sends another arrives, once for each; none:
// it is lost.
type Fate func(from, to uint64) []time.Duration

// Net is a network of nodes.
type Net struct {
	fate Fate

	mu    sync.Mutex
	ports map[uint64]*Port
}

// New is a network without nodes.
func New(fate Fate) *Net { return &Net{fate: fate, ports: make(map[uint64]*Port)} }

// Port is a node's access to the network, for one life of its process. It is the transport of its
// replica.
type Port struct {
	net     *Net
	node    uint64
	replica *replica.Replica // nil: nothing is taken yet, or any more
	held    chan struct{}    // closed when the process goes on; nil: it isn't paused
	waits   []func()         // what came or was sent meanwhile, in order
}

// Plug gives a node its port, in place of an earlier one.
func (n *Net) Plug(node uint64) *Port {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := &Port{net: n, node: node}
	n.ports[node] = p
	return p
}

// Serve lets messages in.
func (p *Port) Serve(r *replica.Replica) {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.replica = r
}

// Pull takes the port away: nothing comes in or goes out any more.
func (p *Port) Pull() {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.replica = nil
	if p.net.ports[p.node] == p {
		delete(p.net.ports, p.node)
	}
}

// Hold keeps all that comes and goes until Release, as the buffers of a process do that is paused.
func (p *Port) Hold() {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	if p.held == nil {
		p.held = make(chan struct{})
	}
}

// Release lets it come and go, in order.
func (p *Port) Release() {
	p.net.mu.Lock()
	if p.held != nil {
		close(p.held)
	}
	waits := p.waits
	p.held, p.waits = nil, nil
	p.net.mu.Unlock()
	for _, do := range waits {
		do()
	}
}

// keeps does something once the port isn't held; false: that is now.
func (p *Port) keeps(do func()) bool {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	if p.held == nil {
		return false
	}
	p.waits = append(p.waits, do)
	return true
}

// pass waits until a node's port isn't held.
func (n *Net) pass(node uint64) {
	n.mu.Lock()
	var held chan struct{}
	if p := n.ports[node]; p != nil {
		held = p.held
	}
	n.mu.Unlock()
	if held != nil {
		<-held
	}
}

// at is the port that a node has now, and its replica.
func (n *Net) at(node uint64) (*Port, *replica.Replica) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.ports[node]; p != nil {
		return p, p.replica
	}
	return nil, nil
}

// plugged tells whether this is still the node's port.
func (p *Port) plugged() bool {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	return p.net.ports[p.node] == p
}

// Send is replica.Transport's.
func (p *Port) Send(m *pb.Message) {
	if copied := proto.CloneOf(m); !p.keeps(func() { p.send(copied) }) {
		p.send(copied)
	}
}

func (p *Port) send(m *pb.Message) {
	if !p.plugged() {
		return
	}
	for _, late := range p.net.fate(p.node, m.GetTo()) {
		copied := proto.CloneOf(m)
		time.AfterFunc(late, func() { p.net.bring(copied) })
	}
}

// bring gives a message to whoever has the port of its node now.
func (n *Net) bring(m *pb.Message) {
	to, r := n.at(m.GetTo())
	if r != nil && !to.keeps(func() { n.bring(m) }) {
		r.Step(m)
	}
}

// Members is replica.Transport's. All nodes know one another.
func (p *Port) Members([]replica.Member) {}

var errLost = errors.New("the other node can't be reached")

// Stream is replica.Transport's. Each write of who serves it has its fate.
func (p *Port) Stream(ctx context.Context, from uint64, request string) (io.ReadCloser, error) {
	_, other := p.net.at(from)
	if !p.plugged() || other == nil || len(p.net.fate(p.node, from)) == 0 {
		return nil, errLost
	}
	r, w := io.Pipe()
	stop := context.AfterFunc(ctx, func() { _ = r.CloseWithError(ctx.Err()) })
	go func() {
		defer stop()
		err := other.Serve(ctx, p.node, request, stream{p.net, from, p.node, w})
		_ = w.CloseWithError(err)
	}()
	return r, nil
}

// stream is what one node writes to another.
type stream struct {
	net      *Net
	from, to uint64
	out      *io.PipeWriter
}

func (s stream) Write(b []byte) (int, error) {
	late := s.net.fate(s.from, s.to)
	if len(late) == 0 {
		return 0, errLost
	}
	time.Sleep(late[0])
	s.net.pass(s.from)
	s.net.pass(s.to)
	return s.out.Write(b)
}

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

// at is the replica that a node has now.
func (n *Net) at(node uint64) *replica.Replica {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.ports[node]; p != nil {
		return p.replica
	}
	return nil
}

// plugged tells whether this is still the node's port.
func (p *Port) plugged() bool {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	return p.net.ports[p.node] == p
}

// Send is replica.Transport's.
func (p *Port) Send(m *pb.Message) {
	if !p.plugged() {
		return
	}
	to := m.GetTo()
	for _, late := range p.net.fate(p.node, to) {
		copied := proto.CloneOf(m)
		time.AfterFunc(late, func() {
			if r := p.net.at(to); r != nil {
				r.Step(copied)
			}
		})
	}
}

// Members is replica.Transport's. All nodes know one another.
func (p *Port) Members([]replica.Member) {}

var errLost = errors.New("the other node can't be reached")

// Stream is replica.Transport's. Each write of who serves it has its fate.
func (p *Port) Stream(ctx context.Context, from uint64, request string) (io.ReadCloser, error) {
	other := p.net.at(from)
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
	return s.out.Write(b)
}

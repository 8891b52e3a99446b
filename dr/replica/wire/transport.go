package wire

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"cardswitch/dr/replica"
)

// Transport is how a replica hears and tells the others: replica.Transport over a Wire.
type Transport struct {
	wire    *Wire
	replica atomic.Pointer[replica.Replica]
	files   func(ctx context.Context, from uint64, request string, to io.Writer) error
	deaf    atomic.Bool
}

// Files begins what is asked of the node itself, not of its replica.
const Files = "files"

// Connect starts a wire for a replica. What comes before Serve is dropped. The configuration's own
// Serve is asked for what begins with Files.
func Connect(c Config) (*Transport, error) {
	t := &Transport{files: c.Serve}
	c.Receive, c.Serve, c.Ended = t.receive, t.serve, t.ended
	var err error
	t.wire, err = Start(c)
	return t, err
}

// Wire is what is below.
func (t *Transport) Wire() *Wire { return t.wire }

// Serve gives the replica what comes from now on.
func (t *Transport) Serve(r *replica.Replica) { t.replica.Store(r) }

// Deafen drops every message from and to the other members until it is ended, as a drill: the node
// is as good as cut off. Connections stay, so that the others can still end it.
func (t *Transport) Deafen() (end func()) {
	t.deaf.Store(true)
	return func() { t.deaf.Store(false) }
}

// Send is replica's.
func (t *Transport) Send(m *pb.Message) {
	if t.deaf.Load() {
		return
	}
	var scratch [1024]byte
	text, err := proto.MarshalOptions{}.MarshalAppend(scratch[:0], m)
	if err != nil {
		t.wire.log.Error("a message to another node can't be written", "error", err)
		return
	}
	t.wire.Send(m.GetTo(), text)
}

// Members is replica's. The members tell where they are themselves too, when they dial; so a node
// that joins, and knows nobody yet, hears those that take it in.
func (t *Transport) Members(list []replica.Member) {
	for _, m := range list {
		if m.Kind == replica.Removed {
			t.wire.part(m.ID)
		} else {
			t.wire.meet(Peer{m.ID, m.Address})
		}
	}
}

// Stream is replica's.
func (t *Transport) Stream(ctx context.Context, from uint64,
	request string) (io.ReadCloser, error) {
	return t.wire.Stream(ctx, from, request)
}

// serve writes what another node has asked for.
func (t *Transport) serve(ctx context.Context, from uint64, request string, to io.Writer) error {
	r := t.replica.Load()
	switch {
	case r == nil:
		return errors.New("the node isn't ready yet")
	case t.files != nil && strings.HasPrefix(request, Files):
		return t.files(ctx, from, request, to)
	}
	return r.Serve(ctx, from, request, to)
}

// ended tells the replica that a connection with another node has ended.
func (t *Transport) ended(node uint64) {
	if r := t.replica.Load(); r != nil {
		r.Disconnected(node)
	}
}

// receive takes a message. Its sender is who the connection has proven.
func (t *Transport) receive(from uint64, text []byte) {
	r := t.replica.Load()
	if r == nil || t.deaf.Load() {
		return
	}
	m := new(pb.Message)
	if err := proto.Unmarshal(text, m); err != nil || m.GetFrom() != from ||
		m.GetTo() != t.wire.config.Node {
		t.wire.log.Error("a message of another node can't be taken", "node", from, "error", err)
		return
	}
	r.Step(m)
}

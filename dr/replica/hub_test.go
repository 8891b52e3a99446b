package replica

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/store"
	"cardswitch/store/journal"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// hub is a network in memory.
type hub struct {
	mu    sync.Mutex
	nodes map[uint64]*hubNode
}

// hubNode is a node with its owner, as cmd has one.
type hubNode struct {
	hub   *hub
	id    uint64
	disk  store.FS
	store *store.Store
	*Replica
	inbox chan []byte // of a benchmark
	away  bool
	acked []uint64
	owned sync.WaitGroup
	ended error
}

func (h *hub) at(id uint64) *Replica {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.nodes[id]; n != nil && !n.away {
		return n.Replica
	}
	return nil
}

// Send takes a millisecond.
func (n *hubNode) Send(m *pb.Message) {
	if n.hub.at(n.id) == nil {
		return
	}
	copied := proto.CloneOf(m)
	time.AfterFunc(time.Millisecond, func() {
		if to := n.hub.at(copied.GetTo()); to != nil {
			to.Step(copied)
		}
	})
}

func (n *hubNode) Members([]Member) {}

func (n *hubNode) Stream(ctx context.Context, from uint64, what string) (io.ReadCloser, error) {
	other := n.hub.at(from)
	if other == nil {
		return nil, errors.New("nobody is there")
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(other.Serve(ctx, n.id, what, w)) }()
	return r, nil
}

// start opens a node and has it do what its role says.
func (h *hub) start(t *testing.T, n *hubNode, c Config) {
	t.Helper()
	n.store = openStore(t, n.disk)
	c.Cluster, c.Node = "tokyo", n.id
	r, err := Start(c, n.store, n)
	if err != nil {
		t.Fatal(err)
	}
	n.store.AgreeBy(r)
	h.mu.Lock()
	n.Replica, n.away = r, false
	h.nodes[n.id] = n
	h.mu.Unlock()
	n.owned.Go(n.own)
}

// own commits while the node leads.
func (n *hubNode) own() {
	for role := range n.Roles() {
		switch {
		case role.Stopped:
			n.ended = role.Err
			return
		case role.Leading:
			if n.store.Lead(role.Term) != nil {
				continue
			}
			for n.Lease().Valid() && len(n.Roles()) == 0 {
				b := n.store.NewBatch()
				seq := b.Append(&journal.Record{At: 1, Kind: journal.Event, Text: "agreed"})
				if n.store.Commit(b) != nil {
					break
				}
				n.hub.mu.Lock()
				n.acked = append(n.acked, seq)
				n.hub.mu.Unlock()
				time.Sleep(time.Millisecond)
			}
		}
	}
}

// end closes a node. Its disk keeps all.
func (n *hubNode) end(t *testing.T) {
	t.Helper()
	n.Close()
	n.owned.Wait()
	if err := n.store.Close(); err != nil {
		t.Error(err)
	}
	n.hub.mu.Lock()
	n.Replica = nil
	n.hub.mu.Unlock()
}

func (h *hub) leader() *hubNode {
	for range 2000 {
		if n := h.valid(); n != nil {
			return n
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

func (h *hub) valid() *hubNode {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.nodes {
		if n.Replica != nil && !n.away && n.Lease().Valid() {
			return n
		}
	}
	return nil
}

func three() []Member {
	return []Member{{ID: 1, Kind: Data}, {ID: 2, Kind: Data}, {ID: 3, Kind: Data}}
}

func begin(t *testing.T, c Config) *hub {
	h := &hub{nodes: make(map[uint64]*hubNode)}
	for _, m := range c.Members {
		h.start(t, &hubNode{hub: h, id: m.ID, disk: store.Memory()}, c)
	}
	return h
}

// forget is of a node that ended for good.
func (h *hub) forget(id uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.nodes, id)
}

// finish holds that all nodes have the same, and what was acknowledged.
func (h *hub) finish(t *testing.T) {
	t.Helper()
	time.Sleep(2 * time.Second)
	if l := h.leader(); l != nil { // nobody commits any more
		l.store.Yield()
	}
	time.Sleep(time.Second)
	var acked []uint64
	var heads []journal.Hash
	for _, n := range h.nodes {
		h.mu.Lock()
		acked = append(acked, n.acked...)
		h.mu.Unlock()
		r, err := n.store.Verify(nil)
		if err != nil {
			t.Error(err)
		}
		heads = append(heads, r.Head)
		if r.Last < slices.Max(append(acked, 0)) {
			t.Errorf("node %d ends with record %d, %d was acknowledged", n.id, r.Last, slices.Max(acked))
		}
	}
	if len(slices.Compact(heads)) != 1 {
		t.Error("the journals aren't the same")
	}
	slices.Sort(acked)
	if len(acked) == 0 || len(slices.Compact(slices.Clone(acked))) != len(acked) {
		t.Errorf("%d records acknowledged, some twice", len(acked))
	}
	for _, n := range h.nodes {
		n.end(t)
	}
}

// TestAnotherTakesOver: when the leader is gone, and when it hands on.
func TestAnotherTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := begin(t, Config{Members: three()})
		for range 3 {
			old := h.leader()
			if old == nil {
				t.Fatal("nobody leads")
			}
			time.Sleep(300 * time.Millisecond)
			old.end(t)
			began := time.Now()
			now := h.leader()
			if now == nil || now == old {
				t.Fatal("nobody took over")
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("it took %s", took)
			}
			h.start(t, old, Config{})
			time.Sleep(300 * time.Millisecond)
			began = time.Now()
			if err := now.Transfer(t.Context(), old.id); err != nil {
				t.Fatal(err)
			}
			if now.Lease().Valid() {
				t.Error("who has handed on may speak")
			}
			if h.leader() != old {
				t.Error("another leads")
			}
			if took := time.Since(began); took > 200*time.Millisecond {
				t.Errorf("handing on took %s", took)
			}
		}
		h.finish(t)
	})
}

// TestANodeJoins: it gets the whole journal, starts anew, follows, and gets a vote.
func TestANodeJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := begin(t, Config{Members: []Member{{ID: 1, Kind: Data}}, KeepEntries: 8})
		lead := h.leader()
		time.Sleep(200 * time.Millisecond)
		late := &hubNode{hub: h, id: 2, disk: store.Memory()}
		h.start(t, late, Config{})
		if err := lead.AddMember(t.Context(), Member{ID: 2, Kind: Learner}); err != nil {
			t.Fatal(err)
		}
		late.owned.Wait()
		if !errors.Is(late.ended, ErrReplaced) {
			t.Fatalf("the new node ended with %v", late.ended)
		}
		late.end(t)
		h.start(t, late, Config{})
		time.Sleep(time.Second)
		if m := lead.Status().Members[1]; !m.InSync || m.Kind != Learner || m.Votes {
			t.Fatalf("%+v", m)
		}
		if err := lead.AddMember(t.Context(), Member{ID: 2, Kind: Data}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if m := lead.Status().Members[1]; !m.Votes || m.Kind != Data {
			t.Fatalf("%+v", m)
		}
		for _, m := range []Member{{ID: 2, Kind: Data}, {ID: 0, Kind: Data}, {ID: 3}} {
			if err := lead.AddMember(t.Context(), m); err == nil {
				t.Errorf("%+v was taken in", m)
			}
		}
		if err := lead.RemoveMember(t.Context(), 9); err == nil {
			t.Error("a stranger was taken out")
		}
		time.Sleep(time.Second)
		if err := lead.Transfer(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if h.leader() != late {
			t.Error("the new node doesn't lead")
		}
		if err := late.RemoveMember(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if err := late.AddMember(t.Context(), Member{ID: 1, Kind: Data}); err == nil {
			t.Error("a number was given again")
		}
		lead.end(t)
		h.forget(1)
		time.Sleep(time.Second)
		if !late.Lease().Valid() {
			t.Error("the last node can't go on alone")
		}
		h.mu.Lock()
		late.acked = append(late.acked, lead.acked...)
		h.mu.Unlock()
		h.finish(t)
	})
}

// joins has a new node taken in, which gets the journal and starts anew.
func (h *hub) joins(t *testing.T, lead *hubNode, id uint64) {
	t.Helper()
	if err := lead.AddMember(t.Context(), Member{ID: id, Kind: Data}); err != nil {
		t.Fatal(err)
	}
	h.arrives(t, id)
}

// arrives is one that was taken in, starting for the first time.
func (h *hub) arrives(t *testing.T, id uint64) {
	t.Helper()
	n := &hubNode{hub: h, id: id, disk: store.Memory()}
	h.start(t, n, Config{})
	n.owned.Wait()
	if !errors.Is(n.ended, ErrReplaced) {
		t.Fatalf("the new node ended with %v", n.ended)
	}
	n.end(t)
	h.start(t, n, Config{})
}

// TestTwoJoinOne: who votes alone gives both that join it a vote, one right after the other.
func TestTwoJoinOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := begin(t, Config{Members: []Member{{ID: 1, Kind: Data}}, KeepEntries: 8})
		lead := h.leader()
		time.Sleep(200 * time.Millisecond)
		votes := func() (n int) {
			for _, m := range lead.Status().Members {
				if m.Votes {
					n++
				}
			}
			return n
		}
		if err := lead.AddMember(t.Context(), Member{ID: 3, Kind: Data}); err != nil {
			t.Fatal(err)
		}
		h.joins(t, lead, 2)
		time.Sleep(2 * raiseEvery)
		if n := votes(); n != 1 {
			t.Fatalf("%d vote while another one is on its way", n)
		}
		h.arrives(t, 3)
		began, two := time.Now(), time.Duration(0)
		for ; votes() < 3; time.Sleep(time.Millisecond) {
			if votes() == 2 {
				two += time.Millisecond
			}
			if time.Since(began) > 5*time.Second {
				t.Fatalf("%d vote", votes())
			}
		}
		if two > raiseEvery/2 {
			t.Errorf("two voted for %s", two)
		}
		h.finish(t)
	})
}

// TestOneJoinsOne: a second one that never comes isn't waited for without end.
func TestOneJoinsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := begin(t, Config{Members: []Member{{ID: 1, Kind: Data}}, KeepEntries: 8})
		lead := h.leader()
		time.Sleep(200 * time.Millisecond)
		if err := lead.AddMember(t.Context(), Member{ID: 3, Kind: Data}); err != nil {
			t.Fatal(err)
		}
		h.joins(t, lead, 2)
		time.Sleep(2 * raiseEvery)
		if lead.Status().Members[1].Votes {
			t.Fatal("it votes while another one is on its way")
		}
		for range 20 { // it counts anew where the one that came is away for a moment
			_ = lead.do(func(now time.Duration) error { // fails only where nothing leads
				lead.core.came = now - together
				return nil
			})
			time.Sleep(raiseEvery / 4)
		}
		if !lead.Status().Members[1].Votes {
			t.Error("the other one never came, and is waited for")
		}
		h.finish(t)
	})
}

// TestASiteIsPromoted: when all that vote are gone, the learner elsewhere goes on alone with what
// it has, under a new generation, and can take nodes in.
func TestASiteIsPromoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := begin(t, Config{Members: []Member{{ID: 1, Kind: Data}, {ID: 2, Kind: Data},
			{ID: 3, Kind: Learner}}, Generation: 4})
		h.leader()
		time.Sleep(300 * time.Millisecond)
		far := h.nodes[3]
		h.mu.Lock()
		acked := append(h.nodes[1].acked, h.nodes[2].acked...)
		h.mu.Unlock()
		for _, id := range []uint64{1, 2} {
			h.nodes[id].end(t)
			h.forget(id)
		}
		time.Sleep(2 * time.Second)
		if far.Lease().Valid() || far.Status().Leader != 0 {
			t.Fatal("a learner leads")
		}
		far.Close()
		far.owned.Wait()
		if err := far.store.Promote(store.Promotion{Generation: 4}); err == nil {
			t.Error("promoted without a new generation")
		}
		now := time.Now()
		if err := far.store.Promote(store.Promotion{Generation: 5, At: now}); err != nil {
			t.Fatal(err)
		}
		far.end(t)
		h.start(t, far, Config{})
		if l := h.leader(); l != far || far.log.Identity().Generation != 5 {
			t.Fatalf("%+v", far.Status())
		}
		if is := far.Status().Term; is <= uint64(now.Unix()) {
			t.Errorf("term %d may have been one of the lost site", is)
		}
		time.Sleep(100 * time.Millisecond)
		h.mu.Lock()
		first := far.acked[0]
		h.mu.Unlock()
		if p, ok, err := far.store.Promoted(); err != nil || !ok || p.Generation != 5 ||
			p.Last+1 != first {
			t.Errorf("promoted %v %v with %+v, and goes on with record %d", ok, err, p, first)
		}
		if lost := len(acked) - int(first-1); lost > 10 {
			t.Errorf("%d of %d records are missing", lost, len(acked))
		}
		if err := far.AddMember(t.Context(), Member{ID: 1, Kind: Data}); err == nil {
			t.Error("a node of the old generation came back under its number")
		}
		if err := far.AddMember(t.Context(), Member{ID: 4, Kind: Learner}); err != nil {
			t.Error(err)
		}
		h.finish(t)
	})
}

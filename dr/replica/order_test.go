package replica

import (
	"errors"
	"testing"
	"time"

	"cardswitch/store"

	pb "go.etcd.io/raft/v3/raftpb"
)

// lonely is a core that leads alone, whose other member is played by the test.
type lonely struct {
	*core
	t     *testing.T
	store *store.Store
	now   time.Duration
}

func newLonely(t *testing.T) *lonely {
	t.Helper()
	l := &lonely{t: t, store: openStore(t, store.Memory())}
	t.Cleanup(func() { _ = l.store.Close() })
	config := &Config{Cluster: "tokyo", Node: 1, Members: []Member{{ID: 1, Kind: Data}}}
	if err := config.complete(); err != nil {
		t.Fatal(err)
	}
	r := &Replica{config: *config, machine: l.store, log: l.store.Log()}
	err := r.found()
	if err == nil {
		l.core, err = newCore(config, l.store.Log(), &Lease{}, l.store.Applied(), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.work()
	return l
}

// work does all that the core wants done, and has the other member answer all that it is sent.
func (l *lonely) work() {
	l.t.Helper()
	for len(l.appends)+len(l.applies)+len(l.out) > 0 {
		for _, m := range take(&l.appends) {
			if err := l.log.Append(m.GetEntries(), hardState([]*pb.Message{m})); err != nil {
				l.t.Fatal(err)
			}
			l.appended(m, l.now)
		}
		for _, m := range take(&l.applies) {
			for _, e := range m.GetEntries() {
				l.apply(e)
				l.did(e, l.now)
			}
			l.applyDone(m, l.now)
		}
		for _, m := range take(&l.out) {
			l.answer(m)
		}
	}
}

func take(from *[]*pb.Message) (taken []*pb.Message) {
	taken, *from = *from, nil
	return taken
}

func (l *lonely) apply(e *pb.Entry) {
	l.t.Helper()
	err := error(nil)
	if e.GetType() == pb.EntryNormal {
		err = l.store.Apply(e.GetIndex(), e.GetTerm(), e.GetData())
	} else {
		var cc *pb.ConfChange
		var changed Member
		cc, changed, err = parseChange(e)
		if err == nil {
			err = l.store.ApplyMembers(e.GetIndex(), e.GetTerm(), l.members(cc, l.now), changed)
		}
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lonely) answer(m *pb.Message) {
	a := &pb.Message{From: new(m.GetTo()), To: new(m.GetFrom()), Term: new(m.GetTerm())}
	switch m.GetType() {
	case pb.MsgHeartbeat:
		a.Type, a.Context = pb.MsgHeartbeatResp.Enum(), m.GetContext()
	case pb.MsgApp:
		a.Type = pb.MsgAppResp.Enum()
		a.Index = new(m.GetIndex() + uint64(len(m.GetEntries())))
	default:
		return
	}
	l.step(a, l.now)
}

func (l *lonely) tick() {
	l.now += l.config.Tick
	l.core.tick(l.now)
}

// take takes a member in, and lets what that asks for happen.
func (l *lonely) take(m Member) {
	l.t.Helper()
	p, err := l.change(&pb.ConfChange{Type: pb.ConfChangeAddLearnerNode.Enum(), NodeId: new(m.ID),
		Context: m.Append(nil)}, l.now)
	if err != nil {
		l.t.Fatal(err)
	}
	l.work()
	if err := <-p.done; err != nil {
		l.t.Fatal(err)
	}
}

// A change of the members that comes while the leader itself gives a node its vote is refused, and
// whoever ordered it hears so: what he waits for isn't the end of the other change.
func TestAnOrderHearsOfItself(t *testing.T) {
	l := newLonely(t)
	l.take(Member{ID: 2, Kind: Data})
	for l.lastIndex() == l.applied && len(l.appends) == 0 {
		l.tick()
		if len(l.appends) == 0 {
			l.work()
		}
	}
	// The vote for node 2 is proposed, and not agreed yet.
	m := Member{ID: 2, Kind: Removed}
	p, err := l.change(&pb.ConfChange{Type: pb.ConfChangeRemoveNode.Enum(), NodeId: new(m.ID),
		Context: m.Append(nil)}, l.now)
	if err != nil {
		t.Fatal(err)
	}
	l.work()
	if is := l.kind(2); is != Data || len(l.conf.GetVoters()) != 2 {
		t.Fatalf("node 2 is %s, %v vote", is, l.conf.GetVoters())
	}
	select {
	case err := <-p.done:
		if !errors.Is(err, errUnderWay) {
			t.Errorf("the order ended with %v, and node 2 is a member still", err)
		}
	default:
		t.Error("nobody tells how the order ended")
	}
}

// One voter with a node of another site beats for as long as it lives; it must not remember that.
func TestRoundsAreForgotten(t *testing.T) {
	l := newLonely(t)
	l.take(Member{ID: 4, Kind: Learner})
	for range 2000 {
		l.tick()
		l.work()
	}
	if n, most := len(l.rounds.sent), int(l.config.Election/l.config.Heartbeat); n == 0 || n > most {
		t.Errorf("%d rounds are remembered, at most %d can still give a lease", n, most)
	}
}

// What goes past the lease or past who waits for a proposal is nothing that another node may order.
func TestNobodyOrdersForThisNode(t *testing.T) {
	l := newLonely(t)
	l.take(Member{ID: 2, Kind: Learner})
	last := l.lastIndex()
	for _, kind := range []pb.MessageType{pb.MsgProp, pb.MsgTransferLeader, pb.MsgForgetLeader} {
		m := &pb.Message{Type: kind.Enum(), From: new(uint64(2)), To: new(uint64(1)),
			Term: new(l.term)}
		if kind == pb.MsgProp {
			m.Term, m.Entries = nil, []*pb.Entry{{Data: []byte("mine")}}
		}
		l.step(m, l.now)
		if len(l.appends) > 0 {
			t.Errorf("%s of another node writes the log", kind)
		}
		l.work()
	}
	if l.lastIndex() != last || !l.leads {
		t.Errorf("the log went from %d to %d; this node leads: %t", last, l.lastIndex(), l.leads)
	}
}

// However long an election takes, a lease lasts no longer than what others promise for it.
func TestALeaseIsPromised(t *testing.T) {
	config := Config{Cluster: "tokyo", Node: 1, Tick: 100 * time.Millisecond,
		Heartbeat: time.Minute, Election: 10 * time.Minute}
	if err := config.complete(); err != nil {
		t.Fatal(err)
	}
	follower := newLonely(t)
	var leader rounds
	leader.length = config.lease()
	leader.begin()
	beat := &pb.Message{Type: pb.MsgHeartbeat.Enum()}
	leader.send(0, []*pb.Message{beat}, 0)
	follower.promised = 0
	follower.promise(beat, 0)
	if until := leader.sent[leader.last] + leader.length; until > follower.promised {
		t.Errorf("the lease lasts until %s, its promise until %s", until, follower.promised)
	}
}

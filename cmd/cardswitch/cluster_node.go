package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"cardswitch/dr/replica"
	"cardswitch/dr/replica/wire"
	"cardswitch/store"
	"cardswitch/store/raftlog"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

// lone is the node of a cluster of one. Others may join it later.
const lone = 1

// takePart joins the node to its cluster.
func (n *node) takePart(config *cardswitch.Config) (err error) {
	c := config.Cluster
	generation, err := n.generation()
	if err != nil {
		return err
	}
	if c == nil {
		n.replica, err = replica.Start(replica.Config{Cluster: cardswitch.DefaultCluster,
			Generation: generation, Node: lone, Logger: n.log,
			Members: []replica.Member{{ID: lone, Kind: replica.Data}}}, n.store, replica.Nobody{})
		if err == nil {
			n.store.AgreeBy(n.replica)
		}
		return err
	}
	id, err := readIdentity(config)
	if err != nil {
		return err
	}
	if err := n.claim(c); err != nil {
		return err
	}
	if n.claims {
		generation = 0
	}
	w := wire.Config{Cluster: c.Name, Generation: generation, Node: c.Node,
		DataKey: n.store.KeyName(), Listen: c.Listen, Address: c.Address, Identity: id, Logger: n.log,
		Program: wire.Program{Reads: store.Reads, Name: buildInfo().name()}, Level: n.store.Level,
		Serve: n.serveCompanions, Superseded: n.superseded}
	if n.house != nil {
		w.Group = c.Shard
		w.Net, w.Dial = n.house.groups.Listen(c.Shard), n.house.groups.Dial(c.Shard)
		w.Takes, w.Take = n.takes, n.take
	}
	var members []replica.Member
	for _, m := range c.Members {
		w.Peers = append(w.Peers, wire.Peer{Node: m.Node, Address: m.Address})
		members = append(members, replica.Member{ID: m.Node, Kind: kindOf(m.Role), Address: m.Address})
	}
	if n.claims {
		for _, m := range n.site.before {
			w.Peers = append(w.Peers, wire.Peer{Node: m.ID, Address: m.Address})
		}
	}
	part := replica.Config{Cluster: c.Group(), Generation: generation, Node: c.Node, Members: members,
		Heartbeat: c.Heartbeat, Election: c.Election, Tick: c.Tick, DiskHang: c.DiskHang,
		LogBytes: uint64(c.LogMB) << 20, Logger: n.log}
	if err := replica.Found(part, n.store); err != nil {
		return err
	}
	if n.wire, err = wire.Connect(w); err != nil {
		return err
	}
	if n.replica, err = replica.Start(part, n.store, n.wire); err != nil {
		return err
	}
	n.store.AgreeBy(n.replica)
	n.wire.Serve(n.replica)
	close(n.site.takesPart)
	return nil
}

// generation is the data directory's. One that was brought back from a backup begins the next one.
func (n *node) generation() (uint64, error) {
	former, err := n.store.Former()
	if err != nil {
		return 0, err
	}
	if is := n.store.Log().Identity().Generation; is != 0 {
		return is, nil
	}
	return former.Generation + 1, nil
}

func kindOf(role string) raftlog.Kind {
	switch role {
	case cardswitch.NodeWitness:
		return replica.Witness
	case cardswitch.NodeLearner:
		return replica.Learner
	}
	return replica.Data
}

func roleOf(k raftlog.Kind) string {
	switch k {
	case replica.Witness:
		return cardswitch.NodeWitness
	case replica.Learner:
		return cardswitch.NodeLearner
	}
	return cardswitch.NodeData
}

// readIdentity reads the node's certificate.
func readIdentity(config *cardswitch.Config) (*wire.Identity, error) {
	c := config.Cluster
	cert, errCert := os.ReadFile(config.Path(c.Cert))
	key, errKey := os.ReadFile(config.Path(c.Key))
	ca, errCA := os.ReadFile(config.Path(c.CA))
	if err := errors.Join(errCert, errKey, errCA); err != nil {
		return nil, failed(fmt.Errorf("cluster: %w", err),
			"`cardswitch cluster init` makes the files of all nodes")
	}
	id, err := wire.NewIdentity(cert, key, ca)
	if err != nil {
		return nil, failed(fmt.Errorf("cluster: %w", err), "take the files that were made together")
	}
	return id, nil
}

// ClusterStatus is admin's.
func (n *node) ClusterStatus() admin.ClusterStatus {
	s := n.replica.Status()
	out := admin.ClusterStatus{Name: s.Cluster, Generation: s.Generation, Node: s.Node,
		State: n.stateOf(&s), Term: s.Term, Leader: s.Leader, LeaseMS: s.LeaseLeft.Milliseconds(),
		Committed: s.Committed, Applied: s.Applied, LastSeq: n.store.LastSeq(),
		LogMB: int64(s.LogBytes >> 20), SyncUS: s.LastSync.Microseconds(),
		LastTakeover: n.takeover.Load(), Level: n.store.Level(), Warm: n.warm.Status()}
	peers := make(map[uint64]wire.PeerStatus)
	if n.wire != nil {
		for _, p := range n.wire.Wire().Status() {
			peers[p.Node] = p
		}
	}
	for _, m := range s.Members {
		p := peers[m.ID]
		one := admin.ClusterMember{Node: m.ID, Role: roleOf(m.Kind), Address: m.Address,
			Self: m.ID == s.Node, Leads: m.ID == s.Leader, Connected: p.Connected || m.ID == s.Node,
			InSync: m.InSync, Unfit: m.Unfit, Entries: m.BehindEntries, Bytes: m.BehindBytes,
			MS: m.Behind.Milliseconds(), TripUS: p.Trip.Microseconds(), LastError: p.LastError,
			Program: p.Program.Name, Reads: p.Program.Reads,
			Unknown: m.Match == 0 && m.ID != s.Node && m.BehindEntries > 0}
		if one.Self {
			one.Program, one.Reads = buildInfo().name(), store.Reads
		}
		n.addRecords(&one, &m, out.LastSeq)
		if m.InSync && !m.Unfit && m.Kind == replica.Data && m.Votes {
			out.InSync++
		}
		out.Members = append(out.Members, one)
	}
	there, all := replica.VotesWithout(s.Members, 0)
	out.Votes, out.VotesThere = all, there
	out.Redundant = out.InSync >= 2 && 2*(there-1) > all
	if out.State == cardswitch.NodeLearner {
		out.Heard = n.heard(&s)
	}
	return out
}

// takenOut is the state of a node that the others have let go.
const takenOut = "taken out"

func (n *node) stateOf(s *replica.Status) string {
	switch {
	case s.Role == "stopped":
		return "stopped"
	case n.claims:
		return admin.BroughtBack
	case n.active.Load() != nil && s.Active:
		return "active"
	case s.Role == "leader":
		return "takes over"
	case len(s.Members) > 0 && !slices.ContainsFunc(s.Members, func(m replica.MemberStatus) bool {
		return m.ID == s.Node
	}):
		return takenOut
	case isWitness(n.config.Load()):
		return cardswitch.NodeWitness
	case n.store.Log().Member(s.Node).Kind == replica.Learner:
		return cardswitch.NodeLearner
	case s.Leader == 0:
		return "no leader"
	}
	return "standby"
}

// tendLevel has the active node raise the journal's level once the programs of all nodes can read
// the next one; until then each may go back to the program before.
func (n *node) tendLevel(ctx context.Context) {
	for n.store.Level() < store.Raises {
		if n.allRead() >= store.Raises {
			if err := n.store.Raise(store.Raises); err != nil {
				n.log.Warn("the journal's level couldn't be raised", "error", err)
			}
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return
		}
	}
}

// allRead is the newest level that all nodes can read; 0: one isn't connected.
func (n *node) allRead() uint8 {
	if n.wire == nil {
		return store.Reads
	}
	var members []uint64
	for _, m := range n.replica.Status().Members {
		members = append(members, m.ID)
	}
	return n.wire.Wire().Reads(members)
}

// Transfer is admin's.
func (n *node) Transfer(ctx context.Context, to uint64) (admin.ClusterStatus, error) {
	st := n.ClusterStatus()
	switch {
	case n.active.Load() == nil:
		return st, admin.NotActive(&st)
	case to == st.Node:
		return st, admin.Conflict(fmt.Sprintf("node %d is the active one already", to),
			"without a number, the best of the others takes over")
	}
	if err := n.roles.Transfer(to); err != nil {
		return st, admin.Conflict(err.Error(), "`cardswitch cluster status` shows who is away or behind")
	}
	return n.ClusterStatus(), nil
}

// Join is admin's.
func (n *node) Join(ctx context.Context, j admin.Joining) error {
	st := n.ClusterStatus()
	if n.active.Load() == nil {
		return admin.NotActive(&st)
	}
	for i := range st.Members {
		if m := &st.Members[i]; m.Address == j.Address && m.Node != j.Node {
			return admin.Conflict(fmt.Sprintf("%s is the address of node %d", j.Address, m.Node),
				"each node has one of its own")
		}
	}
	err := n.replica.AddMember(ctx, replica.Member{ID: j.Node, Kind: kindOf(j.Role),
		Address: j.Address})
	if err != nil {
		return admin.Conflict(err.Error(), "`cardswitch cluster status` shows the members; a number "+
			"is never given twice")
	}
	return nil
}

// Leave is admin's.
func (n *node) Leave(ctx context.Context, id uint64) error {
	st := n.ClusterStatus()
	switch {
	case n.active.Load() == nil:
		return admin.NotActive(&st)
	case id == st.Node:
		return admin.Conflict("a node can't take itself out", "`cardswitch cluster transfer` first, "+
			"then ask the node that is active then")
	}
	if there, all := replica.VotesWithout(n.replica.Status().Members, id); 2*there <= all {
		return admin.Conflict(fmt.Sprintf("without node %d, of %d nodes with a vote %d would be there: "+
			"nobody would serve", id, all, there), "bring the others back, or take out one that is away")
	}
	if err := n.replica.RemoveMember(ctx, id); err != nil {
		return admin.Conflict(err.Error(), "`cardswitch cluster status` shows the members")
	}
	return nil
}

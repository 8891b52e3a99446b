package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"cardswitch/store"
	"cardswitch/store/raftlog"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// core decides what a replica does, and does none of it: messages to send, what to write to the log
// and what to apply wait in it for whoever drives it, and he brings the time. It is not safe for
// concurrent use.
type core struct {
	config *Config
	self   uint64
	log    *raftlog.Log
	node   *raft.RawNode
	lease  *Lease
	rounds rounds

	out     []*pb.Message // to other members
	appends []*pb.Message // for the log, in order
	applies []*pb.Message // for the machine, in order
	roles   []Role        // that others must be told

	conf      *pb.ConfState
	term      uint64 // as far as the others were told
	state     raft.StateType
	leader    uint64
	leads     bool   // and has applied its own first entry
	told      bool   // that it leads
	given     bool   // the lease is given up for the rest of this term, as another node is to lead
	to        uint64 // that one
	applied   uint64
	floor     uint64        // all members have the log through here, as the leader says
	promised  time.Duration // until then nobody gets this node's vote
	heard     time.Duration // when the leader's last heartbeat came
	gaveAt    time.Duration
	led       uint64        // who led last, as far as known
	quiet     time.Duration // since when no leader was heard, and nobody came up for a vote
	leased    time.Duration // through then the last lease lasted
	lost      bool          // the connection with the leader has ended
	called    time.Duration // until then this node doesn't call for a vote again
	full      bool          // the disk has no room
	hangs     bool          // it doesn't answer
	unable    time.Duration // until then the owner needn't try to serve again
	proposals []*proposal
	changes   []*proposal // of members
	lags      lags
	shipping  map[uint64]int           // how often a member is being sent the journal
	asked     map[uint64]time.Duration // since when a member is to fetch it
	raised    time.Duration            // when raise looked
	came      time.Duration            // until then none was ready for a vote
}

// proposal is an entry, or a change of members, that somebody waits for.
type proposal struct {
	term uint64
	done chan error
}

// Role is what a node is to do.
type Role struct {
	Leading bool // it may fill batches, and speak while its lease lasts
	Term    uint64
	Leader  uint64 // 0: nobody is known to lead
	Stopped bool   // for good; Err says why
	Err     error
}

// ErrUnknown is that of a proposal of a node that was deposed: it may or may not be agreed.
var ErrUnknown = errors.New("this node was deposed; what it proposed may or may not be agreed")

var errUnderWay = errors.New("another change of the members is under way")

// noteTransfer is how raft marks a vote that the leader itself has asked for.
const noteTransfer = "CampaignTransfer"

func newCore(config *Config, log *raftlog.Log, lease *Lease, applied uint64,
	now time.Duration) (*core, error) {
	c := &core{config: config, self: config.Node, log: log, lease: lease, applied: applied,
		rounds: rounds{length: config.lease()}, promised: now + config.lease(), quiet: now,
		shipping: make(map[uint64]int), asked: make(map[uint64]time.Duration)}
	_, conf, err := log.InitialState()
	if err != nil {
		return nil, err
	}
	c.conf = conf
	c.node, err = raft.NewRawNode(&raft.Config{ID: c.self,
		ElectionTick:  int(config.Election / config.Tick),
		HeartbeatTick: int(config.Heartbeat / config.Tick),
		Storage:       log, Applied: applied, AsyncStorageWrites: true,
		MaxSizePerMsg: 1 << 20, MaxCommittedSizePerReady: 4 << 20,
		MaxInflightMsgs: 256, MaxInflightBytes: 64 << 20,
		CheckQuorum: true, PreVote: true, DisableProposalForwarding: true,
		StepDownOnRemoval: true, Logger: raftLog{config.Logger}})
	if err != nil {
		return nil, err
	}
	if c.alone() {
		c.promised = now
		err = c.node.Campaign()
	}
	c.drain(now)
	return c, err
}

// alone tells whether this node is the only voter.
func (c *core) alone() bool {
	return len(c.conf.GetVoters()) == 1 && c.conf.GetVoters()[0] == c.self &&
		len(c.conf.GetVotersOutgoing()) == 0
}

// tick is to be called once a Config.Tick.
func (c *core) tick(now time.Duration) {
	c.node.Tick()
	c.call(now)
	c.lets(now)
	if c.state == raft.StateLeader {
		c.remind(now)
		c.raise(now)
	}
	c.lags.sample(now, c.lastIndex())
	c.drain(now)
}

// step takes a message of another member.
func (c *core) step(m *pb.Message, now time.Duration) {
	if c.breaks(m, now) {
		return
	}
	switch m.GetType() {
	case pb.MsgProp, pb.MsgTransferLeader, pb.MsgForgetLeader, pb.MsgReadIndex:
		return // only this node may want that of itself: it would go past propose and the lease
	case pb.MsgHeartbeat, pb.MsgApp, pb.MsgSnap:
		if m.GetTerm() >= c.node.BasicStatus().GetTerm() {
			c.hear(m, now)
		}
	case pb.MsgHeartbeatResp:
		if m.GetTerm() == c.term && c.state == raft.StateLeader {
			c.rounds.answered(m)
		}
		m.Context = nil
	case pb.MsgTimeoutNow:
		if !c.fit(now) {
			return // the next answer to a heartbeat tells it
		}
	}
	// An error says that the sender is no member, or that the message makes no sense now.
	if err := c.node.Step(m); err != nil {
		c.config.Logger.Debug("message refused", "from", m.GetFrom(), "type", m.GetType(), "error", err)
	}
	c.drain(now)
}

// breaks tells whether a message would have this node break its promise to the leader: any of a
// later term makes it forget whom it follows. A new leader's own tells of what has happened
// already, and a vote that the old leader has asked for is its own will.
func (c *core) breaks(m *pb.Message, now time.Duration) bool {
	if now >= c.promised || c.state == raft.StateLeader ||
		m.GetTerm() <= c.node.BasicStatus().GetTerm() {
		return false
	}
	switch m.GetType() {
	case pb.MsgApp, pb.MsgHeartbeat, pb.MsgSnap:
		return false
	}
	return string(m.GetContext()) != noteTransfer
}

// hear notes that the leader is there.
func (c *core) hear(m *pb.Message, now time.Duration) {
	c.quiet, c.lost = now, false
	if m.GetType() == pb.MsgHeartbeat {
		c.heard = now
		c.promise(m, now)
	}
}

// promise gives the leader the time that its heartbeat asks for.
func (c *core) promise(m *pb.Message, now time.Duration) {
	mark := m.GetContext()
	if len(mark) != markSize {
		return
	}
	c.floor = max(c.floor, binary.BigEndian.Uint64(mark[8:]))
	asked := time.Duration(binary.BigEndian.Uint64(mark[16:]))
	c.promised = max(c.promised, now+min(asked, mostLease))
}

// propose proposes an entry that was made in a term.
func (c *core) propose(term uint64, data []byte, now time.Duration) (*proposal, error) {
	if !c.leads || c.term != term {
		return nil, store.ErrNotLeading
	}
	p := &proposal{term: term, done: make(chan error, 1)}
	if err := c.node.Propose(data); err != nil {
		return nil, fmt.Errorf("%w: %w", store.ErrNotLeading, err)
	}
	c.proposals = append(c.proposals, p)
	c.drain(now)
	return p, nil
}

// change proposes a change of the members.
func (c *core) change(cc *pb.ConfChange, now time.Duration) (*proposal, error) {
	if !c.leads {
		return nil, store.ErrNotLeading
	}
	p := &proposal{term: c.term, done: make(chan error, 1)}
	if err := c.node.ProposeConfChange(cc); err != nil {
		return nil, err
	}
	c.changes = append(c.changes, p)
	c.drain(now)
	return p, nil
}

// transfer has another member lead. The lease ends here and now: from its answer on the other one
// may lead without waiting for it.
func (c *core) transfer(to uint64, now time.Duration) {
	c.giveUp(now)
	c.to = to
	c.node.TransferLeader(to)
	c.drain(now)
}

func (c *core) giveUp(now time.Duration) {
	if !c.given {
		c.given, c.gaveAt = true, now
	}
	c.lease.until.Store(0)
}

// appended says that what a message of appends asked for is durable.
func (c *core) appended(m *pb.Message, now time.Duration) {
	for _, answer := range m.GetResponses() {
		if answer.GetTo() == c.self {
			_ = c.node.Step(answer)
			continue
		}
		c.send(answer, now)
	}
	c.drain(now)
}

// did says that an entry is applied: it is what somebody may wait for, and a leader's first one
// makes it active.
func (c *core) did(e *pb.Entry, now time.Duration) {
	c.applied = e.GetIndex()
	if e.GetTerm() != c.term || c.state != raft.StateLeader {
		return
	}
	switch {
	case e.GetType() != pb.EntryNormal:
		if len(c.changes) > 0 {
			c.changes[0].done <- nil
			c.changes = c.changes[1:]
		}
	case len(e.GetData()) > 0:
		if len(c.proposals) > 0 {
			c.proposals[0].done <- nil
			c.proposals = c.proposals[1:]
		}
	case !c.leads:
		c.leads = true
		c.extend(now)
	case len(c.changes) > 0: // raft has put nothing in its place
		c.changes[0].done <- errUnderWay
		c.changes = c.changes[1:]
	}
}

// applyDone says that all of a message of applies is applied.
func (c *core) applyDone(m *pb.Message, now time.Duration) {
	for _, answer := range m.GetResponses() {
		_ = c.node.Step(answer)
	}
	c.drain(now)
}

// members puts a change of the members in force.
func (c *core) members(cc pb.ConfChangeI, now time.Duration) *pb.ConfState {
	c.conf = c.node.ApplyConfChange(cc)
	c.drain(now)
	return c.conf
}

// drain takes what raft wants done.
func (c *core) drain(now time.Duration) {
	for c.follow(now); c.node.HasReady(); c.follow(now) {
		rd := c.node.Ready()
		var beats []*pb.Message
		for _, m := range rd.Messages {
			switch {
			case m.GetTo() == raft.LocalAppendThread:
				c.appends = append(c.appends, m)
			case m.GetTo() == raft.LocalApplyThread:
				c.applies = append(c.applies, m)
			default:
				if m.GetType() == pb.MsgHeartbeat {
					beats = append(beats, m)
				}
				c.send(m, now)
			}
		}
		if len(beats) > 0 {
			c.rounds.send(now, beats, c.keepFrom())
		}
	}
	c.extend(now)
}

func (c *core) send(m *pb.Message, now time.Duration) {
	switch m.GetType() {
	case pb.MsgPreVote:
		if now < c.turn(now) {
			return
		}
	case pb.MsgVote:
		if string(m.GetContext()) != noteTransfer && now < c.promised {
			return
		}
	case pb.MsgVoteResp:
		if !m.GetReject() {
			c.quiet = now // whoever got the vote needs a while
		}
	case pb.MsgHeartbeatResp:
		c.confess(m, now)
	}
	c.out = append(c.out, m)
}

// follow takes note of who leads in which term.
func (c *core) follow(now time.Duration) {
	s := c.node.BasicStatus()
	term, state, leader := s.GetTerm(), s.RaftState, s.Lead
	if term == c.term && state == c.state && leader == c.leader {
		return
	}
	if term != c.term {
		c.quiet, c.lost = now, false
		c.led = raft.None // who stood for election and failed waits for the turn that all know
	}
	if term != c.term || state != raft.StateLeader {
		c.leads, c.given, c.told, c.to = false, false, false, 0
		c.lease.until.Store(0)
		for _, p := range slices.Concat(c.proposals, c.changes) {
			p.done <- ErrUnknown
		}
		c.proposals, c.changes = nil, nil
	}
	if leader != raft.None {
		c.led = leader
	}
	fresh := state == raft.StateLeader && (c.state != raft.StateLeader || term != c.term)
	if state != raft.StateLeader && (c.state == raft.StateLeader || leader != c.leader) {
		c.roles = append(c.roles, Role{Term: term, Leader: leader})
	}
	if c.term, c.state, c.leader = term, state, leader; fresh {
		c.rounds.begin()
		for range c.config.Heartbeat / c.config.Tick { // the first heartbeat goes out at once
			c.node.Tick()
		}
	}
}

// extend makes the lease last for as long as a majority has promised. Once there is one, the node
// is told that it leads.
func (c *core) extend(now time.Duration) {
	if !c.leads || c.given || c.kind(c.self) != Data {
		c.lease.until.Store(0)
		return
	}
	until := c.rounds.until(c.self, c.conf)
	c.lease.until.Store(int64(until))
	c.leaseEnds(until)
	if !c.told && now < until && c.begins(now) {
		c.told = true
		c.roles = append(c.roles, Role{Leading: true, Term: c.term, Leader: c.self})
	}
}

func (c *core) kind(id uint64) raftlog.Kind { return c.log.Member(id).Kind }

func (c *core) lastIndex() uint64 {
	last, _ := c.log.LastIndex()
	return last
}

package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cardswitch/store/raftlog"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// Removed is the kind of a member that was taken out.
const Removed = raftlog.Removed

// AddMember takes a node in, or gives a learner a vote. The node's number must never have been
// another's. It returns when the members have agreed; a node that is to vote does so by itself once
// it has all, as until then it would only hold up the others. Status tells how far it has come.
func (r *Replica) AddMember(ctx context.Context, m Member) error {
	switch was := r.log.Member(m.ID); {
	case m.ID == 0 || m.Kind == Removed || m.Kind == 0:
		return errors.New("a member has a number and is a data node, a witness or a learner")
	case was.Kind == Removed:
		return fmt.Errorf("number %d was another node's; give the node a new number", m.ID)
	case was.Kind != 0 && !(was.Kind == Learner && m.Kind == Data):
		return fmt.Errorf("node %d is a member already", m.ID)
	}
	return r.change(ctx, pb.ConfChangeAddLearnerNode, m)
}

// VotesWithout counts the nodes with a vote, and of these the ones that answer, if one leaves: with
// half of them, or fewer, nobody would serve.
func VotesWithout(members []MemberStatus, id uint64) (there, all int) {
	for i := range members {
		if m := &members[i]; m.Votes && m.ID != id {
			all++
			if m.Active {
				there++
			}
		}
	}
	return there, all
}

// RemoveMember takes a node out, for good.
func (r *Replica) RemoveMember(ctx context.Context, id uint64) error {
	m := r.log.Member(id)
	if m.Kind == 0 || m.Kind == Removed {
		return fmt.Errorf("node %d is no member", id)
	}
	m.Kind = Removed
	return r.change(ctx, pb.ConfChangeRemoveNode, m)
}

func (r *Replica) change(ctx context.Context, kind pb.ConfChangeType, m Member) error {
	var p *proposal
	err := r.do(func(now time.Duration) (err error) {
		p, err = r.core.change(&pb.ConfChange{Type: kind.Enum(), NodeId: new(m.ID),
			Context: m.Append(nil)}, now)
		return err
	})
	if err != nil {
		return err
	}
	return r.await(ctx, p)
}

// raiseEvery is how often the leader looks for nodes that may get their vote; while two vote it
// looks at each tick.
const raiseEvery = 500 * time.Millisecond

// together is how long a node that alone has a vote waits for a second one that comes up.
const together = 30 * time.Second

// raise gives its vote to a node that has come up with the others. Of two that vote either one's
// fault stops both, so a node that votes alone waits for the second one if two are on their way,
// and then they get it one right after the other.
func (c *core) raise(now time.Duration) {
	voters := len(c.conf.GetVoters())
	if !c.leads || len(c.changes) > 0 || now-c.raised < raiseEvery && voters != 2 {
		return
	}
	c.raised = now
	last := c.lastIndex()
	var ready Member
	come, wait := 0, 0
	c.node.WithProgress(func(id uint64, t raft.ProgressType, p tracker.Progress) {
		m := c.log.Member(id)
		if t != raft.ProgressTypeLearner || m.Kind != Data && m.Kind != Witness {
			return
		}
		wait++
		if p.State == tracker.StateReplicate && c.rounds.active(id) && p.Match+nearly >= last {
			ready = m
			come++
		}
	})
	if come == 0 {
		c.came = now
	}
	if come == 0 || voters == 1 && come < min(wait, 2) && now-c.came < together {
		return
	}
	// refused while another change is under way; then next time
	_, _ = c.change(&pb.ConfChange{Type: pb.ConfChangeAddNode.Enum(), NodeId: new(ready.ID),
		Context: ready.Append(nil)}, now)
}

// nearly is how many entries a node may lack that gets its vote.
const nearly = 256

// Transfer has another data node lead: that one, or the one that has most if it is 0. From its call
// on this node is silent. It returns when another one leads.
func (r *Replica) Transfer(ctx context.Context, to uint64) error {
	term, asked := uint64(0), to
	err := r.do(func(now time.Duration) error {
		if !r.core.leads {
			return errors.New("this node doesn't lead")
		}
		if to == 0 {
			to, _ = r.core.heir()
		}
		if to == 0 {
			return errors.New("there is no other data node that could serve")
		}
		if r.core.rounds.unfit[to] {
			return fmt.Errorf("node %d couldn't serve: see its disk and its log", to)
		}
		if r.log.Member(to).Kind != Data || to == r.core.self ||
			!slices.Contains(r.core.conf.GetVoters(), to) {
			return fmt.Errorf("node %d can't take over: it is no other data node with a vote", to)
		}
		term = r.core.term
		r.core.transfer(to, now)
		return nil
	})
	if err != nil {
		return err
	}
	ticker := time.NewTicker(r.config.Tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.stop:
			return r.fault
		}
		if s := r.Status(); s.Term > term && s.Leader != 0 {
			if asked != 0 && s.Leader != asked {
				return fmt.Errorf("node %d leads now, not %d", s.Leader, asked)
			}
			return nil
		}
	}
}

package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cardswitch/store/raftlog"

	pb "go.etcd.io/raft/v3/raftpb"
)

// Removed is the kind of a member that was taken out.
const Removed = raftlog.Removed

// AddMember takes a node in, or makes a learner a voter. The node's number must never have been
// another's. It returns when the members have agreed; ask Status how far the node has come.
func (r *Replica) AddMember(ctx context.Context, m Member) error {
	switch was := r.log.Member(m.ID); {
	case m.ID == 0 || m.Kind == Removed || m.Kind == 0:
		return errors.New("a member has a number and is a data node, a witness or a learner")
	case was.Kind == Removed:
		return fmt.Errorf("number %d was another node's; give the node a new number", m.ID)
	case was.Kind != 0 && !(was.Kind == Learner && m.Kind == Data):
		return fmt.Errorf("node %d is a member already", m.ID)
	}
	kind := pb.ConfChangeAddNode
	if m.Kind == Learner {
		kind = pb.ConfChangeAddLearnerNode
	}
	return r.change(ctx, kind, m)
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

// Transfer has another data node lead: that one, or the one that has most if it is 0. From its call
// on this node is silent. It returns when another one leads.
func (r *Replica) Transfer(ctx context.Context, to uint64) error {
	term := uint64(0)
	err := r.do(func(now time.Duration) error {
		if !r.core.leads {
			return errors.New("this node doesn't lead")
		}
		if to == 0 {
			to, _ = r.core.heir()
		}
		if m := r.log.Member(to); m.Kind != Data || to == r.core.self {
			return fmt.Errorf("node %d can't take over: it is no other data node", to)
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
			if s.Leader != to {
				return fmt.Errorf("node %d leads now, not %d", s.Leader, to)
			}
			return nil
		}
	}
}

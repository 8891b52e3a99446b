package replica

import (
	"slices"
	"time"

	"go.etcd.io/raft/v3"
)

// Raft has each node draw by chance how long it waits until it calls for a vote, once to twice the
// time of an election, so that seldom two call at once. Here they take turns instead: once the
// leader is taken for gone the data node with the lowest number calls at once, the next one a
// heartbeat's time later, and so on; what raft would call before a node's turn isn't sent. If that
// comes to nothing, as there aren't enough nodes yet, they call round and round, each in a time of
// its own. A node's promise to the leader is kept in any case, so this decides how soon there is a
// new leader, and nothing about the lease.

// again is after how many ticks a call that wasn't answered is repeated: the other node may just
// not have taken the leader for gone yet, or its promise lasted a little longer.
const again = 4

// gone is from when on this node takes the leader for gone: it has been silent for the time of an
// election; or its connection has ended, as that of a process that has, and no promise to it lasts
// any more.
func (c *core) gone() time.Duration {
	if c.lost {
		return c.promised
	}
	return max(c.promised, c.quiet+c.config.Election)
}

// turn is from when on this node may call for a vote.
func (c *core) turn(now time.Duration) time.Duration {
	before, _ := c.order()
	return max(c.calls(now), c.gone()+time.Duration(before)*c.config.Heartbeat)
}

// order is how many take their turn before this node, of how many.
func (c *core) order() (before, of int) {
	for _, id := range c.conf.GetVoters() {
		if id == c.led && id != c.self || c.kind(id) != Data {
			continue
		}
		if of++; id < c.self {
			before++
		}
	}
	return before, of
}

// itsTurn tells whether it is this data node's turn now, in the first round or a later one.
func (c *core) itsTurn(now time.Duration) bool {
	before, of := c.order()
	since := now - c.gone()
	return now >= c.turn(now) && before < of &&
		(since < c.config.Election || int(since/c.config.Heartbeat)%of == before)
}

// call calls for a vote if it is this node's turn. A node whose leader is gone forgets it before,
// so that it can give others its vote.
func (c *core) call(now time.Duration) {
	gone := c.gone()
	waits := c.state == raft.StateFollower || c.state == raft.StatePreCandidate
	if !waits || now < gone || !slices.Contains(c.conf.GetVoters(), c.self) {
		return
	}
	if c.leader != raft.None {
		_ = c.node.ForgetLeader()
	}
	if now >= c.called && c.kind(c.self) == Data && c.itsTurn(now) {
		c.called = now + again*c.config.Tick
		_ = c.node.Campaign()
	}
}

// disconnected notes that the connection with a member has ended.
func (c *core) disconnected(id uint64) {
	if id == c.leader && c.state == raft.StateFollower {
		c.lost = true
	}
	if c.state == raft.StateLeader {
		c.rounds.away[id] = true
	}
}

// Disconnected says that a connection with a member has ended, as when its process has. It may be
// wrong: what the member says next takes it back.
func (r *Replica) Disconnected(id uint64) {
	_ = r.do(func(time.Duration) error {
		r.core.disconnected(id)
		return nil
	})
}

package replica

import (
	"slices"
	"time"

	"go.etcd.io/raft/v3"
)

// Raft has each node draw by chance how long it waits until it calls for a vote, once to twice the
// time of an election, so that seldom two call at once. Here they take turns instead: once the
// leader is taken for gone the data node with the lowest number calls at once, the next one a
// heartbeat's time later, and so on; what raft would call before its turn isn't sent. A node's
// promise to the leader is kept in any case, so this decides how soon there is a new leader, and
// nothing about the lease. If the turns come to nothing, chance decides as it always did.

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
	before := 0
	for _, id := range c.conf.GetVoters() {
		if id < c.self && id != c.led && c.kind(id) == Data {
			before++
		}
	}
	return max(c.calls(now), c.gone()+time.Duration(before)*c.config.Heartbeat)
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
	if now >= c.turn(now) && now >= c.called && now < gone+c.config.Election {
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

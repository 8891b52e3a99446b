package replica

import (
	"encoding/binary"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// A node is fit if it could serve at once: its disk has room and answers, and its owner hasn't just
// failed to begin. Members tell the leader in their answers to heartbeats. It hands over to nobody
// who isn't fit; and who isn't, calls for a vote after all others, doesn't lead because it is asked
// to, and hands on when it has come to lead all the same.

// look takes what is known of the disk. It is to be called before each tick.
func (c *core) look(full, hangs bool) { c.full, c.hangs = full, hangs }

func (c *core) fit(now time.Duration) bool { return !c.full && !c.hangs && now >= c.unable }

// begins tells whether the owner of a leader is to begin. A disk without room would only have it
// fail; but an owner that has failed tries again if there is nobody else.
func (c *core) begins(now time.Duration) bool {
	if c.fit(now) || c.alone() {
		return true
	}
	to, _ := c.heir()
	return to == 0 && !c.full && !c.hangs
}

// calls is from when on a node may call for a vote: who can only hand on comes after the others.
func (c *core) calls(now time.Duration) time.Duration {
	if c.kind(c.self) == Witness || !c.fit(now) {
		return c.promised + c.config.Election
	}
	return c.promised
}

// handOn has another node lead if this one shouldn't: it is a witness, or not fit. The other must
// have all that this one has written. One that was to lead, and isn't there or fit any more, is
// left for another.
func (c *core) handOn(now time.Duration) {
	switch {
	case c.state != raft.StateLeader, c.given && c.rounds.active(c.to) && !c.rounds.unfit[c.to]:
		return
	case !c.given && c.fit(now) && c.kind(c.self) != Witness:
		return
	}
	if to, match := c.heir(); to != 0 && to != c.to && match >= c.lastIndex() {
		c.transfer(to, now)
	}
}

// leaseEnds notes until when a lease lasts; 0: it is over.
func (c *core) leaseEnds(until time.Duration) {
	if until > 0 {
		c.leased = until
	}
}

// lets ends the leadership where it comes to nothing. Nobody took over whom this node has handed on
// to: under this term the lease can't come back, as that one may still do so. Or the lease ran out
// and doesn't come back: the others don't hear this node, or it doesn't hear them. Then who has
// most is asked to lead, if only it hears that.
func (c *core) lets(now time.Duration) {
	if c.state != raft.StateLeader {
		return
	}
	c.leaseEnds(c.rounds.until(c.self, c.conf))
	patience := c.config.Election / 2
	if c.given {
		patience = 0
	}
	alone := c.told && now-c.leased > patience
	if alone {
		c.giveUp(now)
		if to, _ := c.most(func(uint64) bool { return true }); to != 0 {
			c.send(&pb.Message{Type: pb.MsgTimeoutNow.Enum(), From: new(c.self), To: new(to),
				Term: new(c.term)}, now)
		}
	}
	if alone || c.given && now-c.gaveAt > 2*c.config.Election {
		_ = c.node.Step(&pb.Message{Type: pb.MsgHeartbeatResp.Enum(), From: new(c.self),
			To: new(c.self), Term: new(c.term + 1)})
	}
}

// confess puts into an answer to a heartbeat that this node isn't fit: the time that it promises,
// which nobody reads there, is 0.
func (c *core) confess(m *pb.Message, now time.Duration) {
	if mark := m.GetContext(); len(mark) == markSize && !c.fit(now) {
		m.Context = slices.Clone(mark)
		binary.BigEndian.PutUint64(m.Context[16:], 0)
	}
}

// confesses tells whether the mark of an answer says that its sender isn't fit.
func confesses(mark []byte) bool { return binary.BigEndian.Uint64(mark[16:]) == 0 }

// Unable says that the owner couldn't begin to serve: for a time another node should.
func (r *Replica) Unable(lasts time.Duration) {
	_ = r.do(func(now time.Duration) error {
		r.core.unable = now + lasts
		return nil
	})
}

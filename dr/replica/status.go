package replica

import (
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// Status is what a node knows of the cluster. Members' lags are known where it leads only.
type Status struct {
	Cluster    string
	Generation uint64
	Node       uint64
	Role       string // leader, follower, candidate, stopped
	Active     bool   // it leads, its first entry is applied and its lease lasts
	Term       uint64
	Leader     uint64 // 0: nobody is known to lead, or has been heard lately
	LeaseLeft  time.Duration
	Heard      time.Duration // ago: the last heartbeat of a leader; negative: there was none
	Committed  uint64        // the last entry agreed on
	Applied    uint64
	First      uint64 // the first entry that the log still has
	Last       uint64
	LogBytes   uint64
	LastSync   time.Duration // how long the last durable write of the log took
	Members    []MemberStatus
}

// MemberStatus is what the leader knows of a member.
type MemberStatus struct {
	Member
	Votes         bool   // a node that isn't a learner gets its vote once it has all
	Match         uint64 // it has the log through here
	BehindEntries uint64
	BehindBytes   uint64
	Behind        time.Duration
	InSync        bool // it answers, and lacks nothing older than a second
	Active        bool // it has answered lately
	Unfit         bool // it couldn't serve: its disk is full or hangs, or it has tried just now
}

const inSync = time.Second

func (c *core) status(now time.Duration) Status {
	s := c.node.BasicStatus()
	first, _ := c.log.FirstIndex()
	out := Status{Cluster: c.config.Cluster, Generation: c.config.Generation, Node: c.self,
		Role: roleName(s.RaftState), Term: s.GetTerm(), Leader: s.Lead, Committed: s.GetCommit(),
		Applied: c.applied, First: first, Last: c.lastIndex(), LogBytes: c.log.Bytes(first - 1),
		LeaseLeft: min(max(0, time.Duration(c.lease.until.Load())-now), c.config.lease())}
	if out.Heard = now - c.heard; c.heard == 0 {
		out.Heard = -1
	}
	if s.RaftState != raft.StateLeader && now-c.heard > 2*c.config.Election {
		out.Leader = 0 // a learner goes on believing in the last one
	}
	out.Active = c.leads && out.LeaseLeft > 0
	progress := make(map[uint64]tracker.Progress)
	c.node.WithProgress(func(id uint64, _ raft.ProgressType, p tracker.Progress) { progress[id] = p })
	for _, m := range c.log.Members() {
		if m.Kind == Removed {
			continue
		}
		ms := MemberStatus{Member: m, Votes: slices.Contains(c.conf.GetVoters(), m.ID)}
		switch p, ok := progress[m.ID]; {
		case m.ID == c.self:
			ms.Match, ms.Active, ms.InSync = out.Last, true, true
			ms.Unfit = !c.fit(now)
		case ok && s.RaftState == raft.StateLeader:
			ms.Match, ms.Active = p.Match, c.rounds.active(m.ID)
			ms.BehindEntries, ms.BehindBytes = out.Last-min(out.Last, p.Match), c.log.Bytes(p.Match)
			ms.Behind = c.lags.behind(now, p.Match)
			ms.Unfit = c.rounds.unfit[m.ID]
			ms.InSync = ms.Active && p.Match > 0 && ms.Behind < inSync
		}
		out.Members = append(out.Members, ms)
	}
	slices.SortFunc(out.Members, func(a, b MemberStatus) int { return int(a.ID) - int(b.ID) })
	return out
}

func roleName(s raft.StateType) string {
	switch s {
	case raft.StateLeader:
		return "leader"
	case raft.StateFollower:
		return "follower"
	}
	return "candidate"
}

// heir is the data node that should lead when this one can't: the one that has most of the log, of
// those that answer and are fit. 0: there is none.
func (c *core) heir() (best, most uint64) { return c.most(c.rounds.active) }

// most is the fit data node that has most of the log, of some.
func (c *core) most(of func(id uint64) bool) (best, most uint64) {
	c.node.WithProgress(func(id uint64, t raft.ProgressType, p tracker.Progress) {
		if id == c.self || t == raft.ProgressTypeLearner || !of(id) ||
			c.kind(id) != Data || c.rounds.unfit[id] {
			return
		}
		if best == 0 || p.Match > most || p.Match == most && id < best {
			best, most = id, p.Match
		}
	})
	return best, most
}

package replica

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"cardswitch/store/raftlog"
)

// Config says who the node is and with whom it agrees.
type Config struct {
	Cluster    string
	Generation uint64
	Node       uint64 // never 0, never given to another node again
	// Members are those of a new cluster, among them the node. They count only where the directory is
	// nobody's yet. Empty: the node is to learn them from those that take it in.
	Members []Member

	Heartbeat time.Duration // 0: 40 ms
	Election  time.Duration // of silence until a node calls for a vote; 0: 250 ms
	Tick      time.Duration // 0: 5 ms
	// DiskHang is how long the leader's disk may leave a write unanswered until another node is to
	// lead; 0: 400 ms.
	DiskHang time.Duration
	// LogBytes is how much of the log is kept for a member that is away. One that is away for longer
	// gets the whole journal anew. 0: 1 GiB.
	LogBytes uint64
	// KeepEntries of the log stay in any case: a member that was just restarted needs a few. 0: 4096.
	KeepEntries uint64

	Logger *slog.Logger
}

// Member is one node of the cluster.
type Member = raftlog.Member

// Kinds of members.
const (
	Data    = raftlog.Data    // votes, and can lead
	Witness = raftlog.Witness // votes and keeps the log, but has no journal and can't lead
	Learner = raftlog.Learner // follows without a vote, as at another site
)

func (c *Config) complete() error {
	c.Heartbeat = cmp.Or(c.Heartbeat, 40*time.Millisecond)
	c.Election = cmp.Or(c.Election, 250*time.Millisecond)
	c.Tick = cmp.Or(c.Tick, 5*time.Millisecond)
	c.DiskHang = cmp.Or(c.DiskHang, 400*time.Millisecond)
	c.LogBytes = cmp.Or(c.LogBytes, 1<<30)
	c.KeepEntries = cmp.Or(c.KeepEntries, 4096)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	is := func(m Member) bool { return m.ID == c.Node }
	switch {
	case c.Node == 0:
		return errors.New("a node needs a number above 0")
	case len(c.Members) > 0 && !slices.ContainsFunc(c.Members, is):
		return fmt.Errorf("node %d isn't among the members of its cluster", c.Node)
	case c.Tick <= 0 || c.Heartbeat < 2*c.Tick || c.Election < 3*c.Heartbeat:
		return fmt.Errorf("tick %s, heartbeat %s, election %s: a heartbeat takes at least 2 ticks, "+
			"an election at least 3 heartbeats", c.Tick, c.Heartbeat, c.Election)
	case c.Election < 20*c.Tick:
		// With few ticks to draw from, two nodes often call for a vote at once (ha.md section 6).
		return fmt.Errorf("an election takes at least 20 ticks, not %d", c.Election/c.Tick)
	}
	return nil
}

// leaseShare of an election's time is how long a lease lasts: a node that has heard the leader
// gives nobody else its vote for all of that time, by its own clock.
const leaseShare = 0.8

func (c *Config) lease() time.Duration {
	return min(mostLease, time.Duration(leaseShare*float64(c.Election)))
}

// mostLease is how long a lease may last at most: nobody promises more, whatever is asked.
const mostLease = time.Minute

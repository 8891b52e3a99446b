package replica

import (
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// keepFrom is the last entry that nobody needs any more: every member has it, but for those that
// are so far behind that the log would grow over its bound.
func (c *core) keepFrom() uint64 {
	matches := []uint64{c.applied}
	c.node.WithProgress(func(id uint64, _ raft.ProgressType, p tracker.Progress) {
		if id != c.self {
			matches = append(matches, p.Match)
		}
	})
	slices.Sort(matches)
	for _, match := range matches {
		if c.log.Bytes(match) <= c.config.LogBytes {
			return match
		}
	}
	return matches[len(matches)-1]
}

// release is the entry through which nobody needs this node's log, as far as it knows.
func (c *core) release() uint64 {
	floor := c.floor
	if c.state == raft.StateLeader {
		floor = c.keepFrom()
	}
	if c.log.Bytes(floor) > c.config.LogBytes { // nobody leads, or not for long
		floor = c.applied
	}
	return min(floor, c.applied)
}

// cut is the entry through which this node is to drop its log; 0: it isn't worth it. It is cut
// seldom, and then by much.
func (c *core) cut(released uint64) uint64 {
	first, err := c.log.FirstIndex()
	keep := c.config.KeepEntries
	if err != nil || released < first+keep+keep/4 {
		return 0
	}
	return released - keep
}

// lags knows which entries were the last at which time, to tell how long ago a member had all.
type lags struct {
	samples [128]lag
	n       int
}

type lag struct {
	at    time.Duration
	index uint64
}

const lagEvery = 100 * time.Millisecond

func (l *lags) sample(now time.Duration, index uint64) {
	if l.n > 0 && now-l.samples[(l.n-1)%len(l.samples)].at < lagEvery {
		return
	}
	l.samples[l.n%len(l.samples)] = lag{now, index}
	l.n++
}

// behind is how long ago the log had only the entries through match, at least.
func (l *lags) behind(now time.Duration, match uint64) time.Duration {
	for i := l.n - 1; i >= max(0, l.n-len(l.samples)); i-- {
		if s := l.samples[i%len(l.samples)]; s.index <= match {
			if i == l.n-1 {
				return 0
			}
			return now - l.samples[(i+1)%len(l.samples)].at
		}
	}
	if l.n == 0 {
		return 0
	}
	return now - l.samples[max(0, l.n-len(l.samples))%len(l.samples)].at
}

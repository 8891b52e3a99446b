package link

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	// rampSteps is in how many steps a slow start opens the window; the first is open at once.
	rampSteps = 16
	// maxDoublings bounds the hold of a line that falls sick again and again.
	maxDoublings = 4
	unlimited    = math.MaxInt64
)

// health is how a line stands in its group, under the center's mutex. It outlives connections.
type health struct {
	up        bool // has a link that is signed on
	carrying  bool // gets new requests first
	returning bool // was lost or sick, and has not carried its full window since
	ramping   bool
	rampFrom  time.Duration
	heldUntil time.Duration // not preferred before
	doublings int
	errors    []outcome // the latest ones, a ring
	next      int       // in errors
	born      time.Duration
}

// outcome is one error, and how many good answers the line had had by then.
type outcome struct {
	at   time.Duration
	good uint64
	set  bool
}

// Reported tells the outcome of a request on this link: answered in so much time, or timed out.
func (l *Link) Reported(answered bool, latency time.Duration) {
	slow := l.line.center.config.Load().Failover.Slow
	if answered && (slow == 0 || latency <= slow) {
		l.line.good.Add(1)
		return
	}
	c := l.line.center
	c.mu.Lock()
	now := c.network.now()
	sick := l.line.health.erred(now, l.line.good.Load(), &c.config.Load().Failover)
	c.mu.Unlock()
	if sick {
		l.logger().Warn("line is sick", "hint", "see the center's time-outs and latency")
		c.rank()
	}
}

// forgive forgets what speaks against a line: an operator has said that it is well again.
func (h *health) forgive(now time.Duration) {
	h.returning, h.heldUntil, h.doublings, h.born = false, 0, 0, now
	clear(h.errors)
}

// erred counts an error, and says whether it is the one that makes the line sick.
func (h *health) erred(now time.Duration, good uint64, f *Failover) bool {
	// What was sent before the line fell sick may still time out: it is no news.
	if f.Errors == 0 || now < h.heldUntil {
		return false
	}
	if len(h.errors) != f.Errors {
		h.errors, h.next = make([]outcome, f.Errors), 0
	}
	h.errors[h.next] = outcome{now, good, true}
	h.next = (h.next + 1) % len(h.errors)
	oldest := h.errors[h.next]
	all := uint64(f.Errors) + good - oldest.good
	if !oldest.set || now-oldest.at > f.Within || uint64(f.Errors)*100 < all*uint64(f.Share) {
		return false
	}
	clear(h.errors)
	if h.heldUntil == 0 || now-h.heldUntil > 10*f.Hold {
		h.doublings = 0
	}
	h.heldUntil = now + f.Hold<<h.doublings
	h.doublings = min(h.doublings+1, maxDoublings)
	h.returning = true
	return true
}

// saw notes whether the line has a link signed on. One that comes back, or comes late, is not
// preferred before it has stood for a while, if another carries meanwhile.
func (h *health) saw(up, others bool, now time.Duration, f *Failover) {
	if up && !h.up && (h.returning || now-h.born > f.Hold) {
		h.returning = true
		if others {
			h.heldUntil = max(h.heldUntil, now+f.Hold)
		}
	}
	if !up && h.up {
		h.returning = true
	}
	h.up = up
}

// carry notes whether the line gets new requests first, and gives its limit and when that changes.
func (h *health) carry(carries bool, now time.Duration, window int64, f *Failover) (
	limit int64, next time.Duration,
) {
	if carries && !h.carrying && h.returning && f.SlowStart > 0 {
		h.ramping, h.rampFrom = true, now
	}
	h.carrying = carries
	h.ramping = h.ramping && carries
	if !h.ramping {
		return unlimited, 0
	}
	step := max(f.SlowStart/rampSteps, 1)
	done := int64((now-h.rampFrom)/step) + 1
	if done >= rampSteps {
		h.ramping, h.returning = false, false
		return unlimited, 0
	}
	return max(1, window*done/rampSteps), h.rampFrom + time.Duration(done)*step
}

// rank orders the links anew. Everything that changes the order calls it, the passing of time by a
// timer.
func (c *Center) rank() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, config := c.network.now(), c.config.Load()
	ready := make([]*Link, 0, len(c.Links()))
	for _, l := range c.Links() {
		if l.State() == SignedOn {
			ready = append(ready, l)
		}
	}
	for _, line := range c.Lines() {
		up := slices.ContainsFunc(ready, func(l *Link) bool { return l.line == line })
		others := slices.ContainsFunc(ready, func(l *Link) bool { return l.line != line })
		line.health.saw(up, others, now, &config.Failover)
	}
	place := func(l *Link) int {
		if l.misses.Load() > 0 || now < l.line.health.heldUntil {
			return l.line.config.Order + math.MaxInt32
		}
		return l.line.config.Order
	}
	slices.SortStableFunc(ready, func(a, b *Link) int { return cmp.Compare(place(a), place(b)) })
	tiers := tiersOf(ready, place)
	c.ranking.Store(&tiers)
	c.wakeAt(now, c.limits(now, config, tiers))
}

func tiersOf(ready []*Link, place func(*Link) int) [][]*Link {
	tiers := [][]*Link{}
	for i, l := range ready {
		if i == 0 || place(l) != place(ready[i-1]) {
			tiers = append(tiers, nil)
		}
		last := len(tiers) - 1
		tiers[last] = append(tiers[last], l)
	}
	return tiers
}

// limits sets how much each line may carry, and says when the ranks change next by time alone.
func (c *Center) limits(now time.Duration, config *CenterConfig, tiers [][]*Link) time.Duration {
	wake := time.Duration(0)
	sooner := func(at time.Duration) {
		if at > now && (wake == 0 || at < wake) {
			wake = at
		}
	}
	for _, line := range c.Lines() {
		h := &line.health
		carries := len(tiers) > 0 &&
			slices.ContainsFunc(tiers[0], func(l *Link) bool { return l.line == line })
		limit, next := h.carry(carries, now, int64(config.Window), &config.Failover)
		line.limit.Store(limit)
		sooner(next)
		if h.up {
			sooner(h.heldUntil)
		}
	}
	return wake
}

func (c *Center) wakeAt(now, wake time.Duration) {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if wake != 0 && !c.network.stopped() {
		c.timer = time.AfterFunc(wake-now, c.rank)
	}
}

package link

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/hsm/envelope"
	"cardswitch/spec"
)

// Center is one center with its lines. It stays the same value as long as its name is configured.
type Center struct {
	network *Network
	name    string
	role    Role
	config  atomic.Pointer[CenterConfig]

	window   atomic.Int64
	inFlight atomic.Int64
	turn     atomic.Uint32 // links of the same rank take turns
	ranking  atomic.Pointer[[][]*Link]
	terms    envelope.Terms // of the center, on whatever line

	mu    sync.Mutex
	lines atomic.Pointer[[]*Line] // changed under mu, as are links
	links atomic.Pointer[[]*Link]
	timer *time.Timer // for the next change of rank by time alone
}

func newCenter(n *Network, config *CenterConfig) *Center {
	c := &Center{network: n, name: config.Name, role: config.Role}
	c.lines.Store(&[]*Line{})
	c.links.Store(&[]*Link{})
	c.ranking.Store(&[][]*Link{})
	c.take(config)
	return c
}

// take makes the config the valid one; its lines are another matter.
func (c *Center) take(config *CenterConfig) {
	c.config.Store(config)
	c.window.Store(int64(config.Window))
}

// ID is the registry's number of the center.
func (c *Center) ID() uint16 { return c.config.Load().ID }

// Name is the configured one.
func (c *Center) Name() string { return c.name }

// Dialect is the configured one.
func (c *Center) Dialect() *spec.Dialect { return c.config.Load().Dialect }

// Role is the side it is on.
func (c *Center) Role() Role { return c.role }

// Lines are the configured links in their order. The slice is shared: don't change it.
func (c *Center) Lines() []*Line { return *c.lines.Load() }

// Links are the live connections, whatever their state. The slice is shared: don't change it.
func (c *Center) Links() []*Link { return *c.links.Load() }

// InFlight is how many requests Acquire counted on all links.
func (c *Center) InFlight() int { return int(c.inFlight.Load()) }

// Window is the bound of InFlight.
func (c *Center) Window() int { return int(c.window.Load()) }

// Takes tells whether a message of so many bytes fits into the frames of all its lines.
func (c *Center) Takes(size int) bool {
	for _, line := range c.Lines() {
		if f := &line.framing; len(f.header)+size > f.max {
			return false
		}
	}
	return true
}

// Best is the best link for a new request, nil if there is none: of those signed on the first by
// order, with sick and just returned ones behind the others. Links of equal rank take turns; one
// that is full, or starts slowly and has its share, is passed over.
func (c *Center) Best() *Link {
	for _, tier := range *c.ranking.Load() {
		if l := c.pick(tier); l != nil {
			return l
		}
	}
	return nil
}

// For is the best link for what must keep its order with all else of the same key, as of a card:
// of links of equal rank always the same one, while they are the same and it has room.
func (c *Center) For(key uint32) *Link {
	for _, tier := range *c.ranking.Load() {
		if l := c.pickFrom(tier, int(key)); l != nil {
			return l
		}
	}
	return nil
}

func (c *Center) pick(tier []*Link) *Link {
	turn := 0
	if len(tier) > 1 {
		turn = int(c.turn.Add(1))
	}
	return c.pickFrom(tier, turn)
}

func (c *Center) pickFrom(tier []*Link, turn int) *Link {
	if len(tier) > 1 {
		turn %= len(tier)
	} else {
		turn = 0
	}
	for i := range tier {
		l := tier[(turn+i)%len(tier)]
		if !l.dead.Load() && !l.congested.Load() && l.inFlight.Load() < l.line.limit.Load() {
			return l
		}
	}
	return nil
}

// add takes a fresh connection in, unless the line has enough or serves no more.
func (c *Center) add(l *Link) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, o := range *c.links.Load() {
		if o.line == l.line && !o.over() {
			n++
		}
	}
	switch {
	case l.line.held.Load() || l.line.removed.Load() || c.network.stopped():
		return NotServing
	case n >= l.line.config.MaxConnections:
		return TooMany
	}
	links := append(slices.Clone(*c.links.Load()), l)
	c.links.Store(&links)
	return nil
}

// endOlder ends the connections of older terms, once a newer one is proven: nothing that comes over
// them is taken in any more in any case.
func (c *Center) endOlder() {
	for _, l := range c.Links() {
		if l.over() {
			l.fail(OldTerm)
		}
	}
}

func (c *Center) remove(l *Link) {
	c.mu.Lock()
	l.line.totals.add(&l.counters)
	links := slices.DeleteFunc(slices.Clone(*c.links.Load()), func(o *Link) bool { return o == l })
	c.links.Store(&links)
	c.mu.Unlock()
	c.rank()
}

// stop cuts all links.
func (c *Center) stop() {
	c.mu.Lock()
	c.wakeAt(0, 0)
	links := c.Links()
	c.mu.Unlock()
	for _, l := range links {
		l.fail(Stopped)
	}
}

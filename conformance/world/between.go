package world

import (
	"sync"
	"time"

	"cardswitch/dr/replica/replicatest"
)

// between is the network that joins the nodes. It loses, delays and cuts, each way by itself.
type between struct {
	world *World
	net   *replicatest.Net

	mu   sync.Mutex
	loss int           // of 1000 messages
	slow time.Duration // more than the usual time
	ways map[[2]uint64]*passage
}

// passage is one way from one node to another.
type passage struct {
	class class
	draws drawer
	usual time.Duration
	cut   time.Time // nothing passes until then
	last  time.Time // when the newest arrives
}

// joinNodes lays the network between the nodes.
func (w *World) joinNodes() {
	b := &between{world: w, ways: map[[2]uint64]*passage{}}
	b.net = replicatest.New(b.fate)
	for _, from := range w.nodes {
		for _, to := range w.nodes {
			k, usual := classOfWay(from.place, to.place), w.options.Between
			if from.far || to.far {
				usual = w.options.Distance
			}
			b.ways[[2]uint64{from.id(), to.id()}] = &passage{class: k, usual: usual,
				draws: drawer{w.options.Seed, uint64(k)}}
		}
	}
	w.between, w.fencing = b, newFencing(w)
}

// fate is replicatest's. Order is kept, as over TCP.
func (b *between) fate(from, to uint64) []time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.world.nodes[from-1].generation.Load() != b.world.nodes[to-1].generation.Load() {
		return nil
	}
	way, now := b.ways[[2]uint64{from, to}], time.Now()
	draws := way.draws.at(now)
	if now.Before(way.cut) || draws.IntN(1000) < b.loss {
		return nil
	}
	late := way.usual/2 + time.Duration(draws.Int64N(int64(way.usual))) + b.slow
	late = b.world.clock.in(way.class, max(late, way.last.Sub(now)))
	way.last = now.Add(late)
	return []time.Duration{late}
}

// reach tells whether two nodes hear each other now.
func (b *between) reach(one, other *node) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	return !now.Before(b.ways[[2]uint64{one.id(), other.id()}].cut) &&
		!now.Before(b.ways[[2]uint64{other.id(), one.id()}].cut)
}

// cut lets nothing pass from one node to another for a while.
func (b *between) cut(from, to *node, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	way := b.ways[[2]uint64{from.id(), to.id()}]
	if until := time.Now().Add(d); until.After(way.cut) {
		way.cut = until
	}
}

// bad makes the whole network lose or delay, until it is called with nothing.
func (b *between) bad(loss int, slow time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loss, b.slow = loss, slow
}

func (b *between) heal() {
	b.bad(0, 0)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, way := range b.ways {
		way.cut = time.Time{}
	}
}

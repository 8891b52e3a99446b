package world

import (
	"math/rand/v2"
	"sync"
	"time"
)

// class is who makes something happen. The instants of a class are its own: their nanoseconds are
// the class, modulo classes. A millisecond is a multiple of that, so what is set in round times
// from an instant stays in its class.
type class int64

const (
	classes     = 64
	manyClasses = 320 // of a world of several nodes
	ofNodes     = 200 // and the next ones, one a node
	ofDisks     = ofNodes + maxNodes
	ofBetween   = ofDisks + maxNodes // and the next ones, one for each way between two nodes
	ofMore      = 240                // nodes, disks and ways of those that not every world has
)

// classOf is that of a node's own, of a kind that begins with one.
func classOf(kind class, place int) class {
	if place < maxNodes {
		return kind + class(place)
	}
	return ofMore + class(place) + (kind-ofNodes)/maxNodes*maxPlaces
}

// classOfWay is that of a way between two nodes.
func classOfWay(from, to int) class {
	if from < maxNodes && to < maxNodes {
		return ofBetween + class(from*maxNodes+to)
	}
	return ofMore + 2*maxPlaces + class(from*maxPlaces+to)
}

// The classes that are no wire's.
const (
	ofWorld class = iota // faults
	ofStart              // the switch's process, and so its ticks
	ofDisk
	ofShops // and the next ones, one a shop
	ofBanks = ofShops + maxShops
	ofWires = ofBanks + maxBanks // and the next ones, two a wire
)

// clock gives out instants, each once.
type clock struct {
	classes int64
	mu      sync.Mutex
	taken   map[int64]bool
}

// in is how long from now to the next free instant of a class that is at least d away.
func (c *clock) in(k class, d time.Duration) time.Duration {
	now := time.Now().UnixNano()
	at := now + max(int64(d), 1)
	at += ((int64(k)-at)%c.classes + c.classes) % c.classes
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.taken[at] {
		at += c.classes
	}
	c.taken[at] = true
	return time.Duration(at - now)
}

// drawer draws for an instant: whoever asks how often, at the same time the draws are the same.
type drawer struct{ seed, stream uint64 }

func (d drawer) at(t time.Time) *rand.Rand {
	return rand.New(rand.NewPCG(d.seed^d.stream<<56, uint64(t.UnixNano())))
}

// sleep waits for an instant of its own.
func (c *clock) sleep(k class, d time.Duration) { time.Sleep(c.in(k, d)) }

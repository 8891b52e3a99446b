package envelope

import (
	"sync"
	"sync/atomic"
)

// mostPending is how many generations may wait for one direction to come to them. An idle sender
// passes none, so the echo of an idle link is what moves it on.
const mostPending = 8

// pending are the generations that are installed and that one direction has not come to, in the
// order of their installation. One is never replaced: it goes when its direction has passed it.
// Install fills it from another goroutine; its half takes from it only at a change of key.
type pending struct {
	mu   sync.Mutex
	list []generation
}

type generation struct {
	number uint16
	secret secret
}

func (p *pending) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.list)
}

// add copies the secret.
func (p *pending) add(number uint16, s *secret) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.list == nil {
		p.list = make([]generation, 0, mostPending) // never moved, so no copies stay behind
	}
	p.list = append(p.list, generation{number, *s})
}

func (p *pending) has(number uint16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.find(number) >= 0
}

func (p *pending) find(number uint16) int {
	for i := range p.list {
		if p.list[i].number == number {
			return i
		}
	}
	return -1
}

// follow is the channel after c in that generation, nil if it is not pending.
func (p *pending) follow(c *channel, number uint16) *channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.find(number)
	if i < 0 {
		return nil
	}
	return c.following(number, &p.list[i].secret)
}

// pass drops a generation and all before it: the direction never goes back.
func (p *pending) pass(number uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := copy(p.list, p.list[p.find(number)+1:])
	clear(p.list[n:])
	p.list = p.list[:n]
}

func (p *pending) wipe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.list)
	p.list = nil
}

// orders are what other goroutines ask of the sealer. It looks at news, one atomic load, with each
// frame, and takes the lock only if there are any.
type orders struct {
	news    atomic.Bool
	mu      sync.Mutex
	target  uint16 // the generation to go on with
	turn    bool   // to target
	ratchet bool
	broken  bool // the opener refused a frame: nothing but an alert may leave
}

// place is where a half stands, for whoever watches.
type place struct{ packed atomic.Uint32 }

func (p *place) set(h *header) { p.packed.Store(uint32(h.generation)<<16 | uint32(h.epoch)) }

func (p *place) get() Position {
	v := p.packed.Load()
	return Position{uint16(v >> 16), uint16(v)}
}

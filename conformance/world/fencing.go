package world

import (
	"net"
	"sync"
	"time"
)

// fencing watches that one node is active at a time, as the centers see it: once one term's switch
// has sent a byte, none of an earlier term sends any, to whomever.
type fencing struct {
	world *World

	mu     sync.Mutex
	owners map[string]*duty // of connections, by the address that dialed
	newest *duty            // of those that have sent something
	heard  map[string]*duty // the newest by center
	taken  map[string]*duty // the newest of which a center has opened an envelope
	late   int              // writes that left after a pause, without the lease
}

func newFencing(w *World) *fencing {
	return &fencing{world: w, owners: map[string]*duty{}, heard: map[string]*duty{},
		taken: map[string]*duty{}}
}

func (f *fencing) own(dialed string, d *duty) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owners[dialed] = d
}

// spoke is asked as bytes of a duty leave its node; late, if it was paused after it had asked the
// fence. Those are the centers' to refuse.
func (f *fencing) spoke(d *duty, over string, late bool) {
	if late && !d.mayLeave() {
		f.world.tell("%s sends over %s in term %d, late", d.process.node, over, d.term)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.late++
		return
	}
	if !d.mayLeave() {
		f.world.say("%s sends over %s in term %d, without a lease", d.process.node, over, d.term)
	}
	f.mu.Lock()
	newest := f.newest
	if newest == nil || newest.older(d) {
		f.newest = d
	}
	f.mu.Unlock()
	// Whoever comes back from a lost site may speak until he hears of the other, to centers that
	// refuse him.
	if newest != nil && d.term < newest.term && d.generation == newest.generation {
		f.world.say("%s sends over %s in term %d, after %s has in term %d", d.process.node, over, d.term,
			newest.process.node, newest.term)
	}
}

// alone holds that nobody else may speak when a duty may.
func (f *fencing) alone(d *duty) {
	for _, n := range f.world.nodes {
		p := n.process()
		if p == nil || p == d.process {
			continue
		}
		if other := p.member.duty.Load(); other != nil && other.generation == d.generation &&
			other.mayLeave() && d.mayLeave() {
			f.world.say("%s may speak in term %d, and %s in term %d", n, other.term, d.process.node, d.term)
		}
	}
}

// came is asked as bytes come to a center. What is on its way when its sender is deposed may come
// late only where something holds it up.
func (f *fencing) came(center, dialed string) {
	f.mu.Lock()
	d, newest := f.owners[dialed], f.heard[center]
	if d != nil && (newest == nil || newest.older(d)) {
		f.heard[center] = d
	}
	f.mu.Unlock()
	if d != nil && newest != nil && d.term < newest.term && d.generation == newest.generation &&
		f.world.options.prompt() {
		f.world.say("%s hears %s of term %d, after %s of term %d", center, d.process.node, d.term,
			newest.process.node, newest.term)
	}
}

// older tells whether another duty has come since.
func (d *duty) older(than *duty) bool {
	return d.generation < than.generation || d.generation == than.generation && d.term < than.term
}

// took is asked as a center has opened an envelope: nothing of an earlier term may come out of one,
// however late it comes, nor of a site that was lost.
func (f *fencing) took(center, dialed string) {
	f.mu.Lock()
	d, newest := f.owners[dialed], f.taken[center]
	if d != nil && (newest == nil || newest.older(d)) {
		f.taken[center] = d
	}
	f.mu.Unlock()
	if d != nil && newest != nil && d.older(newest) {
		f.world.violation("%s takes what %s says in term %d, after %s in term %d", center,
			d.process.node, d.term, newest.process.node, newest.term)
	}
}

// allHeard tells whether all centers have taken something of a generation.
func (f *fencing) allHeard(generation uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.world.shops {
		if d := f.taken[p.name]; d == nil || d.generation < generation {
			return false
		}
	}
	for _, b := range f.world.banks {
		if d := f.taken[b.name]; d == nil || d.generation < generation {
			return false
		}
	}
	return true
}

// center makes an end of a connection that of a center.
func (w *World) center(conn net.Conn, name string) net.Conn {
	if w.fencing == nil {
		return conn
	}
	e := conn.(*end)
	e.hear = func() { w.fencing.came(name, e.dialed()) }
	return e
}

// dialed is the address that dialed the connection.
func (e *end) dialed() string {
	if e.side() == 1 {
		return e.RemoteAddr().String()
	}
	return e.LocalAddr().String()
}

// prompt tells whether whatever leaves arrives within a few milliseconds.
func (o Options) prompt() bool {
	return !o.Windows && !o.Stalls && !o.Deaf && !o.Splits && !o.Mute && o.Latency < 3*time.Millisecond
}

package world

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"cardswitch/store"
)

// gate is a place where a paused process is held up.
//
// A paused process takes no step, as after SIGSTOP or on a machine that is: its sockets stay open,
// bytes wait in its buffers, and when it goes on time has passed. Goroutines can't be stopped in a
// bubble, but each can be held up where a step of it could be noticed, which a scheduler may do to
// any of them. So all that others see of it is what a paused process may do. When it goes on, the
// gates open one after the other, in any order.
type gate int

const (
	ofTicks    gate = iota // the agreement looks at the clock
	ofMessages             // from and to other nodes
	ofReads                // bytes and connections come, and others end
	ofWrites               // bytes leave: who waits here has asked the fence before
	ofFence                // who wants to send asks whether he may
	gates
)

// pausing is what holds up one process.
type pausing struct {
	mu     sync.Mutex
	shut   [gates]chan struct{} // nil: open
	waits  [gates]int           // who wait there
	closes []func()             // of sockets, once it goes on
}

// stop shuts a gate.
func (p *pausing) stop(g gate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut[g] == nil {
		p.shut[g] = make(chan struct{})
	}
}

// open lets go on who waits at a gate.
func (p *pausing) open(g gate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut[g] != nil {
		close(p.shut[g])
		p.shut[g] = nil
	}
	if g != ofReads {
		return
	}
	for _, do := range p.closes {
		time.AfterFunc(time.Microsecond, do) // a write that waits was first
	}
	p.closes = nil
}

// pass waits while a gate is shut, and tells whether it was.
func (p *pausing) pass(g gate) (held bool) {
	for {
		c := p.comes(g)
		if c == nil {
			return held
		}
		held = true
		<-c
		p.goes(g)
	}
}

// comes gives what somebody waits for at a gate; nil: it is open.
func (p *pausing) comes(g gate) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut[g] != nil {
		p.waits[g]++
	}
	return p.shut[g]
}

func (p *pausing) goes(g gate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waits[g]--
}

// waiting is how many wait at a gate.
func (p *pausing) waiting(g gate) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waits[g]
}

// later does something to a socket now, or once the process goes on: who closes may hold what
// others want.
func (p *pausing) later(do func() error) error {
	p.mu.Lock()
	if p.shut[ofReads] == nil {
		p.mu.Unlock()
		return do()
	}
	defer p.mu.Unlock()
	p.closes = append(p.closes, func() { _ = do() })
	return nil
}

// stops tells whether a gate is shut.
func (p *pausing) stops(g gate) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shut[g] != nil
}

// paused tells whether a process stands still, wholly or in part.
func (p *process) paused() bool {
	for g := range gates {
		if p.pausing.stops(g) {
			return true
		}
	}
	return false
}

// stand holds a process up.
func (p *process) stand() {
	for g := range gates {
		p.pausing.stop(g)
	}
	p.member.port.Hold()
}

// proceed lets a process go on at one gate.
func (p *process) proceed(g gate) {
	p.pausing.open(g)
	if g == ofMessages && p.member != nil {
		p.member.port.Release()
	}
}

// wake lets a process go on.
func (p *process) wake() {
	for g := range gates {
		p.proceed(g)
	}
}

// pause has a node stand still for a while.
func (w *World) pause(r *rand.Rand) {
	n := w.victim(r)
	d := time.Duration(50+r.IntN(2500)) * time.Millisecond
	hangs, order := r.IntN(2) == 0, r.Perm(int(gates))
	window := w.options.Windows && r.IntN(5) > 0
	if active, _ := w.active(); window && active != nil {
		n = active
	}
	p := n.process()
	if p == nil || p.paused() {
		return
	}
	if window {
		w.inTheWindow(p, time.Duration(r.IntN(30))*time.Millisecond)
	}
	if p.dead.Load() {
		return
	}
	w.tell("%s is paused for %v", n, d)
	p.stand()
	if hangs { // it doesn't hear what its disk has answered
		n.mu.Lock()
		n.hangs = time.Now().Add(d)
		n.mu.Unlock()
	}
	w.goesOn(p, d, order, r)
}

// inTheWindow waits until somebody is past the fence, and not yet at his write, and for more of
// them. The rest of the process is paused then; they write when it goes on, whoever is active by
// then.
func (w *World) inTheWindow(p *process, more time.Duration) {
	p.pausing.stop(ofWrites)
	for range 100 {
		if p.pausing.waiting(ofWrites) > 0 {
			w.tell("%s is about to write", p.node)
			break
		}
		w.clock.sleep(ofWorld, 5*time.Millisecond)
	}
	w.clock.sleep(ofWorld, more)
}

// goesOn opens the gates after a while, in an order that was drawn. Who asks the fence comes to his
// write after those who wait there, as otherwise he were one of them.
func (w *World) goesOn(p *process, d time.Duration, order []int, r *rand.Rand) {
	write, fence := slices.Index(order, int(ofWrites)), slices.Index(order, int(ofFence))
	if fence < write {
		order[write], order[fence] = order[fence], order[write]
	}
	w.after(ofWorld, d, func() { w.trace.add("%s goes on", p.node) })
	for _, g := range order {
		d += time.Duration(r.IntN(1500)) * time.Microsecond
		w.after(ofWorld, d, func() { p.proceed(gate(g)) })
	}
}

// asked is what the switch asks before it sends.
func (d *duty) asked() bool {
	p := &d.process.pausing
	if p.stops(ofFence) && within("(*socket).Write") { // who closes may hold what others want
		p.pass(ofFence)
	}
	return d.mayLeave()
}

// within tells whether the caller was called by a function, be it through others.
func within(name string) bool {
	var callers [16]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, name) {
			return true
		}
		if !more {
			return false
		}
	}
}

// paced is a journal whose process may be paused: the agreement looks at it with each tick.
type paced struct {
	*store.Store
	pausing *pausing
}

// Failed is replica.Machine's.
func (p paced) Failed() <-chan struct{} {
	if p.pausing.stops(ofTicks) && within("(*Replica).ticks") {
		p.pausing.pass(ofTicks)
	}
	return p.Store.Failed()
}

package world

import (
	"math/rand/v2"
	"time"
)

// The faults that only several nodes have.

// split cuts a node off: from the other nodes, from the centers, or from all; both ways, or so that
// it only hears or only speaks.
func (w *World) split(r *rand.Rand) {
	n, from, way := w.victim(r), r.IntN(4), r.IntN(4)
	d := time.Duration(50+r.IntN(3000)) * time.Millisecond
	hears, speaks := way == 1, way == 2
	w.tell("%s is cut off %s for %v: %s", n,
		[]string{"from the nodes", "from the centers", "from all", "from one node"}[from], d,
		[]string{"both ways", "it only hears", "it only speaks", "both ways"}[way])
	other := w.nodes[r.IntN(len(w.nodes))]
	for _, o := range w.nodes {
		if o == n || from == 1 || from == 3 && o != other {
			continue
		}
		if !speaks {
			w.between.cut(n, o, d)
		}
		if !hears {
			w.between.cut(o, n, d)
		}
	}
	if from == 0 || from == 3 {
		return
	}
	for _, c := range n.cables {
		c.hold(n.side(c), d, !speaks, !hears)
	}
}

// side is which end of a cable is the node's: 0 where it dials.
func (n *node) side(c *cable) int {
	if c.listens {
		return 1
	}
	return 0
}

// hold lets nothing arrive for a while of what an end sends, or of what is sent to it.
func (w *cable) hold(side int, d time.Duration, out, in bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	until := time.Now().Add(d)
	if out {
		w.ways[side].until = until
	}
	if in {
		w.ways[1-side].until = until
	}
}

// twice hurts whoever takes over from a node whose power is cut.
func (w *World) twice(r *rand.Rand) {
	w.crash(r)
	w.clock.sleep(ofWorld, time.Duration(r.IntN(900))*time.Millisecond)
	if r.IntN(2) == 0 {
		w.crash(r)
		return
	}
	w.split(r)
}

// dark cuts the power of all nodes at once.
func (w *World) dark(r *rand.Rand) {
	w.tell("the power of all nodes is cut")
	for _, n := range w.nodes {
		n.cut()
		w.rise(n, r)
	}
}

// hang has a disk answer nothing for a while.
func (w *World) hang(r *rand.Rand) {
	n, d := w.victim(r), time.Duration(50+r.IntN(2500))*time.Millisecond
	w.tell("the disk of %s hangs for %v", n, d)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hangs = time.Now().Add(d)
}

// lose makes the network between the nodes lose or delay for a while.
func (w *World) lose(r *rand.Rand) {
	loss, slow := r.IntN(300), time.Duration(r.IntN(150))*time.Millisecond
	if r.IntN(2) == 0 {
		slow = 0
	}
	w.tell("of 1000 messages between nodes %d are lost, and all take %v longer", loss, slow)
	w.between.bad(loss, slow)
	w.after(ofWorld, time.Duration(100+r.IntN(2500))*time.Millisecond, func() {
		w.between.bad(0, 0)
	})
}

// transfer has an operator let another node lead.
func (w *World) transfer(r *rand.Rand) {
	n, _ := w.active()
	if n == nil {
		return
	}
	to := uint64(0)
	if r.IntN(2) == 0 {
		to = w.nodes[r.IntN(len(w.nodes))].id()
	}
	w.tell("an operator has %s hand over to %d", n, to)
	loop := n.loop.Load()
	w.parties.Go(func() {
		if err := loop.Transfer(to); err != nil {
			w.tell("it doesn't: %v", err)
		}
	})
}

// drift sets the clock of a node. The switch that it makes next goes by it.
func (w *World) drift(r *rand.Rand) {
	n, by := w.victim(r), time.Duration(r.Int64N(int64(20*time.Second)))-10*time.Second
	w.tell("the clock of %s is set by %v", n, by)
	n.step(by)
}

// blink has a node lose its power again and again for a moment, while the active one and a third
// don't hear each other: only what it has promised before keeps it from letting the third lead.
func (w *World) blink(r *rand.Rand) {
	n, _ := w.active()
	if n == nil {
		return
	}
	third := w.nodes[(n.place+1)%len(w.nodes)]
	blinks := w.nodes[(n.place+2)%len(w.nodes)]
	if third.witness {
		third, blinks = blinks, third
	}
	w.tell("%s and %s don't hear each other, and %s blinks", n, third, blinks)
	w.between.cut(n, third, time.Second)
	w.between.cut(third, n, time.Second)
	for range 6 {
		w.clock.sleep(ofWorld, time.Duration(50+r.IntN(150))*time.Millisecond)
		blinks.cut()
		w.clock.sleep(ofWorld, time.Duration(1+r.IntN(20))*time.Millisecond)
		if blinks.process() == nil && !blinks.isOff() {
			w.start(blinks)
		}
	}
}

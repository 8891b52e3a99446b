package world

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"cardswitch/store"
)

// The far site: a node that learns, a long way off. When all others are lost an operator lets it go
// on alone, in a new generation. The site is lost here at a moment when the far one has all that
// ever left, so that every promise must hold across it: what a site may miss is the drills' to
// show. The lost nodes come back, and may not be heard: they stop when they hear of the other
// generation, and until then centers refuse them.

// generation is the newest of any node.
func (w *World) generation() (newest uint64) {
	for _, n := range w.nodes {
		newest = max(newest, n.generation.Load())
	}
	return newest
}

// far is the node at the far site; nil: there is none.
func (w *World) far() *node {
	for _, n := range w.nodes {
		if n.far {
			return n
		}
	}
	return nil
}

// aloneAgain is how long the lost nodes may believe that they are alone, once they come back.
const aloneAgain = 3 * time.Second

// siteIsLost draws when the site is, when the far one is promoted, and when the lost come back.
func (w *World) siteIsLost() []event {
	r := w.stream("site")
	at := func(least, most int) time.Duration {
		return time.Duration(least+r.IntN(most)) * time.Millisecond
	}
	lost := 300*time.Millisecond + time.Duration(r.Int64N(int64(w.options.Span)))
	promoted := lost + at(100, 1500)
	back := promoted + at(500, 3000)
	own := rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
	return []event{{lost, w.loseSite}, {promoted, w.promote}, {back, func() { w.comeBack(own) }},
		{back + aloneAgain/3, w.stumble}, {back + 2*aloneAgain/3, w.stumble}, {back + aloneAgain, nil}}
}

// loseSite cuts the power of all nodes but the far one, for good.
func (w *World) loseSite() {
	far := w.far()
	for range 3000 {
		if far.hasAll() {
			break
		}
		w.clock.sleep(ofWorld, time.Millisecond)
	}
	if !far.hasAll() {
		w.tell("the far site is behind")
		return
	}
	w.tell("the site is lost")
	for _, n := range w.nodes {
		if n != far && !n.isOut() {
			n.lose()
			n.cut()
		}
	}
}

func (n *node) lose() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost, n.out = true, true
}

func (n *node) isLost() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lost
}

// hasAll tells whether the far node has all that the active one has let go.
func (n *node) hasAll() bool {
	active, _ := n.world.active()
	p := n.process()
	if active == nil || active == n || p == nil {
		return false
	}
	last, err := p.member.store.Log().LastIndex()
	return err == nil && last >= active.process().member.replica.Status().Applied
}

// promote lets the far site go on alone, if the other one is lost.
func (w *World) promote() {
	n := w.far()
	if w.generation() > 1 || !w.lostSite() {
		return
	}
	for n.process() == nil && !w.broke() {
		w.look()
		w.clock.sleep(ofWorld, 50*time.Millisecond)
	}
	if w.broke() {
		return
	}
	n.process().wake()
	if err := n.end(); err != nil {
		w.tell("%s ended with %v", n, err)
	}
	o := n.config.StoreOptions()
	o.FS = n.diskNow().FS()
	s, err := store.Open(o)
	if err == nil {
		err = errors.Join(s.Promote(store.Promotion{Generation: 2, At: time.Now()}), s.Close())
	}
	if err != nil {
		w.say("%s can't be promoted: %v", n, err)
		return
	}
	w.tell("%s is promoted", n)
	n.generation.Store(2)
	w.start(n)
}

// lostSite tells whether the site is lost.
func (w *World) lostSite() bool {
	for _, n := range w.nodes {
		if n.isLost() {
			return true
		}
	}
	return false
}

// comeBack has the lost nodes come back. Where all centers have heard of the new generation's term
// in an envelope, they may be cut off from the promoted one for a while, and lead. Elsewhere it is
// for people to know that none of them serves before it has heard of the promotion.
func (w *World) comeBack(r *rand.Rand) {
	far, d := w.far(), aloneAgain-time.Duration(r.IntN(2500))*time.Millisecond
	if w.generation() < 2 {
		return
	}
	apart := r.IntN(4) > 0 && w.options.Sealed && w.fencing.allHeard(2)
	w.apart.Store(apart)
	w.tell("the lost nodes come back")
	for _, n := range w.nodes {
		if !n.isLost() {
			continue
		}
		if apart {
			w.between.cut(n, far, d)
			w.between.cut(far, n, d)
		}
		n.setOut(false)
	}
	w.look()
}

// stumble has the one of the lost nodes that leads restart, so that their terms rise.
func (w *World) stumble() {
	newest := w.generation()
	for _, n := range w.nodes {
		p := n.process()
		if p == nil || n.generation.Load() == newest || p.serves() == nil {
			continue
		}
		w.tell("%s stumbles", n)
		n.cut()
		w.start(n)
		return
	}
}

var (
	errSuperseded = errors.New("another site was promoted")
	errAdopts     = errors.New("this node begins in the promoted site's generation")
)

// greets ends a node's part once it hears of a later generation, as the program's does when nodes
// greet one another. One that has nothing yet takes it.
func (m *member) greets(ctx context.Context) {
	n := m.process.node
	w := n.world
	for ctx.Err() == nil {
		for _, other := range w.nodes {
			if other.generation.Load() <= n.generation.Load() ||
				w.apart.Load() && (other.process() == nil || !w.between.reach(n, other)) {
				continue
			}
			why := errSuperseded
			if m.replica.Status().Applied == 0 {
				why = errAdopts
			}
			m.replica.End(why)
			return
		}
		w.clock.sleep(classOf(ofNodes, n.place), 20*time.Millisecond)
	}
}

package world

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// draw gives the faults of the first phase.
func (w *World) draw() []event {
	o, r := w.options, w.stream("faults")
	var list []event
	some := func(on bool, most int, do func(r *rand.Rand)) {
		if !on {
			return
		}
		for range 1 + r.IntN(most) {
			own := rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
			list = append(list, event{300*time.Millisecond + time.Duration(r.Int64N(int64(o.Span))),
				func() { do(own) }})
		}
	}
	some(o.Cuts, 4, w.tear)
	some(o.Stalls, 2, w.stall)
	some(o.Mute, 2, w.silence)
	some(o.Deaf, 3, w.deafen)
	some(o.Crashes, 2, w.crash)
	some(o.AtSync, 2, w.crashAtSync)
	some(o.FailDisk, 1, w.breakDisk)
	some(o.FullDisk, 2, w.fillDisk)
	some(o.Outages, 2, w.outage)
	some(o.SignOffs, 2, w.signOff)
	some(o.Audits, 2, func(*rand.Rand) { w.audit() })
	some(o.Reloads, 3, w.reload)
	some(o.Cutovers, 3, w.cutOver)
	some(o.Rekeys, 3, w.rekey)
	some(o.Stops, 1, w.stopAndStart)
	some(o.Lists, 8, w.list)
	some(o.Slices, 4, w.checkpoint)
	some(o.Splits, 6, w.split)
	some(o.Twice, 2, w.twice)
	some(o.Dark, 1, w.dark)
	some(o.Hangs, 3, w.hang)
	some(o.Lossy, 3, w.lose)
	some(o.Transfers, 3, w.transfer)
	some(o.Drifts, 3, w.drift)
	some(o.Blinks, 3, w.blink)
	some(o.Pauses, 4, w.pause)
	some(o.Joins, 1, w.join)
	some(o.Leaves, 2, w.leave)
	if o.Lost {
		list = append(list, w.siteIsLost()...)
	}
	return list
}

// tell notes what happens to the world.
func (w *World) tell(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace.add(format, args...)
}

func (w *World) cable(r *rand.Rand) *cable {
	return w.network.order[r.IntN(len(w.network.order))]
}

func (w *World) tear(r *rand.Rand) {
	c, side, bytes := w.cable(r), r.IntN(2), 1+r.IntN(600)
	w.tell("the cable %s breaks after %d bytes from side %d", c.name, bytes, side)
	c.tear(side, bytes)
}

func (w *World) stall(r *rand.Rand) {
	c, d := w.cable(r), time.Duration(100+r.IntN(6000))*time.Millisecond
	w.tell("the cable %s stands still for %v", c.name, d)
	c.stall(d)
}

func (w *World) silence(r *rand.Rand) {
	c, side := w.cable(r), r.IntN(2)
	w.tell("the cable %s is mute from side %d", c.name, side)
	c.silence(side)
}

// deafen has one party read nothing for a while.
func (w *World) deafen(r *rand.Rand) {
	d := time.Duration(500+r.IntN(5000)) * time.Millisecond
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*session
	for _, p := range w.shops {
		all = append(all, p.sessions...)
	}
	for _, b := range w.banks {
		all = append(all, b.sessions...)
	}
	if s := all[r.IntN(len(all))]; s != nil {
		w.trace.add("a party reads nothing on line %d for %v", s.line, d)
		s.deaf = time.Now().Add(d)
	}
}

// victim is the node that a fault hurts: often the active one.
func (w *World) victim(r *rand.Rand) *node {
	if !w.options.several() {
		return w.nodes[0]
	}
	if n, _ := w.active(); n != nil && r.IntN(5) < 3 {
		return n
	}
	return w.nodes[r.IntN(len(w.nodes))]
}

// crash cuts the power now.
func (w *World) crash(r *rand.Rand) {
	n := w.victim(r)
	if n.process() == nil {
		return
	}
	w.tell("the power%s is cut", n.ofWhom())
	n.cut()
	w.rise(n, r)
}

// rise has the machine on again after a while, perhaps with its clock set. A node alone is waited
// for.
func (w *World) rise(n *node, r *rand.Rand) {
	if w.options.Steps {
		n.step(time.Duration(r.Int64N(int64(20*time.Second))) - 10*time.Second)
	}
	d := time.Duration(1+r.IntN(1500)) * time.Millisecond
	if w.options.several() {
		w.riseLater(n, d)
		return
	}
	w.clock.sleep(ofWorld, d)
	w.start(n)
}

// crashAtSync cuts the power as one of the next batches is about to be synced.
func (w *World) crashAtSync(r *rand.Rand) {
	at := w.victim(r)
	if at.process() == nil {
		return
	}
	n, done, disk := 1+r.IntN(40), make(chan struct{}, 1), at.diskNow()
	w.tell("the power%s will be cut at sync %d", at.ofWhom(), n)
	disk.OnSync(func() {
		if n--; n == 0 {
			at.cut()
			done <- struct{}{}
		}
	})
	select {
	case <-done:
		w.clock.sleep(ofWorld, time.Millisecond)
		w.tell("the power was cut")
		w.rise(at, r)
	case <-time.After(w.clock.in(ofWorld, 2*time.Second)):
		disk.OnSync(nil)
	}
}

func (w *World) breakDisk(r *rand.Rand) {
	n := w.victim(r)
	w.tell("the disk%s breaks", n.ofWhom())
	n.diskNow().Break()
}

// fillDisk fills the disk: to where the switch takes no new requests, to where it commits nothing,
// or to the last byte.
func (w *World) fillDisk(r *rand.Rand) {
	n := w.victim(r)
	disk, free := n.diskNow(), []uint64{800 << 20, 300 << 20, 0}[r.IntN(3)]
	w.tell("the disk%s has %d MB left", n.ofWhom(), free>>20)
	disk.Free(free + 1)
	if free == 0 {
		disk.Fill()
	}
	d := time.Duration(200+r.IntN(3000)) * time.Millisecond
	w.after(ofWorld, d, func() { disk.Free(1 << 40) })
}

// outage takes an issuer away for a while.
func (w *World) outage(r *rand.Rand) {
	b, d := w.banks[r.IntN(len(w.banks))], time.Duration(200+r.IntN(5000))*time.Millisecond
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace.add("%s is away for %v", b.name, d)
	b.leave()
	w.after(b.timed, d, func() { b.away = false })
}

// signOff lets an issuer sign off, and on again.
func (w *World) signOff(r *rand.Rand) {
	b, d := w.banks[r.IntN(len(w.banks))], time.Duration(100+r.IntN(2000))*time.Millisecond
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace.add("%s signs off for %v", b.name, d)
	b.tell("802")
	w.after(b.timed, d, func() { b.tell("801") })
}

// audit reads the journal from what the disk would have kept, had its power been cut now.
func (w *World) audit() {
	if w.options.several() {
		w.auditMajority()
		return
	}
	if w.down() {
		return
	}
	b, err := w.nodes[0].audit()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.violation("the journal can't be read from what the disk keeps: %v", err)
		return
	}
	for _, what := range w.witness.compare(b) {
		w.violation("a power cut now would lose that %s", what)
	}
	w.trace.add("audited: %d sent, %d answered", len(w.witness.sent), len(w.witness.replies))
}

// reload has the configuration read again, perhaps another one: of a bank with one link less, or
// with other times.
func (w *World) reload(r *rand.Rand) {
	n, sw := w.active()
	if sw == nil {
		return
	}
	c := n.config
	if w.options.Changes {
		c.Centers = slices.Clone(c.Centers)
		bank := &c.Centers[len(c.Centers)-1]
		switch r.IntN(3) {
		case 0:
			bank.Links = bank.Links[:1]
		case 1:
			bank.Links = bank.Links[1:]
		case 2:
			bank.AnswerTime, bank.Window = bankTime/2, 3
		}
	}
	w.tell("the configuration is read again")
	if err := sw.Reload(c); err != nil && !w.options.several() {
		w.say("the configuration isn't taken: %v", err)
	}
}

// stopAndStart stops the switch in order, and starts it.
func (w *World) stopAndStart(r *rand.Rand) {
	n := w.victim(r)
	if n.process() == nil {
		return
	}
	w.tell("%s is to stop", n)
	if err := n.end(); err != nil {
		w.tell("it ended with %v", err)
	}
	w.tell("%s has stopped", n)
	w.clock.sleep(ofWorld, time.Duration(1+r.IntN(1000))*time.Millisecond)
	w.start(n)
}

// tell sends network management over every link.
func (b *bank) tell(function string) {
	for _, s := range b.sessions {
		if s.gone || b.world.options.Warm && !s.heard {
			continue
		}
		b.stan++
		s.send(build("1804", elements{11: fmt.Sprintf("%06d", b.stan), 12: localTime(time.Now()),
			24: function, 93: institution, 94: b.id}))
		s.on = function == "801"
	}
}

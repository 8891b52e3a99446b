package world

import (
	"cmp"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"cardswitch/conformance/count"
	"cardswitch/conformance/ledger"
	"cardswitch/store"
	cardswitch "cardswitch/switch"
)

// event is something that happens to the world from outside.
type event struct {
	at time.Duration
	do func()
}

// play runs both phases: faults, then none, until all is done or too much time has passed.
func (w *World) play() {
	for _, n := range w.nodes {
		if !n.isOut() && !w.start(n) {
			return
		}
	}
	w.workload()
	w.follow(w.draw(), w.options.Span+2*time.Second)
	w.heal()
	for began := time.Now(); !w.broke() && !w.settled(); w.clock.sleep(ofWorld, 250*time.Millisecond) {
		w.look()
		if time.Since(began) > healTime {
			w.undrained()
			break
		}
	}
	w.stallEnds()
	if !w.broke() {
		w.closeDays()
	}
	if w.broke() {
		return
	}
	w.check()
	w.sameEverywhere()
	w.clock.sleep(ofWorld, time.Millisecond)
	n, _ := w.active()
	if n == nil {
		w.say("nobody is active in the end")
		return
	}
	w.mu.Lock()
	w.trace.add("the switch is stopped")
	w.mu.Unlock()
	if err := n.end(); err != nil {
		w.say("the switch ends with %v", err)
	}
}

// stallEnds waits until no write can hang any more that came in the first phase: a switch may still
// give up for one, and starts again then.
func (w *World) stallEnds() {
	if !w.options.SlowDisk {
		return
	}
	for began := time.Now(); time.Since(began) < longStall || w.down() && !w.broke(); {
		w.clock.sleep(ofWorld, 250*time.Millisecond)
		w.look()
	}
}

// down tells whether nobody serves.
func (w *World) down() bool {
	_, sw := w.active()
	return sw == nil
}

// faulty tells whether it is the first phase.
func (w *World) faulty() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.faults
}

// say notes a violation from outside the parties.
func (w *World) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violation(format, args...)
}

func (w *World) broke() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.broken) > 0
}

// start switches a machine on. One that is alone comes up with a journal that is held against what
// left.
func (w *World) start(n *node) bool {
	k := ofStart
	if w.options.several() {
		k = classOf(ofNodes, n.place)
	}
	if n.isOut() {
		return false
	}
	w.clock.sleep(k, time.Millisecond)
	err := n.start()
	if errors.Is(err, store.ErrStalled) { // it is started again, as by the service manager
		w.tell("the disk is too slow to start: %v", err)
		n.replaceDisk()
		return w.start(n)
	}
	if err != nil {
		w.say("%s can't start: %v", n, err)
		return false
	}
	w.mu.Lock()
	w.trace.add("%s starts", n)
	w.mu.Unlock()
	w.clock.sleep(ofWorld, time.Microsecond)
	if p := n.process(); !w.options.several() {
		w.compare("after a start", p.sw.Journal())
	}
	return true
}

// compare holds a journal against what left.
func (w *World) compare(when string, journal *store.Store) {
	b, err := readBooks(journal)
	if err != nil {
		w.say("%s the journal can't be read: %v", when, err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, what := range w.witness.compare(b) {
		w.violation("%s the journal doesn't know that %s", when, what)
	}
	// Merchants are not let in yet, or all have what they want.
	for _, txn := range slices.Sorted(maps.Keys(b.open)) {
		w.violation("%s transaction %d, %s, has no end", when, txn, b.rrns[txn])
	}
}

// workload has the shops begin their sales.
func (w *World) workload() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.shops {
		for i := range p.world.options.Lines {
			w.parties.Go(func() { p.keep(i, w.addresses(p, i)) })
		}
	}
	r := w.stream("workload")
	crowd := time.Duration(r.Int64N(int64(w.options.Span)))
	for range w.options.Sales {
		p := w.shops[r.IntN(len(w.shops))]
		at := time.Duration(r.Int64N(int64(w.options.Span)))
		if w.options.Flood && r.IntN(3) > 0 {
			at = crowd + time.Duration(r.IntN(20))*time.Millisecond
		}
		w.after(p.timed, 400*time.Millisecond+at, p.begin)
	}
}

// follow lets the events come, each at its time, and ends with the first phase.
func (w *World) follow(events []event, span time.Duration) {
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	began := time.Now()
	for _, e := range append(events, event{at: span}) {
		w.clock.sleep(ofWorld, e.at-time.Since(began))
		w.look()
		if w.broke() {
			return
		}
		if e.do != nil {
			e.do()
		}
	}
}

// look sees whether the switch has ended by itself, and starts it again as the machine's service
// manager would.
func (w *World) look() {
	for _, n := range w.nodes {
		if n.isOff() || n.isOut() {
			continue
		}
		p := n.process()
		if p == nil {
			w.start(n)
			continue
		}
		select {
		case err := <-p.ended:
			w.mu.Lock()
			w.trace.add("%s has ended: %v", n, err)
			if err != nil && strings.Contains(err.Error(), "the agreement failed") {
				w.violation("%s has lost what it had promised to keep: %v", n, err)
			}
			w.mu.Unlock()
			n.died(err)
			n.setOut(errors.Is(err, errSuperseded))
		default:
			if sw := p.serves(); sw != nil && !p.paused() && n.generation.Load() == w.generation() {
				w.operate(sw)
			}
		}
	}
}

// operate is what an operator does about the work list: all is sent again.
func (w *World) operate(sw *cardswitch.Switch) {
	list, err := sw.WorkList()
	if err != nil {
		w.tell("the work list can't be read: %v", err)
	}
	for _, o := range list {
		w.tell("an operator has %d of %s sent again", o.STAN, o.Center)
		err := sw.Resolve(o.ID, cardswitch.Resolution{Act: "retry", Who: "operator", Why: "a test"})
		if err != nil {
			w.tell("it can't be: %v", err)
		}
	}
}

// heal ends all faults.
func (w *World) heal() {
	w.mu.Lock()
	w.faults = false
	w.trace.add("the faults stop")
	for _, b := range w.banks {
		b.away = false
	}
	w.mu.Unlock()
	for _, c := range w.network.order {
		c.heal()
	}
	w.healNodes()
	n, sw := w.active()
	if sw != nil && w.options.Changes {
		if err := sw.Reload(n.config); err != nil && !w.options.several() {
			w.say("the first configuration isn't taken again: %v", err)
		}
	}
}

// healNodes ends what is wrong with the machines.
func (w *World) healNodes() {
	if w.between != nil {
		w.between.heal()
	}
	for _, n := range w.nodes {
		n.mu.Lock()
		n.hangs = time.Time{}
		n.mu.Unlock()
		if p := n.process(); p != nil {
			p.wake()
			n.diskNow().Free(1 << 40)
		}
	}
}

// settled tells whether nothing is left to be done by anybody.
func (w *World) settled() bool {
	_, sw := w.active()
	if sw == nil {
		return false
	}
	status := sw.Status()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.shops {
		for _, s := range p.sales {
			if !s.done() {
				return false
			}
		}
	}
	return status.Open == 0 && status.Owed == 0 && status.Shelved == 0
}

// undrained says what is left, of what should not be.
func (w *World) undrained() {
	_, sw := w.active()
	if sw == nil {
		w.say("no switch serves")
		return
	}
	status := sw.Status()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violation("not drained: %d open, %d owed, %d shelved", status.Open, status.Owed, status.Shelved)
	for _, p := range w.shops {
		for _, s := range p.sales {
			if !s.done() {
				w.violation("not done: %s %s %v, ask %+v undo %+v", p.name, s.rrn, s.business, s.ask, s.undo)
			}
		}
	}
}

// check lays the three books side by side.
func (w *World) check() {
	_, sw := w.active()
	if sw == nil {
		w.say("nobody serves in the end")
		return
	}
	w.compare("in the end", sw.Journal())
	entries, err := count.FromJournal(sw.Journal(), nil)
	if err != nil {
		w.say("the journal can't be counted: %v", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	books := count.Books{Switch: entries, Issuers: map[string][]ledger.Posting{}}
	for _, p := range w.shops {
		for _, s := range p.sales {
			books.Receipts = append(books.Receipts, s.receipt())
		}
	}
	for _, b := range w.banks {
		books.Issuers[b.name] = b.postings()
	}
	report := books.Count()
	for _, d := range report.Differences {
		w.violation("%s %s: %s", d.Kind, d.RRN, d.Why)
	}
	w.trace.add("balance: %+v", report.Issuers)
}

// close ends the world: everybody goes home.
func (w *World) close(doors []net.Listener) {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	for _, l := range doors {
		l.Close()
	}
	for _, n := range w.nodes { // one has failed, or the world has
		n.cut()
	}
	for _, c := range w.network.order {
		c.heal()
		c.cut()
	}
	for _, n := range w.nodes {
		n.await()
	}
	w.parties.Wait()
}

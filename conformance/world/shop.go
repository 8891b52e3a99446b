package world

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// shop is the center of one merchant: its receipts, and its connections to the switch.
type shop struct {
	world    *World
	name     string
	acquirer string
	terminal string
	timed    class
	random   *rand.Rand
	sessions []*session // by line; nil: not connected
	sales    []*sale
	byRRN    map[string]*sale
	stan     int
	told     *ask // the request that was answered last
}

func (w *World) newShop(i int) *shop {
	return &shop{world: w, name: fmt.Sprintf("shop-%d", i+1),
		acquirer: fmt.Sprintf("1000000000%d", i+1), terminal: fmt.Sprintf("T%07d", i+1),
		timed: ofShops + class(i), random: w.stream(fmt.Sprint("shop ", i)),
		sessions: make([]*session, w.options.Lines), byRRN: map[string]*sale{}}
}

// keep holds one line to the switch until the world ends: at one address, or another.
func (p *shop) keep(line int, at []string) {
	w, random := p.world, p.world.stream(fmt.Sprint(p.name, " line ", line))
	for next := 0; ; next++ {
		w.clock.sleep(p.timed, time.Duration(20+random.IntN(200))*time.Millisecond)
		w.mu.Lock()
		over := w.over
		w.mu.Unlock()
		if over {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		conn, err := w.network.dial(ctx, at[next%len(at)])
		cancel()
		if err != nil {
			continue
		}
		in, err := w.seal(w.center(conn, p.name), p.name, line, true)
		if err != nil {
			conn.Close()
			continue
		}
		p.serve(conn, in, line)
		next-- // the same again
	}
}

func (p *shop) serve(conn, in net.Conn, line int) {
	w := p.world
	w.mu.Lock()
	s := w.newSession(in, line, p.timed)
	w.heeds(s, conn, p.name)
	if w.over {
		in.Close()
	}
	p.sessions[line] = s
	p.signOn(s)
	if w.options.Insists {
		p.insist(s)
	}
	w.mu.Unlock()
	s.serve(p.handle)
}

// signOn signs a connection on, again and again until the switch has said yes.
func (p *shop) signOn(s *session) {
	w := p.world
	if s.gone || s.on || w.over {
		return
	}
	s.send(build("1804", elements{11: p.nextSTAN(), 12: localTime(time.Now()), 24: "801",
		93: institution, 94: p.acquirer}))
	w.after(p.timed, 2*time.Second, func() { p.signOn(s) })
	// Half-open connections are found by asking, and who gets no answer goes.
	w.after(p.timed, 7*time.Second, func() {
		if !s.on {
			s.conn.Close()
		}
	})
}

// insist asks what was answered last again and again. The answer is kept, so nothing is written for
// it: whoever still speaks is heard.
func (p *shop) insist(s *session) {
	w, a := p.world, p.told
	if s.gone || !w.faults {
		return
	}
	if s.on && a != nil && a.other == 0 {
		a.sent = append(a.sent, time.Now())
		s.send(a.frame())
	}
	w.after(p.timed, 60*time.Millisecond, func() { p.insist(s) })
}

func (p *shop) nextSTAN() string {
	p.stan++
	return fmt.Sprintf("%06d", p.stan)
}

// begin makes a sale.
func (p *shop) begin() {
	w, o := p.world, p.world.options
	n := len(p.sales) + 1
	bank := p.random.IntN(o.Banks)
	s := &sale{shop: p, rrn: fmt.Sprintf("%s%09d", p.name[len(p.name)-1:]+"RR", n), bank: bank,
		card: pan(bank, p.random.IntN(o.Cards)), amount: int64(100 + p.random.IntN(9900)),
		business: p.draw()}
	p.sales = append(p.sales, s)
	p.byRRN[s.rrn] = s
	s.ask = &ask{sale: s, mti: "1200", stan: p.nextSTAN(), local: localTime(time.Now())}
	switch s.business {
	case offline:
		s.ask.mti = "1220"
	case hold, finished:
		s.ask.mti = "1100"
	case hasty:
		w.after(p.timed, time.Duration(p.random.IntN(30000))*time.Microsecond, func() {
			p.takeBack(s, "4000")
		})
	}
	p.send(s.ask)
}

// draw gives the business of the next sale.
func (p *shop) draw() business {
	o, n := p.world.options, p.random.IntN(100)
	switch {
	case n < 15 && o.Cancels:
		return cancelled
	case n < 30 && o.Hasty:
		return hasty
	case n < 45 && o.Offline:
		return offline
	case n < 60 && o.Returns:
		return credit
	case n < 70 && o.Holds:
		return hold
	case n >= 70 && n < 80 && o.Shortens:
		return shortened
	case n >= 80 && n < 90 && o.Finishes:
		return finished
	case n >= 90 && o.Linked:
		return returned
	}
	return plain
}

// shorten takes a part of a sale back, and perhaps the rest later.
func (p *shop) shorten(s *sale) {
	w := p.world
	if s.undo != nil {
		return
	}
	s.part = &ask{sale: s, mti: "1420", stan: p.nextSTAN(), local: localTime(time.Now()),
		reason: "4000", on: s.ask.on}
	p.send(s.part)
	if p.random.IntN(3) == 0 {
		w.after(p.timed, time.Duration(p.random.IntN(1500))*time.Millisecond, func() {
			if s.part.final {
				p.takeBack(s, "4000")
			}
		})
	}
}

// follow begins what names a sale: its completion, or its return.
func (p *shop) follow(of *sale, b business, mti string) {
	s := &sale{shop: p, rrn: fmt.Sprintf("%s%09d", p.name[len(p.name)-1:]+"RR", len(p.sales)+1),
		bank: of.bank, card: of.card, business: b, of: of,
		amount: of.approved() - int64(p.random.IntN(50))}
	of.followed = true
	p.sales = append(p.sales, s)
	p.byRRN[s.rrn] = s
	s.ask = &ask{sale: s, mti: mti, stan: p.nextSTAN(), local: localTime(time.Now()), on: of.ask.on}
	p.send(s.ask)
}

// takeBack has a sale undone, once.
func (p *shop) takeBack(s *sale, reason string) {
	if s.undo != nil || s.ask.final && !accepted(s.ask) {
		return
	}
	s.undo = &ask{sale: s, mti: "1420", stan: p.nextSTAN(), local: localTime(time.Now()),
		reason: reason, on: s.ask.on}
	p.send(s.undo)
}

// session picks the connection for a message: the one on which it, or what it takes back, was sent
// last, while that stands, or with Cross whichever: then a reversal may overtake its original.
func (p *shop) session(a *ask) *session {
	if a.on != nil && !a.on.gone && !p.world.options.Cross {
		return a.on
	}
	var up []*session
	for _, s := range p.sessions {
		if s != nil && s.on && !s.gone {
			up = append(up, s)
		}
	}
	if len(up) == 0 {
		return nil
	}
	return up[p.random.IntN(len(up))]
}

// send sends a message, or waits for a connection, and asks again later.
func (p *shop) send(a *ask) {
	w := p.world
	wait := w.options.Patience + time.Duration(p.random.IntN(500))*time.Millisecond
	if s := p.session(a); s != nil {
		w.trace.add("%s/%d sends %s%d %s %s of %d", p.name, s.line, a.mti[:3], min(a.tries, 1), a.stan,
			a.sale.rrn, a.sale.amount)
		s.send(a.frame())
		if a.tries == 0 {
			a.begun = time.Now()
		}
		a.on = s
		a.tries++
		a.sent = append(a.sent, time.Now())
		if w.options.Impatent {
			wait = time.Duration(5+p.random.IntN(300)) * time.Millisecond
		}
	} else {
		wait = 200 * time.Millisecond
	}
	w.after(p.timed, wait, func() { p.again(a) })
}

// again is when a message has waited long enough for its answer.
func (p *shop) again(a *ask) {
	s := a.sale
	switch {
	case a.final || a == s.ask && s.undo != nil:
	case a.mti == "1200" || a.mti == "1100":
		if a.tries > p.world.options.Repeats {
			p.takeBack(s, "4021")
			return
		}
		p.send(a)
	default: // what has happened must get in at last
		p.send(a)
	}
}

// handle does with a message what a shop does.
func (p *shop) handle(s *session, m *message) {
	w := p.world
	switch m.kind() {
	case 1814:
		if m.text(39) == "800" && !s.gone {
			s.on = true
		}
		return
	case 1804:
		s.send(m.answer([]int{7, 11, 12, 24, 59, 93, 94}, elements{39: "800"}))
		return
	case 1644:
		w.violation("%s is told that a message of its is malformed: %s", p.name, m.text(72))
		return
	}
	sale := p.byRRN[m.text(37)]
	if sale == nil {
		w.violation("%s got a %d about nothing it knows: %s %s", p.name, m.MTI(), m.text(37), m.text(39))
		return
	}
	a := sale.ask
	if m.kind() == 1430 {
		if a = sale.undo; sale.part != nil && m.text(11) == sale.part.stan {
			a = sale.part
		}
	}
	if a == nil || m.text(11) != a.stan || m.text(12) != a.local {
		w.violation("%s got an answer %d to what it never asked: %s %s", p.name, m.MTI(), m.text(11),
			sale.rrn)
		return
	}
	by := ""
	if m.Has(58) {
		by = " by stand-in"
	}
	w.trace.add("%s/%d gets %d %s %s: %s%s", p.name, s.line, m.MTI(), a.stan, sale.rrn, m.text(39), by)
	p.answered(a, m)
}

// answered books an answer.
func (p *shop) answered(a *ask, m *message) {
	w, s, action := p.world, a.sale, m.text(39)
	w.history.answered(a, m)
	if stillOpen(a, action) {
		return // no outcome: it is asked again
	}
	if a.final && action == "913" && a.other != 0 {
		return
	}
	if a.final {
		if now := summary(m); now != a.outcome {
			w.violation("%s got two answers to %s %s: %sand %s", p.name, a.mti, a.stan, a.outcome, now)
		}
		return
	}
	if action == listedAction && !w.banks[s.bank].mayBeRefused(s.card, a.begun) {
		w.violation("%s: %s is refused as listed, which its card never was since it began", p.name,
			s.rrn)
	}
	a.final, a.action, a.outcome, a.amount = true, action, summary(m), int64(m.number(4))
	p.promised(a, m)
	if a.mti == "1200" || a.mti == "1100" {
		p.told = a
	}
	if action < "902" || a.mti == "1200" || a.mti == "1100" {
		w.witness.answered(reply{p.name, m.kind(), a.stan, action})
	}
	if a.mti == "1420" {
		if action == "914" && s.ask.final && accepted(s.ask) {
			w.violation("%s: the switch doesn't know %s, which it has answered", p.name, s.rrn)
		}
		return
	}
	if w.options.Differs && p.random.IntN(6) == 0 {
		w.after(p.timed, time.Duration(p.random.IntN(2000))*time.Millisecond, func() { p.differ(a) })
	}
	if accepted(a) {
		w.after(p.timed, time.Duration(p.random.IntN(800))*time.Millisecond, func() { p.goOn(s) })
	}
}

// goOn is what comes after an approval.
func (p *shop) goOn(s *sale) {
	switch {
	case s.undo != nil:
	case s.business == cancelled:
		p.takeBack(s, "4000")
	case s.business == shortened:
		p.shorten(s)
	case s.business == finished:
		p.follow(s, completion, "1220")
	case s.business == returned:
		p.follow(s, refund, "1200")
	}
}

// differ uses the trace number of a question for another one.
func (p *shop) differ(a *ask) {
	if to := p.session(a); to != nil {
		a.other = 1
		p.world.trace.add("%s/%d sends %s with another amount", p.name, to.line, a.stan)
		frame := a.frame()
		to.send(frame)
	}
}

// promised notes what the switch has taken over with an answer.
func (p *shop) promised(a *ask, m *message) {
	w, s := p.world, a.sale
	switch {
	case m.Has(58) && a.action < "100": // stand-in's
		w.order.promised(s.card, m.kind()+10, s.rrn)
	case a.mti == "1220" && a.action == "900":
		w.order.promised(s.card, 1220, s.rrn)
	case a.mti == "1420" && a.action == "400", a.action == "911" || a.action == "909":
		w.order.promised(s.card, 1420, s.rrn)
	}
}

// stillOpen tells whether an action code is no outcome. A refusal of what has happened stands for
// the moment only, and so does one for want of room.
func stillOpen(a *ask, action string) bool {
	switch {
	case action == "923" || action == "907":
		return true
	case a.mti == "1420":
		return action >= "902" && action != "914"
	}
	return a.mti == "1220" && action >= "902"
}

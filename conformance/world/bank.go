package world

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"cardswitch/conformance/ledger"
)

// bank is the center of one issuer: its book, and its links to the switch.
type bank struct {
	world    *World
	name     string
	id       string // DE 94
	timed    class
	random   *rand.Rand
	sessions []*session // that stand
	away     bool
	stan     int
	book     map[question]*posting
	order    []*posting
	sales    map[string]*posting    // first postings by reference number
	days     map[string]figures     // by DE 28, and by that, a stroke and DE 29
	settled  map[string]bool        // days whose totals the switch has found equal
	refused  map[question]bool      // advices that were, once
	undone   map[question]*reversal // reversals that were taken
	stopped  map[question]bool      // originals that were reversed before they came
	listings []*listing
	files    map[string]*fileAction // by trace number and local time
}

// posting is one message in a bank's book.
type posting struct {
	asked      question
	rrn        string
	processing string
	amount     int64
	action     string
	approval   string
	reversed   bool
	day        string // DE 28
}

// reversal is one that was taken.
type reversal struct{ rrn, day, action string }

func (p *posting) stands() bool { return !p.reversed && p.action < "100" }

func (w *World) newBank(i int) *bank {
	return &bank{world: w, name: fmt.Sprintf("bank-%d", i+1), id: fmt.Sprintf("0000000001%d", i+1),
		timed: ofBanks + class(i), random: w.stream(fmt.Sprint("bank ", i)),
		book: map[question]*posting{}, sales: map[string]*posting{},
		days: map[string]figures{}, settled: map[string]bool{}, refused: map[question]bool{},
		undone: map[question]*reversal{}, stopped: map[question]bool{},
		files: map[string]*fileAction{}}
}

// accept takes the switch's connections on one line, until the world ends.
func (b *bank) accept(l net.Listener, line int) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		b.world.parties.Go(func() { b.receive(conn, line) })
	}
}

func (b *bank) receive(conn net.Conn, line int) {
	w := b.world
	in, err := w.seal(w.center(conn, b.name), b.name, line, false)
	if err != nil {
		conn.Close()
		return
	}
	w.mu.Lock()
	if b.away || w.over {
		w.mu.Unlock()
		conn.Close()
		return
	}
	s := w.newSession(in, line, b.timed)
	w.heeds(s, conn, b.name)
	b.sessions = append(slices.DeleteFunc(b.sessions, func(s *session) bool { return s.gone }), s)
	w.mu.Unlock()
	s.serve(b.handle)
}

// handle does with a message what a bank does.
func (b *bank) handle(s *session, m *message) {
	w := b.world
	s.heard = true
	switch m.kind() {
	case 1804:
		w.trace.add("%s/%d gets 1804 %s", b.name, s.line, m.text(24))
		s.on = m.text(24) != "802"
		s.send(m.answer([]int{7, 11, 12, 24, 59, 93, 94}, elements{39: "800"}))
		return
	case 1814:
		return
	case 1314:
		b.filed(m)
	case 1100, 1200:
		b.asked(s, m)
	case 1120, 1220:
		b.told(s, m)
	case 1420:
		b.undo(s, m)
	case 1500, 1520:
		b.reconcile(s, m)
	case 1532:
		b.agrees(m)
	default:
		w.violation("%s got a %d", b.name, m.MTI())
	}
}

// known finds what was asked before, and says whether the same was meant.
func (b *bank) known(m *message) *posting {
	p := b.book[m.question()]
	if p != nil && p.rrn != m.text(37) {
		b.world.violation("%s: one question about two sales: %s and %s, trace number %s", b.name,
			p.rrn, m.text(37), m.text(11))
	}
	return p
}

// asked decides on a request, once.
func (b *bank) asked(s *session, m *message) {
	w, o := b.world, b.world.options
	w.witness.left(sent{b.name, m.kind(), m.number(11), m.text(37)})
	p := b.known(m)
	if p == nil {
		if other := b.sales[m.text(37)]; other != nil && other.asked.kind%100 == 0 {
			w.violation("%s: %s is forwarded twice, as %d and %s", b.name, m.text(37),
				other.asked.stan, m.text(11))
		}
		if o.Silence && w.faults && b.random.IntN(12) == 0 {
			w.trace.add("%s loses %d %s %s", b.name, m.MTI(), m.text(11), m.text(37))
			return // it never came
		}
		p = b.post(m, "000")
		switch {
		case b.stopped[p.asked]:
			p.action = "121"
		case o.Declines && b.random.IntN(10) == 0:
			p.action = "116"
		case o.Partial && m.kind() == 1200 && b.random.IntN(5) == 0:
			p.action, p.amount = "002", p.amount/2
			fallthrough
		default:
			p.approval = fmt.Sprintf("%06d", b.random.IntN(1_000_000))
			b.count(m, p, p.amount)
		}
		w.history.did(Posts, p)
	}
	b.inOrder(m)
	w.trace.add("%s/%d gets %d %s %s: %s", b.name, s.line, m.MTI(), m.text(11), m.text(37), p.action)
	if o.Silence && w.faults && b.random.IntN(12) == 0 {
		return // posted, and not a word
	}
	more := elements{39: p.action}
	if p.approval != "" {
		more[38] = p.approval
	}
	if p.action == "002" {
		more[4], more[30] = fmt.Sprintf("%012d", p.amount), amounts(int64(m.number(4)))
	}
	if o.Invalid && w.faults && b.random.IntN(15) == 0 {
		more[2] = "3528990000000005"
	}
	b.answer(s, m.answer([]int{2, 3, 4, 11, 12, 28, 29, 32, 33, 37, 41, 42, 49, 59}, more))
}

// told takes note of what was decided in the shop. It can only take note.
func (b *bank) told(s *session, m *message) {
	b.world.witness.left(sent{b.name, m.kind(), m.number(11), m.text(37)})
	if b.puts(s, m) {
		return
	}
	p := b.known(m)
	if p == nil {
		p = b.post(m, m.text(39))
		p.reversed = b.stopped[p.asked]
		if p.stands() {
			b.count(m, p, p.amount)
		}
	}
	b.inOrder(m)
	b.world.trace.add("%s/%d gets %d %s %s", b.name, s.line, m.MTI(), m.text(11), m.text(37))
	b.answer(s, m.answer([]int{2, 3, 4, 11, 12, 32, 33, 37, 41, 42, 49},
		elements{28: p.day, 39: "900"}))
}

// inOrder watches over the order of what concerns one card.
func (b *bank) inOrder(m *message) {
	w, rrn := b.world, m.text(37)
	first, passed := w.order.came(m.kind(), rrn)
	if passed != "" {
		w.violation("%s: the %d of %s comes after %s, which was asked when it was taken over already",
			b.name, m.kind(), rrn, passed)
	}
	if !first || m.kind() == 1420 && m.text(25) != "4000" {
		return // the switch's own, which is older than the shop knows
	}
	for _, p := range w.shops {
		s := p.byRRN[rrn]
		if s == nil {
			continue
		}
		a := s.ask
		switch {
		case m.text(24) == "401":
			a = s.part
		case m.kind() == 1420:
			a = s.undo
		}
		if a != nil && !a.begun.IsZero() && a == s.ask && (m.kind()%100 == 0 || m.Has(58)) {
			b.mustNotCome(m, a.begun)
		}
		if a != nil && !a.begun.IsZero() {
			w.order.asked(s.card, rrn, a.begun)
		}
	}
}

// puts an advice off, with a code after which it comes again.
func (b *bank) puts(s *session, m *message) bool {
	o := b.world.options
	if o.Refuses && b.world.faults && !b.refused[m.question()] &&
		b.book[m.question()] == nil && b.undone[m.question()] == nil && b.random.IntN(6) == 0 {
		b.refused[m.question()] = true
		b.world.order.excuse(m.kind(), m.text(37))
		b.world.trace.add("%s/%d refuses %d %s", b.name, s.line, m.MTI(), m.text(11))
		b.answer(s, m.answer([]int{3, 4, 11, 12, 32, 33, 37, 41, 42, 49}, elements{39: "905"}))
		return true
	}
	if !o.NotYet || !b.world.faults || b.random.IntN(4) != 0 {
		return false
	}
	b.world.trace.add("%s/%d puts off %d %s", b.name, s.line, m.MTI(), m.text(11))
	b.answer(s, m.answer([]int{3, 4, 11, 12, 32, 33, 37, 41, 42, 49}, elements{39: "907"}))
	return true
}

func (b *bank) post(m *message, action string) *posting {
	p := &posting{asked: m.question(), rrn: m.text(37), processing: m.text(3),
		amount: int64(m.number(4)), action: action, day: m.text(28)}
	b.book[p.asked] = p
	b.order = append(b.order, p)
	if b.sales[p.rrn] == nil {
		b.sales[p.rrn] = p
	}
	return p
}

// undo takes a sale back, or stops one that hasn't come yet.
func (b *bank) undo(s *session, m *message) {
	w := b.world
	w.witness.left(sent{b.name, m.kind(), m.number(11), m.text(37)})
	if b.puts(s, m) {
		return
	}
	o, named := m.original()
	if !named {
		w.violation("%s: reversal %s names no original", b.name, m.text(11))
	}
	if before := b.undone[m.question()]; before != nil && before.rrn != m.text(37) {
		w.violation("%s: one reversal of two sales: %s and %s", b.name, before.rrn, m.text(37))
	}
	if m.text(24) == "401" && b.book[o] == nil { // its advice was refused: a part of nothing
		w.trace.add("%s/%d has nothing of which %s is a part", b.name, s.line, m.text(11))
		w.order.excuse(1420, m.text(37))
		b.answer(s, m.answer([]int{3, 4, 11, 12, 32, 33, 37, 41, 42, 49}, elements{39: "914"}))
		return
	}
	what := b.takeBack(m, o)
	b.inOrder(m)
	w.trace.add("%s/%d gets %d %s %s (%s): undoes %s", b.name, s.line, m.MTI(), m.text(11),
		m.text(37), m.text(25), what)
	taken := b.undone[m.question()]
	b.answer(s, m.answer([]int{2, 3, 4, 11, 12, 32, 33, 37, 41, 42, 49, 56},
		elements{28: taken.day, 39: taken.action}))
}

// takeBack books a reversal, once, and says what it undoes. Where days are compared, one of what
// stands in no book is answered so: that it is accepted proves then that there was something.
func (b *bank) takeBack(m *message, o question) (what string) {
	w, q, p := b.world, m.question(), b.book[o]
	if b.undone[q] != nil {
		return "nothing more"
	}
	r := &reversal{rrn: m.text(37), day: m.text(28), action: "400"}
	b.undone[q] = r
	if p != nil && p.rrn != m.text(37) {
		w.violation("%s: reversal of %s names %s", b.name, m.text(37), p.rrn)
	}
	if p == nil {
		b.stopped[o] = true
	}
	if (p == nil || !p.stands()) && w.options.Days {
		r.action = "914"
	}
	if p == nil || !p.stands() {
		return "nothing"
	}
	if m.text(24) == "401" {
		left := int64(m.number(4))
		if left <= 0 || left >= p.amount {
			w.violation("%s: a part of %s is taken back: %d of %d remain", b.name, p.rrn, left, p.amount)
		}
		b.count(m, p, p.amount-left)
		p.amount = left
		return fmt.Sprint("a part of ", p.asked.stan)
	}
	b.count(m, p, p.amount)
	p.reversed = true
	w.history.did(Withdraws, p)
	return fmt.Sprint(p.asked.stan)
}

// answer sends an answer after the time that the bank takes, sometimes twice or over another link.
func (b *bank) answer(s *session, frame []byte) {
	w, o := b.world, b.world.options
	think := time.Duration(b.random.IntN(15000)) * time.Microsecond
	if o.Late && w.faults && b.random.IntN(12) == 0 {
		think += bankTime - 200*time.Millisecond + time.Duration(b.random.IntN(800))*time.Millisecond
	}
	times := 1
	if o.Doubles && b.random.IntN(6) == 0 {
		times = 2
	}
	astray := o.Astray && w.faults && b.random.IntN(8) == 0
	for range times {
		w.after(b.timed, think, func() {
			to := s
			for _, other := range b.sessions {
				if astray && other != s && !other.gone && other.on {
					to = other
				}
			}
			to.send(frame)
		})
		think += time.Duration(b.random.IntN(30000)) * time.Microsecond
	}
}

// leave closes all connections and takes none, until come.
func (b *bank) leave() {
	b.away = true
	for _, s := range b.sessions {
		b.world.after(b.timed, 0, func() { s.conn.Close() })
	}
	b.sessions = nil
}

// postings is the book as the count wants it.
func (b *bank) postings() []ledger.Posting {
	var list []ledger.Posting
	for _, p := range b.order {
		out := ledger.Posting{Key: fmt.Sprint(p.asked), RRN: p.rrn, MTI: fmt.Sprint(p.asked.kind),
			Processing: p.processing, Amount: p.amount, Action: p.action, Approval: p.approval,
			State: ledger.Declined}
		switch {
		case p.stands():
			out.State, out.Live = ledger.Approved, p.amount
		case p.reversed:
			out.State = ledger.Reversed
		}
		list = append(list, out)
	}
	return list
}

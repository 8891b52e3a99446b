package world

import (
	"fmt"
	"math/rand/v2"
	"time"

	"cardswitch/store/total"
	cardswitch "cardswitch/switch"
)

// figures are what a bank's transactions of one business day come to: by element, as it would put
// them into the totals of a reconciliation (reference iso8583-1993 section 5.7, by effect).
type figures map[int]int64

// The elements of numbers and of amounts.
const (
	credits, cancelledSales, debits, cancelledReturns     = 74, 75, 76, 77
	creditsAmount, cancelledSalesAmount                   = 86, 87
	debitsAmount, cancelledReturnsAmount                  = 88, 89
	authorizations, cancelledAuthorizations, netOfAll int = 81, 90, 97
)

// elementsCompared are those that go to the other side whatever they are.
func elementsCompared() []int {
	return []int{credits, cancelledSales, debits, cancelledReturns, creditsAmount,
		cancelledSalesAmount, debitsAmount, cancelledReturnsAmount}
}

// count counts what a bank has accepted, in the day that the message names.
func (b *bank) count(m *message, p *posting, amount int64) {
	day := m.text(28)
	if day == "" {
		return
	}
	b.add(day, m, p, amount)
	if m.Has(29) {
		b.add(day+"/"+m.text(29), m, p, amount)
	}
}

// add adds what was accepted to the figures of a day or a slice.
func (b *bank) add(period string, m *message, p *posting, amount int64) {
	if b.days[period] == nil {
		b.days[period] = figures{}
	}
	f, undo := b.days[period], m.kind() == 1420
	number, sum := debits, debitsAmount
	switch {
	case p.asked.kind/100 == 11 && undo:
		f[cancelledAuthorizations]++
		return
	case p.asked.kind/100 == 11:
		f[authorizations]++
		return
	case p.processing[0] == '2' && undo:
		number, sum = cancelledReturns, cancelledReturnsAmount
	case p.processing[0] == '2':
		number, sum = credits, creditsAmount
	case undo:
		number, sum = cancelledSales, cancelledSalesAmount
	}
	f[number]++
	f[sum] += amount
}

// net is element 97 of the figures.
func (f figures) net() string {
	n := f[creditsAmount] + f[cancelledSalesAmount] - f[debitsAmount] - f[cancelledReturnsAmount]
	if n < 0 {
		return fmt.Sprintf("D%016d", -n)
	}
	return fmt.Sprintf("C%016d", n)
}

// reconcile answers the switch's totals of a day with the bank's verdict.
func (b *bank) reconcile(s *session, m *message) {
	w, period := b.world, m.text(28)
	if m.text(24) == "501" {
		period += "/" + m.text(29)
	}
	f := b.days[period]
	equal := m.text(netOfAll) == f.net()
	more := f.elements()
	for _, n := range allCompared() {
		equal = equal && int64(m.number(n)) == f[n]
	}
	more[39] = "500"
	w.trace.add("%s/%d gets %d of %s: %v", b.name, s.line, m.MTI(), period, equal)
	switch {
	case !m.Has(netOfAll): // it asks for ours
		more[39] = "504"
	case !equal:
		more[39] = "504"
		w.violation("%s: the totals of %s differ: ours are %v, the switch says %s", b.name,
			period, f, told(m))
	}
	b.answer(s, m.answer([]int{11, 12, 28, 29, 32, 33, 50, 59}, more))
}

// allCompared are those, and what counts numbers only.
func allCompared() []int {
	return append(elementsCompared(), authorizations, cancelledAuthorizations)
}

// elements are the figures as they go to the other side.
func (f figures) elements() elements {
	e := elements{netOfAll: f.net()}
	for _, n := range allCompared() {
		e[n] = fmt.Sprintf("%010d", f[n])
		if n >= creditsAmount && n <= cancelledReturnsAmount {
			e[n] = fmt.Sprintf("%016d", f[n])
		}
	}
	return e
}

// ask tells the switch the bank's totals of a day, so that it compares them.
func (b *bank) ask(day string) {
	for _, s := range b.sessions {
		if !s.on || s.gone {
			continue
		}
		b.stan++
		e := b.days[day].elements()
		e[11], e[12] = fmt.Sprintf("%06d", b.stan), localTime(time.Now())
		e[24], e[28], e[32], e[50] = "500", day, institution, "392"
		b.world.trace.add("%s/%d tells its totals of %s", b.name, s.line, day)
		s.send(build("1522", e))
		return
	}
}

// agrees takes the switch's verdict on the bank's totals. While something of the day is on its way,
// there is none.
func (b *bank) agrees(m *message) {
	w, day, action := b.world, m.text(28), m.text(39)
	w.trace.add("%s gets 1532 of %s: %s", b.name, day, action)
	switch {
	case action == "500":
		b.settled[day] = true
	case action != "503" && action < "902":
		w.violation("%s: the switch answers %s to the totals of %s: ours are %v, it says %s", b.name,
			action, day, b.days[day], told(m))
	}
}

// told are the totals that a message tells.
func told(m *message) string {
	text := ""
	for n := credits; n <= netOfAll; n++ {
		if m.Has(n) && m.number(n) != 0 {
			text += fmt.Sprintf("%d:%s ", n, m.text(n))
		}
	}
	return text
}

// reconciliation is what is agreed with a bank about business days.
func (o Options) reconciliation() *cardswitch.ReconciliationConfig {
	if !o.Days {
		return nil
	}
	r := &cardswitch.ReconciliationConfig{After: time.Second,
		Unconfirmed: cardswitch.UnconfirmedBoth}
	if o.Slices {
		r.Checkpoint = time.Hour // by command
	}
	if o.Asked {
		r.Starts = cardswitch.StartsPeer
	}
	if o.Openly {
		r.Message = cardswitch.CompareRequest
	}
	return r
}

// checkpoint begins a slice of a bank's day.
func (w *World) checkpoint(r *rand.Rand) {
	_, sw := w.active()
	if sw == nil {
		return
	}
	b := w.banks[r.IntN(len(w.banks))]
	slice, err := sw.Checkpoint(b.name, "the world")
	w.tell("%s: slice %d begins: %v", b.name, slice, err)
}

// cutOver ends the business day of a bank, by command or by the bank's own message.
func (w *World) cutOver(r *rand.Rand) {
	_, sw := w.active()
	if sw == nil {
		return
	}
	b := w.banks[r.IntN(len(w.banks))]
	day, err := sw.CutOver(b.name, 0, "the world")
	w.tell("%s is cut over to %v: %v", b.name, day, err)
}

// closeDays ends the days of all banks, so that they are compared.
func (w *World) closeDays() {
	if !w.options.Days {
		return
	}
	_, sw := w.active()
	if sw == nil {
		w.say("nobody is active who could end the business days")
		return
	}
	for _, b := range w.banks {
		if _, err := sw.CutOver(b.name, 0, "the world"); err != nil {
			w.say("%s can't be cut over: %v", b.name, err)
		}
	}
	for began := time.Now(); !w.broke() && !w.agreed(); w.clock.sleep(ofWorld, time.Second) {
		w.look()
		if time.Since(began) > healTime {
			periods, _ := sw.Periods("")
			w.say("business days aren't agreed: %+v", periods)
		}
	}
	report, err := sw.Journal().AddUp(func(total.Key) bool { return true })
	if err != nil || len(report.Differ) > 0 {
		w.say("the kept totals aren't those of the journal: %+v, %v", report.Differ, err)
	}
}

// agreed tells whether each day that has ended is agreed on.
func (w *World) agreed() bool {
	_, sw := w.active()
	if sw == nil {
		return false
	}
	periods, err := sw.Periods("")
	if err != nil {
		w.say("the business days can't be read: %v", err)
	}
	all := true
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range periods {
		if p.State != "ended" {
			continue
		}
		all = false
		for _, b := range w.banks {
			if b.name == p.Center && w.options.Asked && !b.settled[p.Day] {
				b.ask(p.Day)
			}
		}
	}
	return all
}

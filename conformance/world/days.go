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
	if b.days[day] == nil {
		b.days[day] = figures{}
	}
	f, undo := b.days[day], m.kind() == 1420
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
	w, f := b.world, b.days[m.text(28)]
	equal := m.text(netOfAll) == f.net()
	more := elements{39: "500", 97: f.net()}
	for _, n := range append(elementsCompared(), authorizations, cancelledAuthorizations) {
		equal = equal && int64(m.number(n)) == f[n]
		more[n] = fmt.Sprintf("%0*d", 10, f[n])
		if n >= creditsAmount && n <= cancelledReturnsAmount {
			more[n] = fmt.Sprintf("%016d", f[n])
		}
	}
	w.trace.add("%s/%d gets %d of %s: %v", b.name, s.line, m.MTI(), m.text(28), equal)
	if !equal {
		more[39] = "504"
		w.violation("%s: the totals of %s differ: ours are %v, the switch says %s", b.name,
			m.text(28), f, told(m))
	}
	b.answer(s, m.answer([]int{11, 12, 28, 29, 32, 33, 50, 59}, more))
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
	return &cardswitch.ReconciliationConfig{After: time.Second,
		Unconfirmed: cardswitch.UnconfirmedBoth}
}

// cutOver ends the business day of a bank, by command or by the bank's own message.
func (w *World) cutOver(r *rand.Rand) {
	if w.node.now == nil {
		return
	}
	b := w.banks[r.IntN(len(w.banks))]
	day, err := w.node.now.sw.CutOver(b.name, 0, "the world")
	w.tell("%s is cut over to %v: %v", b.name, day, err)
}

// closeDays ends the days of all banks, so that they are compared.
func (w *World) closeDays() {
	if !w.options.Days {
		return
	}
	for _, b := range w.banks {
		if _, err := w.node.now.sw.CutOver(b.name, 0, "the world"); err != nil {
			w.say("%s can't be cut over: %v", b.name, err)
		}
	}
	for began := time.Now(); !w.broke() && !w.agreed(); w.clock.sleep(ofWorld, time.Second) {
		w.look()
		if time.Since(began) > healTime {
			periods, _ := w.node.now.sw.Periods("")
			w.say("business days aren't agreed: %+v", periods)
		}
	}
	report, err := w.node.now.sw.Journal().AddUp(func(total.Key) bool { return true })
	if err != nil || len(report.Differ) > 0 {
		w.say("the kept totals aren't those of the journal: %+v, %v", report.Differ, err)
	}
}

// agreed tells whether each day that has ended is agreed on.
func (w *World) agreed() bool {
	if w.node.now == nil {
		return false
	}
	periods, err := w.node.now.sw.Periods("")
	if err != nil {
		w.say("the business days can't be read: %v", err)
	}
	for _, p := range periods {
		if p.State == "ended" {
			return false
		}
	}
	return true
}

package cardswitch_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	"cardswitch/store/total"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/settle"
)

// life is a merchant, the switch and an issuer that keeps a book of its own, by the days that the
// messages name.
type life struct {
	t     *testing.T
	y     *yard
	door  net.Listener
	shop  *peer
	bank  *peer
	book  map[settle.Day]*total.Sums
	kept  map[int]int // amounts of sales that stand, by trace number
	stan  int
	rng   *rand.Rand
	lives int
}

func (l *life) connect() {
	l.bank = l.y.issuer(l.door, "primary")
	l.settle()
	time.Sleep(time.Second)
	l.shop = l.y.merchant()
}

// settle answers what the switch still owed from before: reversals of what it lost.
func (l *life) settle() {
	for {
		m := l.bank.next(8 * time.Second)
		if m == nil {
			return
		}
		l.undo(m)
	}
}

// posts counts a message in the issuer's book.
func (l *life) posts(m *spec.Message, k total.Kind) {
	day, err := strconv.Atoi(value(m, 28))
	amount, _ := strconv.ParseUint(value(m, 4), 10, 64)
	if err != nil {
		l.t.Fatalf("a %v names no day", m.MTI())
	}
	if l.book[settle.Day(day)] == nil {
		l.book[settle.Day(day)] = new(total.Sums)
	}
	l.book[settle.Day(day)].Add(k, amount)
}

// undo answers a reversal: it takes back what the book has, and knows nothing of anything else.
func (l *life) undo(m *spec.Message) {
	l.t.Helper()
	original := value(m, 56)
	stan, _ := strconv.Atoi(original[4:10])
	if _, there := l.kept[stan]; !there {
		l.bank.answer(m, map[int]string{39: "914"})
		return
	}
	delete(l.kept, stan)
	l.posts(m, total.DebitReversal)
	l.bank.answer(m, map[int]string{39: "400"})
}

// sale sells something; the issuer approves, declines, never gets it, or its answer is lost, and
// perhaps the switch with it.
func (l *life) sale() {
	l.t.Helper()
	l.stan++
	ours, amount := l.stan, 100+l.rng.IntN(900)
	l.shop.send("1200", sale(ours, amount))
	m := l.bank.read("1200")
	stan, _ := strconv.Atoi(value(m, 11))
	fate := l.rng.IntN(6)
	if fate == 0 {
		l.bank.answer(m, map[int]string{39: "116"})
		l.shop.read("1210")
		return
	}
	if fate != 1 { // it is lost before the issuer
		l.kept[stan] = amount
		l.posts(m, total.Debit)
	}
	if fate <= 3 && l.rng.IntN(2) == 0 {
		l.cutOver() // its reversal will be of the next day
	}
	switch fate {
	case 2, 1:
		want(l.t, l.shop.read("1210"), map[int]string{39: "911"})
		l.undo(l.bank.read("1420"))
	case 3:
		l.crash()
	default:
		l.bank.answer(m, map[int]string{38: "A00001", 39: "000"})
		l.shop.read("1210")
		if fate == 4 {
			l.reverse(ours, amount)
		}
	}
}

// reverse takes a sale back, over a cutover or a crash perhaps.
func (l *life) reverse(of, amount int) {
	l.t.Helper()
	if l.rng.IntN(3) == 0 {
		l.cutOver()
	}
	l.stan++
	l.shop.send("1420", reversal(l.stan, of, amount))
	l.shop.read("1430")
	m := l.bank.read("1420")
	if l.rng.IntN(4) == 0 { // it isn't answered
		l.crash()
		return
	}
	l.undo(m)
}

func (l *life) cutOver() {
	l.t.Helper()
	if _, err := l.y.sw.CutOver("issuer-a", 0, "a test"); err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) crash() {
	l.t.Helper()
	l.lives++
	l.y.crash(l.shop, l.bank)
	l.y.start()
	l.connect()
}

// Whatever happens, each transaction counts in exactly one day, the same on both sides, and the
// kept totals are those of the journal: through cutovers, lost answers, reversals and crashes.
func TestBothBooksAgreeByDay(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { live(t, seed) })
		})
	}
}

func live(t *testing.T, seed uint64) {
	y := reconciling(t, func(r *cardswitch.ReconciliationConfig) {
		r.Cutover, r.Starts, r.Unconfirmed = "", cardswitch.StartsPeer, cardswitch.UnconfirmedBoth
	})
	y.config.Centers[1].AnswerTime = 2 * time.Second
	l := &life{t: t, y: y, door: y.listen(primaryAt), book: make(map[settle.Day]*total.Sums),
		kept: make(map[int]int), rng: rand.New(rand.NewPCG(seed, 7))}
	defer l.door.Close()
	y.start()
	l.connect()
	for range 12 {
		if l.rng.IntN(4) == 0 {
			l.cutOver()
		}
		l.sale()
	}
	l.settle()
	periods, err := y.sw.Periods("issuer-a")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range periods {
		day, _ := settle.ParseDay(p.Day)
		totals, err := y.sw.PeriodTotals("issuer-a", day, 0)
		if err != nil {
			t.Fatal(err)
		}
		theirs := l.book[day]
		if theirs == nil {
			theirs = new(total.Sums)
		}
		for k := total.Debit; k < total.Kinds; k++ {
			got := total.Sum{}
			if len(totals) > 0 {
				got = totals[0].Totals[k.String()]
			}
			if got != theirs[k] {
				t.Errorf("seed %d, day %s, %v: %+v with us, %+v with the issuer", seed, p.Day, k, got,
					theirs[k])
			}
		}
		if p.Waits {
			t.Errorf("seed %d: something of %s is still on its way", seed, p.Day)
		}
	}
	y.addUp()
	y.end()
	l.shop.conn.Close()
	l.bank.conn.Close()
}

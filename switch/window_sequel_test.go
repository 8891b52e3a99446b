package cardswitch_test

import (
	"testing"
	"time"

	"cardswitch/store/total"
	cardswitch "cardswitch/switch"
)

// A reversal there, of a sale that both have, is passed on here, and undoes it here.
func TestWindowReversed(t *testing.T) {
	(&scene{
		both: func(w *twin) { w.sells(1, 700, "000") },
		there: func(w *twin) {
			w.told(w.shop, "1420", reversal(2, 1, 700), "400")
			w.bank.read("1420")
		},
		wanted: []lost{{"taken, to be passed on", "unknown", takeIn, false},
			{"went on", "went on by itself", nothing, false}},
		after: func(w *twin) {
			w.taken(w.bank, "1421", map[int]string{25: "4000", 56: w.original56()})
			w.told(w.shop, "1421", reversal(2, 1, 700), "400")
			w.told(w.shop, "1420", reversal(3, 1, 700), "400") // there is nothing left of it
		},
		salesHere: total.Sum{Number: 2, Amount: 710}, undoHere: total.Sum{Number: 1, Amount: 700},
	}).play(t)
}

// The merchant told both sites: once is enough.
func TestWindowReversedAtBoth(t *testing.T) {
	(&scene{
		both: func(w *twin) { w.sells(1, 700, "000") },
		there: func(w *twin) {
			w.told(w.shop, "1420", reversal(2, 1, 700), "400")
			w.bank.read("1420")
		},
		here: func(w *twin) {
			w.told(w.shop, "1421", reversal(2, 1, 700), "400")
			w.taken(w.bank, "1420", map[int]string{25: "4000", 56: w.original56()})
		},
		wanted: []lost{{"taken, to be passed on", "asked again as ", nothing, false},
			{"went on", "went on by itself", nothing, false}},
		after:     func(w *twin) {},
		salesHere: total.Sum{Number: 2, Amount: 710}, undoHere: total.Sum{Number: 1, Amount: 700},
	}).play(t)
}

// A part was taken back there, another one here: what is left is what neither took back.
func TestWindowPartReversed(t *testing.T) {
	(&scene{
		both: func(w *twin) { w.sells(1, 1000, "000") },
		there: func(w *twin) {
			w.told(w.shop, "1420", partOf(2, 1, 600, 1000), "400")
			w.bank.read("1420")
		},
		here: func(w *twin) {
			w.told(w.shop, "1420", partOf(3, 1, 700, 1000), "400")
			w.taken(w.bank, "1420", map[int]string{4: "000000000700", 24: "401"})
		},
		wanted: []lost{{"taken, to be passed on", "unknown", takeIn, false},
			{"went on", "went on by itself", nothing, false}},
		after: func(w *twin) {
			w.taken(w.bank, "1421", map[int]string{4: "000000000600", 24: "401"})
			w.told(w.shop, "1420", reversal(4, 1, 1000), "400")
			w.taken(w.bank, "1420", map[int]string{24: "400"})
		},
		salesHere: total.Sum{Number: 2, Amount: 1010}, undoHere: total.Sum{Number: 3, Amount: 1000},
	}).play(t)
}

// A completion there uses up the authorization here, until it is reversed.
func TestWindowCompleted(t *testing.T) {
	(&scene{
		change: adjusted(cardswitch.AdjustmentsConfig{Several: true}, cardswitch.AdjustmentsConfig{}),
		both:   func(w *twin) { w.granted(w.shop, w.bank, "1100", authorization(1, 1000)) },
		there: func(w *twin) {
			w.told(w.shop, "1220", completion(2, 1, 900), "900")
			w.taken(w.bank, "1220", nil)
		},
		wanted: []lost{{"taken, to be passed on", "unknown", takeIn, false},
			{"went on", "went on by itself", nothing, false}},
		after: func(w *twin) {
			w.told(w.shop, "1220", completion(3, 1, 200), "950")
			w.told(w.shop, "1420", with(reversal(4, 2, 900), map[int]string{56: original("1220", 2)}),
				"400")
			w.taken(w.bank, "1420", map[int]string{4: "000000000900"})
			w.told(w.shop, "1220", completion(5, 1, 800), "900")
			w.taken(w.bank, "1220", map[int]string{4: "000000000800"})
		},
		salesHere: total.Sum{Number: 3, Amount: 1710}, undoHere: total.Sum{Number: 1, Amount: 900},
	}).play(t)
}

// The advice of a supplement there adds to the authorization here, if that still stands.
func TestWindowSupplement(t *testing.T) {
	there := func(w *twin) {
		e := with(offline(2, 500), map[int]string{24: "106", 56: original("1100", 1)})
		w.told(w.shop, "1120", e, "900")
		w.taken(w.bank, "1120", nil)
	}
	both := func(w *twin) { w.granted(w.shop, w.bank, "1100", authorization(1, 1000)) }
	(&scene{
		both: both, there: there,
		wanted: []lost{{"taken, to be passed on", "unknown", takeIn, false},
			{"went on", "went on by itself", nothing, false}},
		after: func(w *twin) {
			w.told(w.shop, "1220", completion(3, 1, 1501), "950")
			w.told(w.shop, "1220", completion(4, 1, 1500), "900")
			w.taken(w.bank, "1220", nil)
		},
		salesHere: total.Sum{Number: 2, Amount: 1510},
	}).play(t)
	(&scene{
		both: both, there: there,
		here: func(w *twin) {
			back := with(reversal(3, 1, 1000), map[int]string{56: original("1100", 1)})
			w.told(w.shop, "1420", back, "400")
			w.taken(w.bank, "1420", nil)
		},
		wanted: []lost{{"taken, to be passed on", "of what it follows, ", passOnIf, true},
			{"went on", "went on by itself", nothing, false}},
		after:     func(w *twin) {},
		salesHere: total.Sum{Number: 1, Amount: 10},
	}).play(t)
}

// A return that was open there comes to nothing, so it uses up nothing of its sale.
func TestWindowOpenReturn(t *testing.T) {
	(&scene{
		both: func(w *twin) { w.sells(1, 700, "000") },
		there: func(w *twin) {
			w.shop.send("1200", refund(2, 1, 700))
			w.bank.read("1200")
			time.Sleep(10 * time.Millisecond)
		},
		wanted: []lost{{"sent, not answered", "unknown", finish, false},
			{"went on", "went on by itself", nothing, false}},
		after: func(w *twin) {
			w.taken(w.bank, "1420", map[int]string{4: "000000000700", 25: "4021"})
			w.granted(w.shop, w.bank, "1200", refund(3, 1, 700))
		},
		salesHere: total.Sum{Number: 2, Amount: 710},
	}).play(t)
}

// The merchant reversed a sale while it was open: the bank is told once.
func TestWindowReversedWhileOpen(t *testing.T) {
	(&scene{
		there: func(w *twin) {
			w.ask(1, 700)
			w.told(w.shop, "1420", reversal(2, 1, 700), "400")
		},
		wanted: []lost{{"sent, not answered", "unknown", finish, false},
			{"taken, to be passed on", "unknown", takeIn, false}},
		after: func(w *twin) {
			w.taken(w.bank, "1421", map[int]string{25: "4000", 56: w.original56()})
			w.shop.send("1201", sale(1, 700))
			want(w.t, w.shop.read("1210"), map[int]string{39: "911"})
			w.told(w.shop, "1420", reversal(3, 1, 700), "400")
		},
		salesHere: before,
	}).play(t)
}

// Another disk of the site has what followed on a sale that was taken in from the first one.
func TestWindowOfASecondDisk(t *testing.T) {
	(&scene{
		early: func(w *twin) { w.sells(1, 700, "000") },
		there: func(w *twin) {
			w.told(w.shop, "1420", reversal(2, 1, 700), "400")
			w.bank.read("1420")
		},
		first: []lost{{"approved with 000", "unknown", takeIn, false}},
		wanted: []lost{{"approved with 000", "taken in before", nothing, false},
			{"taken, to be passed on", "unknown", takeIn, false}},
		after: func(w *twin) {
			w.taken(w.bank, "1421", map[int]string{25: "4000", 56: w.original56()})
			w.told(w.shop, "1420", reversal(3, 1, 700), "400") // nothing is left of it
		},
		salesHere: total.Sum{Number: 2, Amount: 710}, undoHere: total.Sum{Number: 1, Amount: 700},
	}).play(t)
}

// It has the answer to one that was open on the first one, and so has been reversed.
func TestWindowApprovedOnASecondDisk(t *testing.T) {
	(&scene{
		early: func(w *twin) { w.ask(1, 700) },
		there: func(w *twin) {
			w.bank.answer(w.asked["sale"], map[int]string{38: "T00001", 39: "000"})
			want(w.t, w.shop.read("1210"), map[int]string{39: "000"})
		},
		first:  []lost{{"sent, not answered", "unknown", finish, false}},
		wanted: []lost{{"approved with 000", "answered 911, and reversed", affirm, true}},
		after: func(w *twin) {
			w.taken(w.bank, "1420", map[int]string{25: "4021", 56: w.original56()})
			w.listed("1220")
			w.taken(w.bank, "1221", map[int]string{2: card, 4: "000000000700", 38: "T00001"})
		},
		salesHere: total.Sum{Number: 2, Amount: 710},
	}).play(t)
}

// It has the merchant's reversal of one that has been reversed from the first one.
func TestWindowReversedOnASecondDisk(t *testing.T) {
	(&scene{
		early: func(w *twin) { w.ask(1, 700) },
		there: func(w *twin) { w.told(w.shop, "1420", reversal(2, 1, 700), "400") },
		first: []lost{{"sent, not answered", "unknown", finish, false}},
		wanted: []lost{{"sent, not answered", "taken in before", nothing, false},
			{"taken, to be passed on", "what it reverses is reversed", nothing, false}},
		after: func(w *twin) {
			w.taken(w.bank, "1420", map[int]string{25: "4021", 56: w.original56()})
		},
		salesHere: before,
	}).play(t)
}

// The merchant reversed a sale at both sites, by two messages: the bank is told once by this one.
func TestWindowReversedByAnother(t *testing.T) {
	(&scene{
		both: func(w *twin) { w.sells(1, 700, "000") },
		there: func(w *twin) {
			w.told(w.shop, "1420", reversal(2, 1, 700), "400")
			w.bank.read("1420")
		},
		here: func(w *twin) {
			w.told(w.shop, "1420", reversal(3, 1, 700), "400")
			w.taken(w.bank, "1420", map[int]string{25: "4000", 56: w.original56()})
		},
		wanted: []lost{{"taken, to be passed on", "what it reverses is reversed", nothing, false},
			{"went on", "went on by itself", nothing, false}},
		after:     func(w *twin) {},
		salesHere: total.Sum{Number: 2, Amount: 710}, undoHere: total.Sum{Number: 1, Amount: 700},
	}).play(t)
}

// Both sites knew it as open; the merchant reversed it at the lost one.
func TestWindowReversedWhileOpenAtBoth(t *testing.T) {
	(&scene{
		both:  func(w *twin) { w.ask(1, 700) },
		there: func(w *twin) { w.told(w.shop, "1420", reversal(2, 1, 700), "400") },
		here: func(w *twin) {
			w.taken(w.bank, "1420", map[int]string{25: "4021", 56: w.original56()})
		},
		wanted: []lost{{"taken, to be passed on", "what it reverses is reversed", nothing, false},
			{"went on", "went on by itself", nothing, false}},
		after:     func(w *twin) {},
		salesHere: before,
	}).play(t)
}

// All was taken back there, a part here: together that is more than there was.
func TestWindowReversedMoreThanIsLeft(t *testing.T) {
	(&scene{
		both: func(w *twin) { w.sells(1, 1000, "000") },
		there: func(w *twin) {
			w.told(w.shop, "1420", reversal(2, 1, 1000), "400")
			w.bank.read("1420")
		},
		here: func(w *twin) {
			w.told(w.shop, "1420", partOf(3, 1, 700, 1000), "400")
			w.taken(w.bank, "1420", map[int]string{4: "000000000700", 24: "401"})
		},
		wanted: []lost{{"taken, to be passed on", "of what it follows, ", passOnIf, true},
			{"went on", "went on by itself", nothing, false}},
		after: func(w *twin) {
			w.listed("1420")
			w.taken(w.bank, "1421", map[int]string{4: "000000001000", 24: "400"})
		},
		salesHere: total.Sum{Number: 2, Amount: 1010}, undoHere: total.Sum{Number: 2, Amount: 1300},
	}).play(t)
}

// Each site has completed the same authorization; it holds one of both.
func TestWindowCompletedAtBoth(t *testing.T) {
	(&scene{
		change: adjusted(cardswitch.AdjustmentsConfig{Several: true}, cardswitch.AdjustmentsConfig{}),
		both:   func(w *twin) { w.granted(w.shop, w.bank, "1100", authorization(1, 1000)) },
		there: func(w *twin) {
			w.told(w.shop, "1220", completion(2, 1, 900), "900")
			w.bank.read("1220")
		},
		here: func(w *twin) {
			w.told(w.shop, "1220", completion(3, 1, 800), "900")
			w.taken(w.bank, "1220", map[int]string{4: "000000000800"})
		},
		wanted: []lost{{"taken, to be passed on", "of what it follows, ", passOnIf, true},
			{"went on", "went on by itself", nothing, false}},
		after: func(w *twin) {
			w.told(w.shop, "1221", completion(2, 1, 900), "900")
			w.listed("1220")
			w.taken(w.bank, "1221", map[int]string{4: "000000000900"})
		},
		salesHere: total.Sum{Number: 3, Amount: 1710},
	}).play(t)
}

// heldBack has a sale wait behind an advice of its card.
func (w *twin) heldBack() {
	w.told(w.shop, "1220", offline(1, 300), "900")
	w.asked["advice"] = w.bank.read("1220")
	w.shop.send("1200", sale(2, 200))
	time.Sleep(10 * time.Millisecond)
}

// departs lets it go.
func (w *twin) departs() {
	w.bank.answer(w.asked["advice"], map[int]string{39: "900"})
	w.asked["sale"] = w.bank.read("1200")
	time.Sleep(10 * time.Millisecond)
}

// Both sites knew a sale as held back; the lost one has sent it, this one has not.
func TestWindowSentThereOnly(t *testing.T) {
	here := func(w *twin) { w.taken(w.bank, "1221", map[int]string{4: "000000000300"}) }
	went := lost{"taken, to be passed on", "went on by itself", nothing, false}
	(&scene{both: (*twin).heldBack, there: (*twin).departs, here: here,
		wanted: []lost{went, {"went on", "answered 912 as never sent", undo, false}},
		after: func(w *twin) {
			w.taken(w.bank, "1420", map[int]string{4: "000000000200", 25: "4021", 56: w.original56()})
		},
		salesHere: total.Sum{Number: 2, Amount: 310},
	}).play(t)
	(&scene{both: (*twin).heldBack, here: here,
		there: func(w *twin) {
			w.departs()
			w.bank.answer(w.asked["sale"], map[int]string{38: "T00001", 39: "000"})
			want(w.t, w.shop.read("1210"), map[int]string{39: "000"})
		},
		wanted: []lost{went, {"approved with 000", "answered 912", affirm, true}},
		after: func(w *twin) {
			w.listed("1220")
			w.taken(w.bank, "1221", map[int]string{4: "000000000200", 38: "T00001"})
		},
		salesHere: total.Sum{Number: 3, Amount: 510},
	}).play(t)
}

// unanswered has stand-in approve a sale that the bank leaves open.
func (w *twin) unanswered() {
	a := w.shop.read("1210")
	want(w.t, a, map[int]string{39: "000"})
	w.reply = string(a.Raw())
	w.bank.read("1420")
}

// Stand-in has approved a sale at the lost site, for the bank was silent.
func TestWindowStoodIn(t *testing.T) {
	instead := withStandIn(standInRules, func(s *cardswitch.StandInConfig) { s.Unanswered = true })
	(&scene{change: instead,
		there: func(w *twin) {
			w.ask(1, 500)
			w.unanswered()
		},
		wanted: []lost{{"stand-in answered 000", "unknown", takeIn, false}},
		after: func(w *twin) {
			w.taken(w.bank, "1421", map[int]string{25: "4021", 56: w.original56()})
			w.taken(w.bank, "1221", map[int]string{4: "000000000500", 25: "1002"})
			w.repeats(1, 500)
		},
		salesHere: total.Sum{Number: 2, Amount: 510},
	}).play(t)
	(&scene{change: instead,
		both:  func(w *twin) { w.ask(1, 500) },
		there: (*twin).unanswered,
		here: func(w *twin) {
			w.taken(w.bank, "1420", map[int]string{25: "4021", 56: w.original56()})
		},
		wanted: []lost{{"stand-in answered 000", "answered 911, and reversed", affirm, true}},
		after: func(w *twin) {
			w.listed("1220")
			w.taken(w.bank, "1221", map[int]string{4: "000000000500"})
		},
		salesHere: total.Sum{Number: 2, Amount: 510},
	}).play(t)
	(&scene{change: instead,
		there: func(w *twin) {
			w.ask(1, 500)
			w.unanswered()
		},
		here: func(w *twin) {
			was := w.asked["sale"]
			w.sells(1, 500, "000")
			w.asked["sale"] = was
		},
		wanted: []lost{{"stand-in answered 000", "asked again as ", undoIf, true}},
		after: func(w *twin) { // there was a request, and there may have been an advice
			w.taken(w.bank, "1421", map[int]string{25: "4021", 56: w.original56()})
			w.repeats(1, 500)
			w.listed("1420")
			m := w.taken(w.bank, "1421", map[int]string{4: "000000000500", 25: "4021"})
			if of := value(m, 56); of[:4] != "1220" || of == w.original56() {
				w.t.Errorf("it reverses %q, want the advice", of)
			}
		},
		salesHere: total.Sum{Number: 2, Amount: 510},
	}).play(t)
}

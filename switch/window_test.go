package cardswitch_test

import (
	"testing"
	"time"

	"cardswitch/store/total"
)

// A sale that only the lost site knows to be approved stands: its merchant has the goods' price.
func TestWindowApproved(t *testing.T) {
	(&scene{
		there:  func(w *twin) { w.sells(1, 700, "000") },
		wanted: []lost{{"approved with 000", "unknown", takeIn, false}},
		after: func(w *twin) {
			w.repeats(1, 700)
			w.bank.quiet(30 * time.Second)
			w.told(w.shop, "1420", reversal(2, 1, 700), "400") // and it can be reversed, once
			w.taken(w.bank, "1420", map[int]string{25: "4000", 56: w.original56()})
			w.told(w.shop, "1420", reversal(3, 1, 700), "400")
		},
		salesHere: total.Sum{Number: 2, Amount: 710}, undoHere: total.Sum{Number: 1, Amount: 700},
	}).play(t)
}

// One that waited for the bank is answered as a restart answers it.
func TestWindowOpen(t *testing.T) {
	(&scene{
		there:  func(w *twin) { w.ask(1, 700) },
		wanted: []lost{{"sent, not answered", "unknown", finish, false}},
		after: func(w *twin) {
			w.taken(w.bank, "1420", map[int]string{4: "000000000700", 25: "4021", 56: w.original56()})
			w.shop.send("1201", sale(1, 700))
			want(w.t, w.shop.read("1210"), map[int]string{11: "000001", 39: "911"})
		},
		salesHere: before,
	}).play(t)
}

// What has come to nothing there needs nothing; asked again here, it has this site's answer.
func TestWindowDeclined(t *testing.T) {
	(&scene{
		there: func(w *twin) {
			w.sells(1, 700, "116")
			w.shop.send("1200", with(sale(2, 700), map[int]string{2: "4111111111111111"}))
			want(w.t, w.shop.read("1210"), map[int]string{39: "908"})
		},
		wanted: []lost{{"declined with 116", "unknown", nothing, false},
			{"answered 908 by the switch", "unknown", nothing, false}},
		after:     func(w *twin) {},
		salesHere: before,
	}).play(t)
	(&scene{
		there:     func(w *twin) { w.sells(1, 700, "116") },
		here:      func(w *twin) { w.sells(1, 700, "000") },
		wanted:    []lost{{"declined with 116", "asked again as ", nothing, false}},
		after:     func(w *twin) { w.repeats(1, 700) },
		salesHere: total.Sum{Number: 2, Amount: 710},
	}).play(t)
}

// One that the lost site gave up waiting for is kept with its answer, and its reversal is owed
// here; also where the merchant has asked again meanwhile: then that answer stands.
func TestWindowTimedOut(t *testing.T) {
	late := func(w *twin) {
		w.ask(1, 700)
		a := w.shop.read("1210")
		want(w.t, a, map[int]string{39: "911"})
		w.reply = string(a.Raw())
		w.bank.read("1420")
	}
	undone := func(w *twin) {
		w.taken(w.bank, "1421", map[int]string{25: "4021", 56: w.original56()})
		w.repeats(1, 700)
	}
	(&scene{there: late, after: undone, salesHere: before,
		wanted: []lost{{"answered 911 by the switch, and reversed", "unknown", takeIn, false}},
	}).play(t)
	(&scene{there: late,
		here: func(w *twin) {
			was := w.asked["sale"]
			w.sells(1, 700, "000")
			w.asked["sale"] = was
		},
		after: undone, salesHere: total.Sum{Number: 2, Amount: 710},
		wanted: []lost{{"answered 911 by the switch, and reversed", "asked again as ", takeIn,
			false}},
	}).play(t)
}

// An advice that the lost site has taken, and not passed on, is owed by this one; one that was
// passed on isn't.
func TestWindowAdvice(t *testing.T) {
	advice := func(stan, amount int) map[int]string {
		return with(sale(stan, amount), map[int]string{25: "1508", 38: "OFF001", 39: "000"})
	}
	(&scene{
		there: func(w *twin) {
			w.told(w.shop, "1220", advice(1, 300), "900")
			w.taken(w.bank, "1220", nil)
			w.told(w.shop, "1220", advice(2, 400), "900")
			w.bank.read("1220")
		},
		wanted: []lost{{"taken, to be passed on", "unknown", takeIn, false},
			{"taken, to be passed on", "unknown", takeIn, false}},
		after: func(w *twin) {
			w.taken(w.bank, "1221", map[int]string{4: "000000000400", 37: "RRN000000002"})
			for stan := range 2 { // known to both
				w.told(w.shop, "1221", advice(stan+1, 300+100*stan), "900")
			}
		},
		salesHere: total.Sum{Number: 3, Amount: 710},
	}).play(t)
}

// A merchant asked again here what the lost site had sent: the bank may have taken both for one, so
// people decide whether the first is reversed.
func TestWindowAskedAgain(t *testing.T) {
	for _, open := range []bool{false, true} {
		there, became := func(w *twin) { w.sells(1, 700, "000") }, "approved with 000"
		if open {
			there, became = func(w *twin) { w.ask(1, 700) }, "sent, not answered"
		}
		(&scene{
			there: there,
			here: func(w *twin) {
				was := w.asked["sale"]
				w.sells(1, 700, "000")
				w.asked["sale"] = was
			},
			wanted: []lost{{became, "asked again as ", undoIf, true}},
			after: func(w *twin) {
				w.repeats(1, 700)
				w.listed("1420")
				w.taken(w.bank, "1421", map[int]string{4: "000000000700", 25: "4021",
					56: w.original56()})
			},
			salesHere: total.Sum{Number: 2, Amount: 710},
		}).play(t)
	}
}

// The merchant has reversed here what this site never heard of: the bank, which did, is told.
func TestWindowReversedAhead(t *testing.T) {
	(&scene{
		there:  func(w *twin) { w.sells(1, 700, "000") },
		here:   func(w *twin) { w.told(w.shop, "1420", reversal(2, 1, 700), "914") },
		wanted: []lost{{"approved with 000", "its merchant reversed it, record ", undo, false}},
		after: func(w *twin) {
			w.taken(w.bank, "1420", map[int]string{4: "000000000700", 56: w.original56()})
			w.shop.send("1201", sale(1, 700))
			want(w.t, w.shop.read("1210"), map[int]string{39: "902"})
		},
		salesHere: before,
	}).play(t)
}

// Both sites had it open; one approved it to the merchant, this one told the bank to undo it. Only
// people can say which it is.
func TestWindowApprovedThereReversedHere(t *testing.T) {
	(&scene{
		both: func(w *twin) { w.ask(1, 700) },
		there: func(w *twin) {
			w.bank.answer(w.asked["sale"], map[int]string{38: "T00001", 39: "000"})
			want(w.t, w.shop.read("1210"), map[int]string{39: "000"})
		},
		here: func(w *twin) {
			w.taken(w.bank, "1420", map[int]string{25: "4021", 56: w.original56()})
		},
		wanted: []lost{{"approved with 000", "answered 911, and reversed", affirm, true}},
		after: func(w *twin) {
			w.listed("1220")
			w.taken(w.bank, "1221", map[int]string{2: card, 4: "000000000700", 38: "T00001",
				39: "000", 37: "RRN000000001"})
		},
		salesHere: total.Sum{Number: 2, Amount: 710},
	}).play(t)
}

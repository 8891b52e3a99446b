package cardswitch_test

import (
	"testing"
	"testing/synctest"
	"time"

	cardswitch "cardswitch/switch"
)

// unconfirmed plays a sale that the issuer never answers, in the first business day.
func unconfirmed(t *testing.T, play func(y *yard, shop, bank *peer)) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, func(r *cardswitch.ReconciliationConfig) {
			r.Unconfirmed = cardswitch.UnconfirmedBoth
		})
		door := y.listen(primaryAt)
		defer door.Close()
		y.start()
		bank := y.issuer(door, "primary")
		time.Sleep(time.Second)
		shop := y.merchant()
		play(y, shop, bank)
		y.addUp()
		y.end()
		shop.conn.Close()
		bank.conn.Close()
	})
}

// A merchant's reversal that comes before the answer proves, when it is accepted, that there was a
// sale: it counts in the day in which the sale was sent.
func TestReversalAheadProvesItsSale(t *testing.T) {
	unconfirmed(t, func(y *yard, shop, bank *peer) {
		shop.send("1200", sale(1, 700))
		bank.read("1200")
		shop.send("1420", reversal(2, 1, 700))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		want(t, shop.read("1210"), map[int]string{39: "911"})
		bank.answer(bank.read("1420"), map[int]string{39: "400"})
		want(t, bank.read("1520"), map[int]string{28: "000101", 76: "0000000001",
			88: "0000000000000700", 75: "0000000001", 87: "0000000000000700"})
	})
}

// A day isn't compared while a reversal is owed that may prove a sale of it, though the reversal
// itself counts in the next day.
func TestDayWaitsForWhatMayProveASale(t *testing.T) {
	unconfirmed(t, func(y *yard, shop, bank *peer) {
		time.Sleep(50 * time.Second)
		shop.send("1200", sale(1, 700))
		want(t, bank.read("1200"), map[int]string{28: "000101"})
		want(t, shop.read("1210"), map[int]string{39: "911"})
		owed := bank.read("1420")
		want(t, owed, map[int]string{28: "000102"})
		bank.quiet(20 * time.Second)
		bank.answer(owed, map[int]string{39: "400"})
		want(t, bank.read("1520"), map[int]string{28: "000101", 76: "0000000001",
			88: "0000000000000700", 75: "0000000000"})
	})
}

package cardswitch_test

import (
	"testing"
	"testing/synctest"
	"time"

	cardswitch "cardswitch/switch"
)

// What stand-in approved is reversed, in part or wholly, and completed like anything else: the
// issuer gets it behind the advice that told of it, naming that advice.
func TestSequelsOfStandIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, withStandIn(standInRules, nil))
		bank, shop := y.open()
		bank.conn.Close()
		time.Sleep(10 * time.Millisecond)
		y.told(shop, "1200", sale(1, 1000), "000")
		y.told(shop, "1420", partOf(2, 1, 600, 1000), "400")
		y.told(shop, "1420", partOf(3, 1, 600, 1000), "902")
		y.told(shop, "1420", reversal(4, 1, 1000), "400")
		y.told(shop, "1420", reversal(5, 1, 1000), "400")
		y.told(shop, "1100", with(sale(6, 2000), map[int]string{24: "100"}), "000")
		y.told(shop, "1220", completion(7, 6, 1500), "900")
		shop.conn.Close()
		bank = y.issuer(y.doors[0], "primary")
		told := y.taken(bank, "1220", map[int]string{4: "000000001000", 39: "000"})
		named := "1220" + value(told, 11) + "261122120000" + "11" + acquirer
		y.taken(bank, "1420", map[int]string{4: "000000000600", 24: "401", 56: named})
		y.taken(bank, "1420", map[int]string{4: "000000000600", 24: "400", 56: named})
		told = y.taken(bank, "1120", map[int]string{4: "000000002000", 39: "000"})
		y.taken(bank, "1220", map[int]string{4: "000000001500", 24: "202",
			56: "1120" + value(told, 11) + "261122120000" + "11" + acquirer})
		bank.quiet(time.Minute)
		y.end()
		bank.conn.Close()
	})
}

// The issuer was silent, so its request was reversed, and stand-in approved: what the merchant
// reverses then is the stand-in decision, behind both.
func TestReversalOfWhatWasReversedAndStoodIn(t *testing.T) {
	run(t, withStandIn(standInRules, func(s *cardswitch.StandInConfig) { s.Unanswered = true }),
		func(y *yard, shop, bank, standby *peer) {
			shop.send("1200", sale(1, 1000))
			m := bank.read("1200")
			want(t, shop.read("1210"), map[int]string{39: "000"})
			y.told(shop, "1420", reversal(2, 1, 1000), "400")
			y.taken(bank, "1420", map[int]string{25: "4021",
				56: "1200" + value(m, 11) + "261122120000" + "11" + acquirer})
			told := y.taken(bank, "1220", map[int]string{4: "000000001000", 25: "1002", 39: "000"})
			y.taken(bank, "1420", map[int]string{25: "4000",
				56: "1220" + value(told, 11) + "261122120000" + "11" + acquirer})
			bank.quiet(time.Minute)
		})
}

// What follows a sale of an earlier day counts in the day in which it came, by what it took back.
func TestSequelsOfAnEarlierDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, nil)
		bank, shop := y.open()
		for stan := 1; stan <= 2; stan++ {
			want(t, sell(shop, bank, stan, 1000), map[int]string{28: "000101"})
		}
		shop.send("1200", sale(3, 1000)) // declined, and reversed before that is known
		m := bank.read("1200")
		y.told(shop, "1420", reversal(4, 3, 1000), "400")
		bank.answer(m, map[int]string{39: "116"})
		want(t, shop.read("1210"), map[int]string{39: "116"})
		time.Sleep(time.Minute)
		told := bank.read("1520")
		want(t, told, map[int]string{28: "000101", 75: "0000000000", 76: "0000000002",
			88: "0000000000002000"})
		bank.answer(told, map[int]string{39: "500"})
		y.told(shop, "1420", partOf(5, 1, 600, 1000), "400")
		y.taken(bank, "1420", map[int]string{4: "000000000600", 28: "000102"})
		y.told(shop, "1420", reversal(6, 2, 1000), "400")
		y.taken(bank, "1420", map[int]string{4: "000000001000", 28: "000102"})
		if _, err := y.sw.CutOver("issuer-a", 0, "sato"); err != nil {
			t.Fatal(err)
		}
		told = bank.read("1520")
		want(t, told, map[int]string{28: "000102", 75: "0000000002", 87: "0000000000001400",
			76: "0000000000"})
		bank.answer(told, map[int]string{39: "500"})
		time.Sleep(time.Second)
		y.addUp()
		y.close(shop, bank)
	})
}

// A return that was in flight at a crash is reversed, and gives back what it took of its sale.
func TestCrashUndoesASequel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		bank, shop := y.open()
		y.sold(shop, bank, 1, 1000)
		y.granted(shop, bank, "1200", refund(2, 1, 300))
		shop.send("1200", refund(3, 1, 700))
		bank.read("1200")
		y.crash(shop, bank)
		y.start()
		bank = y.issuer(y.doors[0], "primary")
		y.taken(bank, "1420", map[int]string{25: "4021", 3: "200000", 4: "000000000700"})
		shop = y.merchant()
		shop.send("1200", refund(4, 1, 701))
		want(t, shop.read("1210"), map[int]string{11: "000004", 39: "950"})
		y.granted(shop, bank, "1200", refund(5, 1, 700))
		bank.quiet(time.Minute)
		y.close(shop, bank)
	})
}

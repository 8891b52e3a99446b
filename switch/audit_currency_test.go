package cardswitch_test

import (
	"testing"
	"testing/synctest"
	"time"

	cardswitch "cardswitch/switch"
)

// An issuer reconciles in another currency than a sale was made in, and says in its answer how much
// that is. What is reversed counts in that currency too: all that is taken back comes to what was
// counted, whether in parts, wholly, by the switch itself, or after the answer that the issuer gave
// was no good.
func TestReversalsInTheCurrencyOfReconciliation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, func(r *cardswitch.ReconciliationConfig) {
			r.Cutover, r.After, r.Currency = "", time.Second, 840
		})
		bank, shop := y.open()
		approval := map[int]string{5: "000000000101", 9: "60006667", 38: "A00001", 39: "000",
			50: "840"}
		for stan := 1; stan <= 2; stan++ {
			shop.send("1200", sale(stan, 15000))
			bank.answer(bank.read("1200"), approval)
			want(t, shop.read("1210"), map[int]string{39: "000"})
		}
		y.told(shop, "1420", partOf(3, 1, 5000, 15000), "400")
		y.taken(bank, "1420", map[int]string{4: "000000005000", 24: "401"})
		y.told(shop, "1420", reversal(4, 1, 15000), "400")
		y.taken(bank, "1420", map[int]string{4: "000000005000", 24: "400"})
		y.told(shop, "1420", reversal(5, 2, 15000), "400")
		m := bank.read("1420")
		bank.answer(m, map[int]string{5: "000000000099", 9: "60006600", 39: "400", 50: "840"})
		shop.send("1200", sale(6, 15000)) // another amount than was asked
		bank.answer(bank.read("1200"), with(approval, map[int]string{4: "000000015001"}))
		want(t, shop.read("1210"), map[int]string{39: "909"})
		y.taken(bank, "1420", map[int]string{25: "4020"})
		shop.send("1200", sale(7, 15000))
		m = bank.read("1200")
		shop.conn.Close() // nobody is there for the answer
		time.Sleep(time.Second)
		bank.answer(m, approval)
		y.taken(bank, "1420", map[int]string{25: "4013"})
		if _, err := y.sw.CutOver("issuer-a", 0, "abe"); err != nil {
			t.Fatal(err)
		}
		want(t, bank.read("1520"), map[int]string{50: "840", 76: "0000000004", 75: "0000000005",
			88: "0000000000000404", 87: "0000000000000402", 97: "D0000000000000002"})
		bank.quiet(time.Second)
		y.addUp()
		y.end()
		bank.conn.Close()
	})
}

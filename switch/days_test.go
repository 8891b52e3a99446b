package cardswitch_test

import (
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	"cardswitch/store/total"
	cardswitch "cardswitch/switch"
)

// reconciling is a yard whose issuer reconciles. The bubble begins at 9:00 in Tokyo on 1 January
// 2000; the day ends a minute later.
func reconciling(t *testing.T, change func(*cardswitch.ReconciliationConfig)) *yard {
	return newYard(t, func(c *cardswitch.Config) {
		r := &cardswitch.ReconciliationConfig{Cutover: "09:01", After: 5 * time.Second}
		if change != nil {
			change(r)
		}
		c.Centers[1].Reconciliation = r
	})
}

// sell sells, and the issuer approves; it returns what the issuer got.
func sell(shop, bank *peer, stan, amount int) *spec.Message {
	shop.y.t.Helper()
	shop.send("1200", sale(stan, amount))
	m := bank.read("1200")
	bank.answer(m, map[int]string{38: "A00001", 39: "000"})
	want(shop.y.t, shop.read("1210"), map[int]string{39: "000"})
	return m
}

// addUp demands that the kept totals are those of the journal.
func (y *yard) addUp() {
	y.t.Helper()
	report, err := y.sw.Journal().AddUp(func(total.Key) bool { return true })
	if err != nil || len(report.Differ) != 0 {
		y.t.Errorf("totals are not those of the journal: %+v, %v", report, err)
	}
}

// The worked check of reference iso8583-1993 section 5.7, through the whole switch: three sales, a
// return, a sale cancelled; the day is cut over and the issuer is told the totals.
func TestDayIsComparedWithItsIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, nil)
		door := y.listen(primaryAt)
		defer door.Close()
		y.start()
		bank := y.issuer(door, "primary")
		time.Sleep(time.Second)
		shop := y.merchant()
		for i, amount := range []int{1000, 2000, 3000} {
			want(t, sell(shop, bank, i+1, amount), map[int]string{28: "000101"})
		}
		back := with(sale(4, 500), map[int]string{3: "200000"})
		shop.send("1200", back)
		bank.answer(bank.read("1200"), map[int]string{38: "A00001", 39: "000"})
		shop.read("1210")
		shop.send("1420", reversal(5, 2, 2000))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		undone := bank.read("1420")
		want(t, undone, map[int]string{28: "000101"})
		bank.answer(undone, map[int]string{39: "400"})

		time.Sleep(time.Minute)
		want(t, sell(shop, bank, 6, 700), map[int]string{28: "000102"})
		told := bank.read("1520")
		want(t, told, map[int]string{24: "500", 28: "000101", 50: "392", 74: "0000000001",
			86: "0000000000000500", 75: "0000000001", 87: "0000000000002000", 76: "0000000003",
			88: "0000000000006000", 77: "0000000000", 89: "0000000000000000",
			97: "D0000000000003500"})
		bank.answer(told, map[int]string{39: "500"})
		time.Sleep(time.Second)
		bank.quiet(time.Hour)
		y.addUp()
		y.end()
		shop.conn.Close()
		bank.conn.Close()
	})
}

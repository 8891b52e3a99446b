package cardswitch_test

import (
	"testing"
	"testing/synctest"
	"time"

	cardswitch "cardswitch/switch"
)

// An issuer approves another amount than it was asked for, or another currency: neither side could
// know what was bought. It is reversed.
func TestApprovalOfAnotherAmount(t *testing.T) {
	for _, answer := range []map[int]string{
		{39: "000", 4: "000000000701"},
		{39: "000", 4: "000000000699"},
		{39: "000", 49: "840"},
		{39: "002", 4: "000000000700", 30: "000000000700000000000000"},
		{39: "002", 4: "000000000701", 30: "000000000700000000000000"},
		{39: "002", 4: "000000000000", 30: "000000000700000000000000"},
		{39: "002", 4: "000000000500", 30: "000000000700000000000000", 49: "840"},
	} {
		run(t, nil, func(y *yard, shop, bank, standby *peer) {
			shop.send("1200", sale(1, 700))
			bank.answer(bank.read("1200"), with(answer, map[int]string{38: "A00001"}))
			want(t, shop.read("1210"), map[int]string{4: "000000000700", 39: "909", 49: "392"})
			y.taken(bank, "1420", map[int]string{4: "000000000700", 25: "4020", 49: "392"})
		})
	}
	run(t, func(c *cardswitch.Config) {
		c.Centers[1].Rules.Relax = map[string][]int{"1210": {4}}
	}, func(y *yard, shop, bank, standby *peer) {
		shop.send("1200", sale(1, 700))
		bank.answer(bank.read("1200"), map[int]string{4: "000000000699", 38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{4: "000000000699", 39: "000"})
	})
}

// A partial approval says how much.
func TestPartialApprovalOfNothingSaid(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		shop.send("1100", authorization(1, 700))
		bank.answer(bank.read("1100"), map[int]string{4: "", 49: "", 39: "002", 38: "A00001",
			30: "000000000700000000000000"})
		want(t, shop.read("1110"), map[int]string{39: "909"})
		y.taken(bank, "1420", map[int]string{4: "000000000700", 25: "4020"})
	})
}

// What a merchant center reversed before its answer counts in none of its days, whatever the issuer
// says then; what it reversed with an action code counts as any other reversal.
func TestMerchantsDayAfterReversals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, func(c *cardswitch.Config) {
			c.Centers[0].Reconciliation = &cardswitch.ReconciliationConfig{}
		})
		bank, shop := y.open()
		y.sold(shop, bank, 1, 1000)
		shop.send("1200", sale(2, 500))
		m := bank.read("1200")
		y.told(shop, "1420", reversal(3, 2, 500), "400")
		bank.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		y.taken(bank, "1420", nil)
		y.sold(shop, bank, 4, 300)
		y.told(shop, "1420", with(reversal(5, 4, 300), map[int]string{39: "400"}), "400")
		y.taken(bank, "1420", nil)
		if _, err := y.sw.CutOver("hq-1", 0, "abe"); err != nil {
			t.Fatal(err)
		}
		told := with(totalsOf(6, "500", "000101", 2, 1300), map[int]string{32: acquirer,
			75: "0000000001", 87: "0000000000000300", 97: "D0000000000001000"})
		shop.send("1520", told)
		want(t, shop.read("1530"), map[int]string{39: "500"})
		y.addUp()
		y.close(shop, bank)
	})
}

// Stand-in approves nothing that the switch would not have passed on.
func TestStandInLooksAtTheOriginal(t *testing.T) {
	rules := `
rules:
  - {name: all, ranges: ["353011"], transactions: ["00", "20"], expiry: ignored,
     no_check_digit: true, most: 100000, limits: [{days: 1, count: 9}]}
`
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, func(c *cardswitch.Config) {
			withStandIn(rules, nil)(c)
			c.Centers[0].Adjustments = &cardswitch.AdjustmentsConfig{Returns: "linked",
				Unmatched: "refuse"}
		})
		bank, shop := y.open()
		y.granted(shop, bank, "1200", with(sale(1, 1000), map[int]string{2: cardOf(4)}))
		bank.conn.Close()
		time.Sleep(10 * time.Millisecond)
		y.told(shop, "1200", refund(2, 0, 1000), "914")
		y.told(shop, "1200", refund(3, 1, 1000), "914") // the sale of another card
		y.told(shop, "1200", with(sale(4, 1000), map[int]string{24: "202",
			30: "000000001000000000000000", 56: original("1100", 99)}), "914")
		y.told(shop, "1200", sale(5, 1000), "000")
		y.close(shop)
	})
}

package cardswitch_test

import (
	"testing"
	"testing/synctest"
	"time"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/settle"
)

// Fees go by the payment division of each sale (element 48), that of a reversal by what it
// reverses, also where it names none itself and the original was of an earlier day.
func TestFeesByPaymentDivision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, func(c *cardswitch.Config) {
			c.Centers[1].Reconciliation = &cardswitch.ReconciliationConfig{}
			c.Settlement.Fees = []cardswitch.FeeConfig{
				{From: "merchant", To: "issuer", PerMille: "45", Payments: []int{61, 62, 63}},
				{From: "merchant", To: "issuer", PerMille: "30", Round: "down"}}
		})
		bank, shop := y.open()
		split, once := "00010066101"+"03", "000100210"
		for i, items := range []string{split, once, "", split} {
			y.granted(shop, bank, "1200", with(sale(i+1, 1000), map[int]string{48: items}))
		}
		y.told(shop, "1420", reversal(5, 4, 1000), "400")
		y.taken(bank, "1420", nil)
		time.Sleep(time.Second)
		y.feesAre(t, 101, 45, 60)

		for range 2 { // what is reversed two days later was sold before what is read for that day
			if _, err := y.sw.CutOver("issuer-a", 0, "abe"); err != nil {
				t.Fatal(err)
			}
		}
		y.told(shop, "1420", reversal(6, 1, 1000), "400")
		y.taken(bank, "1420", nil)
		time.Sleep(time.Second)
		y.feesAre(t, 103, -45)
		y.close(shop, bank)
	})
}

// A reversal of a part goes by the payment division of its sale; so does a return, and a completion
// by that of its authorization, where they name none themselves.
func TestFeesOfSequels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, func(c *cardswitch.Config) {
			c.Centers[1].Reconciliation = &cardswitch.ReconciliationConfig{}
			c.Settlement.Fees = []cardswitch.FeeConfig{
				{From: "merchant", To: "issuer", PerMille: "100", Payments: []int{61}}}
		})
		bank, shop := y.open()
		split := map[int]string{48: "00010066101" + "03"}
		y.granted(shop, bank, "1200", with(sale(1, 1000), split))
		y.told(shop, "1420", partOf(2, 1, 600, 1000), "400") // 400 less
		y.taken(bank, "1420", nil)
		y.granted(shop, bank, "1200", refund(3, 1, 100))
		y.granted(shop, bank, "1100", with(authorization(4, 1000), split))
		y.told(shop, "1220", completion(5, 4, 1000), "900")
		y.taken(bank, "1220", nil)
		y.told(shop, "1420", with(partOf(6, 5, 800, 1000), map[int]string{56: original("1220", 5)}),
			"400")
		y.taken(bank, "1420", nil)
		time.Sleep(time.Second)
		y.feesAre(t, 101, 130) // of 1000 - 400 - 100 + 1000 - 200
		y.close(shop, bank)
	})
}

// feesAre demands the fees of a day between the two centers.
func (y *yard) feesAre(t *testing.T, day settle.Day, want ...int64) {
	t.Helper()
	s, err := y.sw.Statement(day, "")
	if err != nil || len(s.Pairs) != 1 || len(s.Pairs[0].Fees) != len(want) {
		t.Fatalf("%v: %+v, %v", day, s.Pairs, err)
	}
	for i, c := range s.Pairs[0].Fees {
		if c.Amount != want[i] {
			t.Errorf("%v: fee %d is %d, want %d", day, i, c.Amount, want[i])
		}
	}
}

package cardswitch_test

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"
)

// with is the elements with some changed.
func with(elements, changed map[int]string) map[int]string {
	out := maps.Clone(elements)
	maps.Copy(out, changed)
	return out
}

// The same amount of another currency under the trace number of a sale is no repeat of it either.
func TestAnotherCurrencyIsAnotherQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		bank, shop := y.open()
		sold := sale(1, 500)
		shop.send("1200", sold)
		m := bank.read("1200")
		y.told(shop, "1201", with(sold, map[int]string{49: "840"}), "913")
		bank.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		y.crash(shop, bank)
		y.start()
		bank = y.issuer(y.doors[0], "primary")
		time.Sleep(time.Second)
		shop = y.merchant()
		y.told(shop, "1201", with(sold, map[int]string{49: "840"}), "913")
		y.told(shop, "1201", sold, "000")
		y.close(shop, bank)
	})
}

// A return under the trace number of a sale of the same card and amount is no repeat of it. It must
// not be told that it was approved; after a restart, too.
func TestAnotherProcessingCodeIsAnotherQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		primary, standby := y.openBoth()
		shop := y.merchant()
		sold := with(sale(1, 500), map[int]string{3: "003000"})
		returned := with(sold, map[int]string{3: "200030"})
		shop.send("1200", sold)
		primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		shop.send("1201", returned)
		want(t, shop.read("1210"), map[int]string{39: "913"})

		y.crash(shop, primary, standby)
		y.start()
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		time.Sleep(time.Second)
		shop = y.merchant()
		shop.send("1201", returned)
		want(t, shop.read("1210"), map[int]string{39: "913"})
		shop.send("1201", sold)
		want(t, shop.read("1210"), map[int]string{38: "A00001", 39: "000"})
		primary.quiet(time.Second)
		y.close(shop, primary, standby)
	})
}

// Two reversals of the same card and processing code differ by what they undo: one under the trace
// number of another is no repeat of it, and must not be told that its sale is reversed.
func TestAnotherOriginalIsAnotherQuestion(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		y.sold(shop, bank, 1, 1000)
		y.sold(shop, bank, 2, 1000)
		part := partOf(4, 2, 600, 1000)
		y.told(shop, "1420", reversal(3, 1, 1000), "400")
		y.taken(bank, "1420", map[int]string{24: "400"})
		y.told(shop, "1420", part, "400")
		y.taken(bank, "1420", map[int]string{24: "401"})
		again := func() {
			y.told(shop, "1421", reversal(3, 1, 1000), "400")
			y.told(shop, "1420", reversal(3, 2, 1000), "913")
			y.told(shop, "1421", reversal(4, 2, 1000), "913") // all of it, not a part
			y.told(shop, "1421", with(part, map[int]string{4: "000000000500"}), "913")
			y.told(shop, "1421", with(part, map[int]string{30: "000000000600000000000000"}), "913")
			y.told(shop, "1421", part, "400")
		}
		again()
		y.crash(shop, bank, standby)
		y.start()
		*bank, *standby = *y.issuer(y.doors[0], "primary"), *y.issuer(y.doors[1], "standby")
		time.Sleep(time.Second)
		*shop = *y.merchant()
		again()
		y.told(shop, "1420", reversal(5, 2, 1000), "400") // under a number of its own
		y.taken(bank, "1420", map[int]string{4: "000000000600", 24: "400"})
	})
}

// A completion of another authorization under the trace number of one isn't its repeat either.
func TestAnotherAuthorizationIsAnotherQuestion(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		for n := 1; n <= 2; n++ {
			y.granted(shop, bank, "1100", authorization(n, 1000))
		}
		first := completion(3, 1, 1000)
		y.told(shop, "1220", first, "900")
		y.taken(bank, "1220", nil)
		y.told(shop, "1220", with(first, map[int]string{56: original("1100", 2)}), "913")
		y.told(shop, "1221", first, "900")
	})
}

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

package cardswitch_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// What may not be kept (track, PIN) is missing from the request that a restart reads; what it
// answers then must still be found whole by the merchant's repeat.
func TestRestartAnswersARequestWithTrackAndPIN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		primary, standby := y.openBoth()
		shop := y.merchant()
		asked := with(sale(1, 500), map[int]string{35: card + "=30121010000000000",
			52: "\x01\x02\x03\x04\x05\x06\x07\x08", 48: "0001006SECRET"})
		shop.send("1200", asked)
		primary.read("1200")
		y.crash(shop, primary, standby)
		y.start()
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		r := primary.read("1420")
		want(t, r, map[int]string{2: card, 4: "000000000500", 25: "4021"})
		primary.answer(r, map[int]string{39: "400"})
		time.Sleep(3 * time.Second)
		shop = y.merchant()
		shop.send("1201", asked)
		want(t, shop.read("1210"), map[int]string{2: card, 39: "911", 11: "000001",
			59: "cookie-1"})
		y.close(shop, primary, standby)
	})
}

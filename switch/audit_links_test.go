package cardswitch_test

import (
	"strings"
	"testing"
	"time"

	cardswitch "cardswitch/switch"
)

// A message that no link of the issuer takes for its length is refused at the door, not handed from
// link to link.
func TestTooLongForIssuer(t *testing.T) {
	change := func(c *cardswitch.Config) {
		for i := range c.Centers[1].Links {
			c.Centers[1].Links[i].MaxFrame = 600
		}
	}
	run(t, change, func(y *yard, shop, primary, standby *peer) {
		long := sale(1, 700)
		long[72] = strings.Repeat("x", 500)
		before := y.sw.Status().Journal.LastSeq
		shop.send("1200", long)
		want(t, shop.read("1210"), map[int]string{39: "904"})
		e := sale(2, 300)
		e[72] = long[72]
		e[25], e[38], e[39] = "1004", "OFF001", "000"
		shop.send("1220", e)
		want(t, shop.read("1230"), map[int]string{39: "904"})
		primary.quiet(30 * time.Second)
		if n := y.sw.Status().Journal.LastSeq - before; n > 20 {
			t.Errorf("%d records for two messages", n)
		}
		shop.send("1200", sale(3, 700))
		primary.answer(primary.read("1200"), map[int]string{38: "A00003", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
	})
}

// An approval that is too long for the merchant's links can't be given to it: it is reversed.
func TestTooLongForMerchant(t *testing.T) {
	change := func(c *cardswitch.Config) { c.Centers[0].Links[0].MaxFrame = 600 }
	run(t, change, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		primary.answer(m, map[int]string{38: "A00001", 39: "000", 72: strings.Repeat("x", 500)})
		want(t, shop.read("1210"), map[int]string{39: "909"})
		want(t, primary.read("1420"), map[int]string{25: "4020"})
	})
}

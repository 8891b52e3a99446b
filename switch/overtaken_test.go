package cardswitch_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	cardswitch "cardswitch/switch"
)

// A reversal overtakes its original on another connection: accepted or told that this isn't known,
// the merchant holds the sale for undone. So the issuer must never hear of it, not after a restart
// either, whether that finds it in the journal's newest records or only in the index.
func TestReversalOvertakesItsOriginal(t *testing.T) {
	for name, restart := range map[string]func(y *yard, peers ...*peer){
		"at once":       func(*yard, ...*peer) {},
		"after a crash": func(y *yard, peers ...*peer) { y.crash(peers...); y.start() },
		"after a stop": func(y *yard, peers ...*peer) {
			y.end()
			for _, p := range peers {
				p.conn.Close()
			}
			y.start()
		},
	} {
		for _, told := range []int{400, 914} {
			t.Run(fmt.Sprint(name, " ", told),
				func(t *testing.T) { overtake(t, told, name == "at once", restart) })
		}
	}
}

func overtake(t *testing.T, told int, stays bool, restart func(y *yard, peers ...*peer)) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, func(c *cardswitch.Config) { c.Centers[0].UnknownOriginal = told })
		primary, standby := y.openBoth()
		shop := y.merchant()
		for _, mti := range []string{"1420", "1421", "1421"} {
			shop.send(mti, reversal(2, 1, 700))
			want(t, shop.read("1430"), map[int]string{39: fmt.Sprint(told)})
		}
		shop.send("1420", with(reversal(4, 3, 700), map[int]string{24: "401",
			30: "000000000700000000000000"}))
		want(t, shop.read("1430"), map[int]string{39: "914"}) // a part of what was never approved
		shop.send("1420", with(reversal(6, 5, 700), map[int]string{56: "1220" + "000005" +
			"261122120000" + "11" + acquirer}))
		want(t, shop.read("1430"), map[int]string{39: fmt.Sprint(told)})

		restart(y, shop, primary, standby)
		if !stays {
			primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
			time.Sleep(time.Second)
			shop = y.merchant()
		}
		for range 2 { // the repeat gets the kept answer
			shop.send("1200", sale(1, 700))
			want(t, shop.read("1210"), map[int]string{11: "000001", 39: "902"})
		}
		shop.send("1421", reversal(2, 1, 700)) // the kept answer
		want(t, shop.read("1430"), map[int]string{39: fmt.Sprint(told)})
		shop.send("1420", reversal(7, 1, 700)) // nothing is left of it
		want(t, shop.read("1430"), map[int]string{39: "400"})
		shop.send("1220", with(sale(5, 700), map[int]string{25: "1006", 38: "OFF001", 39: "000"}))
		want(t, shop.read("1230"), map[int]string{39: "900"})
		primary.quiet(30 * time.Second)
		// Who was not accepted is not held against its original.
		shop.send("1200", sale(3, 700))
		primary.answer(primary.read("1200"), map[int]string{38: "A00003", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})

		y.crash(shop, primary, standby)
		y.start()
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		time.Sleep(time.Second)
		shop = y.merchant()
		shop.send("1201", sale(1, 700))
		want(t, shop.read("1210"), map[int]string{11: "000001", 39: "902"})
		primary.quiet(time.Second)
		if st := y.sw.Status(); st.Owed != 0 || st.Shelved != 0 {
			t.Errorf("owed %d, shelved %d", st.Owed, st.Shelved)
		}
		y.close(shop, primary, standby)
	})
}

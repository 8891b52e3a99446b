package cardswitch_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// A switch that hands over finishes what is in flight, and what comes meanwhile it neither answers
// nor journals: for the node that takes over it is new.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		primary, standby := y.openBoth()
		shop := y.merchant()
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		y.sw.HandOver()
		y.stop()
		off := standby.read("1804")
		standby.answer(off, map[int]string{39: "800"})
		shop.send("1200", sale(2, 800))
		time.Sleep(time.Second)
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{11: "000001", 39: "000"})
		for _, p := range []*peer{primary, shop} {
			off := p.read("1804") // and nothing of the second sale before
			want(t, off, map[int]string{24: "802"})
			p.answer(off, map[int]string{39: "800"})
		}
		if err := <-y.stopped; err != nil {
			t.Fatal(err)
		}
		for _, p := range []*peer{shop, primary, standby} {
			p.conn.Close()
		}

		y.start()
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		time.Sleep(time.Second)
		shop = y.merchant()
		shop.send("1201", sale(2, 800))
		m = primary.read("1200")
		primary.answer(m, map[int]string{38: "A00002", 39: "000"})
		want(t, shop.read("1210"), map[int]string{11: "000002", 39: "000"})
		for _, p := range []*peer{shop, primary, standby} {
			p.conn.Close()
		}
		y.end()
	})
}

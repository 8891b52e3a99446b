package cardswitch_test

import (
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/switch/txn"
)

// A fault of the program that a message brings to light ends the connection it came on, and nothing
// else.
func TestPanicEndsOneLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		first, second := y.listen(primaryAt), y.listen(standbyAt)
		defer first.Close()
		defer second.Close()
		y.start()
		y.sw.Serve(0x1100, func(txn.Request) txn.Decision { panic("a fault of the program") })
		primary, standby := y.issuer(first, "primary"), y.issuer(second, "standby")
		time.Sleep(time.Second)
		shop, other := y.merchant(), y.merchant()
		e := sale(1, 700)
		e[24] = "100"
		shop.send("1100", e)
		if m := shop.next(time.Minute); m != nil {
			t.Errorf("a %s came", m.MTI())
		}
		other.send("1200", sale(2, 700))
		primary.answer(primary.read("1200"), map[int]string{38: "A00002", 39: "000"})
		want(t, other.read("1210"), map[int]string{39: "000"})
		y.end()
		for _, p := range []*peer{shop, other, primary, standby} {
			p.conn.Close()
		}
	})
}

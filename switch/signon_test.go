package cardswitch_test

import (
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	cardswitch "cardswitch/switch"
)

// Who has signed on may ask at once, behind the answer to the sign-on, however the goroutines that
// write and read take turns.
func TestSignedOnBeforeTheAnswer(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		for stan := range 300 {
			one := y.merchant()
			one.send("1200", sale(stan+1, 700))
			m := one.y.either(one, bank)
			if m.MTI() != 0x1200 {
				t.Fatalf("sale %d of one signed on is answered %s", stan+1, value(m, 39))
			}
			bank.answer(m, map[int]string{38: "A00001", 39: "000"})
			want(t, one.read("1210"), map[int]string{39: "000"})
			one.conn.Close()
		}
	})
}

// either reads what comes first to the bank; if nothing does, what came to the shop.
func (y *yard) either(shop, bank *peer) *spec.Message {
	y.t.Helper()
	if m := bank.next(1e9); m != nil {
		return m
	}
	return shop.read("1210")
}

// At a start or takeover every wait counts: the sign-on leaves as soon as the link is up, and the
// merchants are served as soon as it is answered, not at the next tick.
func TestASignOnWaitsForNoTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, func(c *cardswitch.Config) {
			c.Centers[1].Links = c.Centers[1].Links[:1]
		})
		door := y.listen(primaryAt)
		defer door.Close()
		began := time.Now()
		y.start()
		bank := y.issuer(door, "primary")
		shop := y.merchant()
		shop.send("1200", sale(1, 700))
		m := bank.read("1200")
		if took := time.Since(began); took > 0 {
			t.Errorf("the first question is at the issuer after %s", took)
		}
		bank.answer(m, map[int]string{38: "A00001", 39: "000"})
		shop.read("1210")
		y.close(shop, bank)
	})
}

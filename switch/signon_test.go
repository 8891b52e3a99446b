package cardswitch_test

import (
	"testing"

	"cardswitch/spec"
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

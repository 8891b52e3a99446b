package cardswitch_test

import (
	"context"
	"testing"
	"time"

	cardswitch "cardswitch/switch"
)

// Network management belongs to its connection: what of it never left doesn't go over another.
func TestSignOffStaysOnItsLink(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		for stan := range 400 { // until the primary's connection takes no more
			shop.send("1200", sale(stan+1, 700))
		}
		time.Sleep(100 * time.Millisecond)
		act := cardswitch.LinkSignOff
		if _, err := y.sw.Tell(context.Background(), "issuer-a", "primary", act); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		primary.conn.Close()
		for m := standby.next(5 * time.Second); m != nil; m = standby.next(5 * time.Second) {
			if value(m, 24) == "802" {
				t.Fatal("the primary's sign-off went over the standby")
			}
			action := "116"
			if m.MTI().Class() == 4 {
				action = "400"
			}
			standby.answer(m, map[int]string{39: action})
		}
		answered := map[string]int{}
		for m := shop.next(time.Second); m != nil; m = shop.next(time.Second) {
			answered[value(m, 39)]++
		}
		if answered["911"] == 0 || answered["116"] == 0 || answered["911"]+answered["116"] != 400 {
			t.Errorf("answers %v, want 400, some of each kind", answered)
		}
	})
}

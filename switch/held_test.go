package cardswitch_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	cardswitch "cardswitch/switch"
)

// cardOf is another card of the issuer.
func cardOf(n int) string { return fmt.Sprintf("35301113333%05d", n) }

// A request waits until what is owed for its card is delivered; other cards pass it by. Then all
// that waited goes, in the order in which it came.
func TestRequestsWaitForWhatIsOwed(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1220", offline(1, 300))
		want(t, shop.read("1230"), map[int]string{39: "900"})
		owed := primary.read("1220")
		for stan := 2; stan <= 4; stan++ {
			shop.send("1200", sale(stan, 100*stan))
		}
		shop.send("1201", sale(3, 300)) // a repeat waits with its question
		shop.send("1200", with(sale(9, 900), map[int]string{2: cardOf(7)}))
		other := primary.read("1200")
		want(t, other, map[int]string{4: "000000000900"})
		primary.quiet(2 * time.Second)
		st := y.sw.Status()
		if st.Held != 3 || st.Open != 4 || y.sw.Queues()[0].Held != 3 {
			t.Errorf("held %d, open %d, in the queue %d; want 3, 4, 3", st.Held, st.Open,
				y.sw.Queues()[0].Held)
		}
		primary.answer(other, map[int]string{38: "A00009", 39: "000"})
		want(t, shop.read("1210"), map[int]string{11: "000009", 39: "000"})
		primary.answer(owed, map[int]string{39: "900"})
		for stan := 2; stan <= 4; stan++ {
			m := primary.read("1200")
			want(t, m, map[int]string{4: fmt.Sprintf("%012d", 100*stan)})
			primary.answer(m, map[int]string{38: "A00001", 39: "000"})
			want(t, shop.read("1210"), map[int]string{11: fmt.Sprintf("%06d", stan), 39: "000"})
		}
		shop.quiet(time.Second)
		if st := y.sw.Status(); st.Held != 0 || st.Open != 0 {
			t.Errorf("held %d, open %d; want none", st.Held, st.Open)
		}
	})
}

// What is owed can't be paid: the request ends after half of its time as never sent, and nothing is
// reversed. Where the issuer doesn't care for the order, it isn't held at all.
func TestHeldTooLong(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1220", offline(1, 300))
		shop.read("1230")
		owed := primary.read("1220")
		began := time.Now()
		shop.send("1200", sale(2, 200))
		want(t, shop.read("1210"), map[int]string{11: "000002", 39: "912"})
		if took := time.Since(began); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("after %v, want 10 s", took)
		}
		primary.answer(owed, map[int]string{39: "900"})
		primary.quiet(time.Minute)
		shop.send("1201", sale(2, 200))
		want(t, shop.read("1210"), map[int]string{39: "912"})
		if st := y.sw.Status(); st.Owed != 0 || st.Open != 0 {
			t.Errorf("owed %d, open %d", st.Owed, st.Open)
		}
		counted := y.metric("cardswitch_events_total",
			map[string]string{"center": "issuer-a", "event": "held_too_long"})
		if counted.GetCounter().GetValue() != 1 {
			t.Errorf("counted: %v", counted)
		}
	})
	run(t, func(c *cardswitch.Config) {
		c.Centers[1].SAF = &cardswitch.SAFConfig{Overtake: true}
	}, func(y *yard, shop, primary, standby *peer) {
		shop.send("1220", offline(1, 300))
		shop.read("1230")
		owed := primary.read("1220")
		shop.send("1200", sale(2, 200))
		primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		primary.answer(owed, map[int]string{39: "900"})
	})
}

// An advice that the issuer refuses for good goes to people, and the card goes on.
func TestRefusedAdviceHoldsNoLonger(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1220", offline(1, 300))
		shop.read("1230")
		owed := primary.read("1220")
		shop.send("1200", sale(2, 200))
		primary.quiet(time.Second)
		primary.answer(owed, map[int]string{39: "902"})
		primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
	})
}

// A request that came before an advice is sent before it, though an older advice holds it.
func TestAdviceDoesNotOvertakeARequest(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1220", offline(1, 100))
		shop.read("1230")
		first := primary.read("1220")
		shop.send("1200", sale(2, 200))
		shop.send("1220", offline(3, 300))
		shop.read("1230")
		primary.quiet(time.Second)
		primary.answer(first, map[int]string{39: "900"})
		m := primary.read("1200")
		want(t, m, map[int]string{4: "000000000200"})
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		last := primary.read("1220")
		want(t, last, map[int]string{4: "000000000300"})
		primary.answer(last, map[int]string{39: "900"})
	})
}

// The merchant reverses what is still held: the issuer never hears of either.
func TestReversalOfAHeldRequest(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1220", offline(1, 100))
		shop.read("1230")
		owed := primary.read("1220")
		shop.send("1200", sale(2, 200))
		shop.send("1200", sale(3, 300))
		time.Sleep(time.Second)
		shop.send("1420", reversal(4, 2, 200))
		want(t, shop.read("1210"), map[int]string{11: "000002", 39: "902"})
		want(t, shop.read("1430"), map[int]string{39: "400"})
		primary.answer(owed, map[int]string{39: "900"})
		m := primary.read("1200")
		want(t, m, map[int]string{4: "000000000300"})
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{11: "000003", 39: "000"})
		primary.quiet(time.Minute)
		shop.send("1420", reversal(5, 2, 200))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		primary.quiet(time.Minute)
	})
}

// A restart finds a held request: it never left, so there is nothing to reverse. One that has left
// is reversed.
func TestRestartFindsHeldRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		primary, standby := y.openBoth()
		shop := y.merchant()
		shop.send("1220", offline(1, 100))
		shop.read("1230")
		owed := primary.read("1220")
		shop.send("1200", sale(2, 200))
		time.Sleep(time.Second)
		primary.answer(owed, map[int]string{39: "900"})
		primary.read("1200")
		shop.send("1220", offline(3, 300))
		shop.read("1230")
		primary.read("1220")
		shop.send("1200", sale(4, 400))
		time.Sleep(time.Second)
		y.crash(shop, primary, standby)
		y.start()
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		for range 2 {
			m := primary.next(time.Minute)
			if m == nil {
				t.Fatal("nothing came")
			}
			if m.MTI() == 0x1421 || m.MTI() == 0x1420 {
				want(t, m, map[int]string{4: "000000000200", 25: "4021"})
			} else {
				want(t, m, map[int]string{4: "000000000300"})
			}
			primary.answer(m, map[int]string{39: "900"})
		}
		primary.quiet(time.Minute)
		shop = y.merchant()
		shop.send("1201", sale(2, 200))
		want(t, shop.read("1210"), map[int]string{39: "911"})
		shop.send("1201", sale(4, 400))
		want(t, shop.read("1210"), map[int]string{39: "912"})
		y.close(shop, primary, standby)
	})
}

// Too many of one card are refused, not kept without an end.
func TestHeldIsBounded(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1220", offline(1, 100))
		shop.read("1230")
		owed := primary.read("1220")
		for stan := range 17 {
			shop.send("1200", sale(100+stan, 200))
		}
		want(t, shop.read("1210"), map[int]string{11: "000116", 39: "907"})
		primary.answer(owed, map[int]string{39: "900"})
		for range 16 {
			primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000"})
			shop.read("1210")
		}
	})
}

// A request that never left its link goes over another, unless a later one of its card has gone
// there already: then it is answered as never sent.
func TestMovedRequestsDoNotOvertake(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shops := 400
		for stan := range shops { // until the primary's connection takes no more
			shop.send("1200", with(sale(stan+1, 700), map[int]string{2: cardOf(stan % 100)}))
		}
		time.Sleep(100 * time.Millisecond)
		if _, err := y.sw.Tell(t.Context(), "issuer-a", "primary", cardswitch.LinkDrain); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		last := map[string]string{}
		take := func(m *spec.Message) {
			if m.MTI() != 0x1200 {
				standby.answer(m, map[int]string{39: "400"})
				return
			}
			if pan, rrn := value(m, 2), value(m, 37); rrn < last[pan] {
				t.Errorf("%s of a card came after %s", rrn, last[pan])
			} else {
				last[pan] = rrn
			}
			standby.answer(m, map[int]string{38: "A00001", 39: "000"})
		}
		for stan := 575; stan < 600; stan++ { // some cards ask again, over the standby
			shop.send("1200", with(sale(stan, 700), map[int]string{2: cardOf(stan % 100)}))
			take(standby.read("1200"))
		}
		primary.conn.Close()
		for m := standby.next(5 * time.Second); m != nil; m = standby.next(5 * time.Second) {
			take(m)
		}
		answered := map[string]int{}
		for m := shop.next(20 * time.Second); m != nil; m = shop.next(20 * time.Second) {
			answered[value(m, 39)]++
		}
		if answered["911"] == 0 || answered["912"] == 0 || answered["000"] <= 25 ||
			answered["911"]+answered["912"]+answered["000"] != shops+25 {
			t.Errorf("answers %v, want %d, some of each kind", answered, shops+25)
		}
	})
}

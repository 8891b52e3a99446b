package cardswitch_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cardswitch "cardswitch/switch"
)

// run plays one scene in a bubble: a switch, the issuer's primary and standby, one merchant.
func run(t *testing.T, change func(*cardswitch.Config),
	scene func(y *yard, shop, primary, standby *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, change)
		primary, standby := y.openBoth()
		shop := y.merchant()
		scene(y, shop, primary, standby)
		y.close(shop, primary, standby)
	})
}

func TestSaleApproved(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(42, 1000))
		m := primary.read("1200")
		want(t, m, map[int]string{2: card, 4: "000000001000", 37: "RRN000000042", 59: "cookie-42"})
		primary.answer(m, map[int]string{38: "A12345", 39: "000"})
		a := shop.read("1210")
		want(t, a, map[int]string{2: card, 11: "000042", 12: "261122120000", 38: "A12345",
			39: "000", 59: "cookie-42"})
		if a.Has(33) {
			t.Error("the answer names a forwarder that the request didn't have")
		}
		// The same question gets the same answer, and the issuer isn't asked again.
		for _, mti := range []string{"1201", "1200"} {
			shop.send(mti, sale(42, 1000))
			again := shop.read("1210")
			if string(again.Raw()) != string(a.Raw()) {
				t.Errorf("the repeat got another answer:\n%q\n%q", again.Raw(), a.Raw())
			}
		}
		primary.quiet(time.Second)
		// Another question with the same trace number is refused.
		shop.send("1200", sale(42, 999))
		want(t, shop.read("1210"), map[int]string{39: "913"})
	})
}

func TestTimeoutIsReversed(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		began := time.Now()
		shop.send("1200", sale(7, 500))
		m := primary.read("1200")
		want(t, shop.read("1210"), map[int]string{11: "000007", 39: "911"})
		if took := time.Since(began); took < 19*time.Second || took > 21*time.Second {
			t.Errorf("answered after %v, want 20 s", took)
		}
		r := primary.read("1420")
		want(t, r, map[int]string{2: card, 4: "000000000500", 24: "400", 25: "4021",
			37: "RRN000000007",
			56: "1200" + value(m, 11) + "261122120000" + "11" + acquirer})
		// Not answered: it comes again as a repeat, with the same trace number.
		again := primary.read("1421")
		want(t, again, map[int]string{11: value(r, 11), 56: value(r, 56)})
		primary.answer(again, map[int]string{39: "400"})
		// The late approval changes nothing any more; the repeat gets the first answer.
		primary.answer(m, map[int]string{38: "LATE01", 39: "000"})
		shop.quiet(time.Second)
		shop.send("1201", sale(7, 500))
		want(t, shop.read("1210"), map[int]string{39: "911"})
		primary.quiet(30 * time.Second)
		if st := y.sw.Status(); st.Counts.Late != 1 || st.Owed != 0 {
			t.Errorf("late answers %d, owed %d; want 1 and 0", st.Counts.Late, st.Owed)
		}
	})
}

func TestMerchantReversal(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		stan := value(m, 11)
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		shop.read("1210")
		shop.send("1420", reversal(2, 1, 700))
		want(t, shop.read("1430"), map[int]string{11: "000002", 39: "400"})
		r := primary.read("1420")
		want(t, r, map[int]string{25: "4000",
			56: "1200" + stan + "261122120000" + "11" + acquirer})
		primary.answer(r, map[int]string{39: "400"})
		// A second reversal of the same sale reverses nothing more.
		shop.send("1420", reversal(3, 1, 700))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		primary.quiet(20 * time.Second)
		// One of nothing is told so.
		shop.send("1420", reversal(4, 99, 700))
		want(t, shop.read("1430"), map[int]string{39: "914"})
	})
}

func TestReversalBeforeAnswer(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		shop.send("1420", reversal(2, 1, 700))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		primary.quiet(5 * time.Second) // the reversal waits for the original's answer
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{11: "000001", 39: "000"})
		r := primary.read("1420")
		want(t, r, map[int]string{25: "4000"})
		primary.answer(r, map[int]string{39: "400"})
		primary.quiet(30 * time.Second)
	})
}

func TestAdviceIsKeptUntilAccepted(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		e := sale(5, 300)
		e[25], e[38], e[39] = "1004", "OFF001", "000"
		shop.send("1220", e)
		want(t, shop.read("1230"), map[int]string{11: "000005", 39: "900"})
		m := primary.read("1220")
		primary.answer(m, map[int]string{39: "911"}) // to be tried again
		again := primary.read("1221")
		want(t, again, map[int]string{11: value(m, 11), 4: "000000000300", 2: card})
		primary.answer(again, map[int]string{39: "902"}) // refused: people decide
		time.Sleep(time.Second)
		list, err := y.sw.WorkList()
		if err != nil || len(list) != 1 {
			t.Fatalf("work list: %v %v, want one entry", list, err)
		}
		if err := y.sw.Resolve(list[0].ID, cardswitch.Resolution{Act: "retry", Who: "sato",
			Why: "issuer has mended its table"}); err != nil {
			t.Fatal(err)
		}
		third := primary.read("1221")
		primary.answer(third, map[int]string{39: "900"})
		primary.quiet(20 * time.Second)
		if list, _ := y.sw.WorkList(); len(list) != 0 || y.sw.Status().Owed != 0 {
			t.Errorf("still owed: %v", list)
		}
	})
}

func TestRefusals(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		for _, c := range []struct {
			name   string
			change func(map[int]string)
			mti    string
			action string
		}{
			{"unknown acquirer", func(e map[int]string) { e[32] = "777" }, "1200", "905"},
			{"no route", func(e map[int]string) { e[2] = "4111111111111111" }, "1200", "908"},
			{"no processing code", func(e map[int]string) { delete(e, 3) }, "1200", "904"},
			{"not allowed here", func(e map[int]string) {}, "1604", "902"},
		} {
			e := sale(60, 100)
			c.change(e)
			shop.send(c.mti, e)
			m := shop.next(time.Minute)
			if m == nil || value(m, 39) != c.action {
				t.Errorf("%s: got %v, want action %s", c.name, m, c.action)
			}
			if c.action == "904" && !strings.Contains(value(m, 44), "element 3") {
				t.Errorf("%s: element 44 is %q, want the element's number", c.name, value(m, 44))
			}
		}
		primary.quiet(time.Second)
	})
}

func TestLinkLostWhileWaiting(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		primary.read("1200")
		primary.conn.Close()
		want(t, shop.read("1210"), map[int]string{39: "911"})
		r := standby.read("1420") // the outcome is unknown: reversed over the standby
		want(t, r, map[int]string{25: "4021"})
		standby.answer(r, map[int]string{39: "914"}) // it never had it: as good
		shop.send("1200", sale(2, 800))
		m := standby.read("1200")
		standby.answer(m, map[int]string{38: "S00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
	})
}

func TestBothLinksGone(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		primary.conn.Close()
		standby.conn.Close()
		time.Sleep(10 * time.Millisecond)
		shop.send("1200", sale(1, 700))
		want(t, shop.read("1210"), map[int]string{39: "912"})
	})
}

// The process ends with a request open and an advice owed; the next one finishes both.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		primary, standby := y.openBoth()
		shop := y.merchant()
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		y.crash(primary, standby, shop)

		y.start()
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		r := primary.read("1420")
		want(t, r, map[int]string{2: card, 25: "4021", 56: "1200" + value(m, 11) +
			"261122120000" + "11" + acquirer})
		primary.answer(r, map[int]string{39: "400"})
		shop = y.merchant()
		shop.send("1201", sale(1, 700))
		want(t, shop.read("1210"), map[int]string{39: "911"})
		shop.send("1200", sale(2, 100))
		m2 := primary.read("1200")
		if value(m2, 11) == value(m, 11) {
			t.Error("the trace number was given out twice")
		}
		primary.answer(m2, map[int]string{38: "A00002", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		y.close(shop, primary, standby)
	})
}

// The card came by its track, which may not be kept: the reversal still names the card, before and
// after a restart, and the disk holds neither.
func TestTrackOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		primary, standby := y.openBoth()
		shop := y.merchant()
		track := func(stan int) map[int]string {
			e := sale(stan, 700)
			delete(e, 2)
			e[35] = card + "=29122010000000000000"
			e[55] = "\x57\x03\x35\x30\x11\x9F\x26\x02\xAB\xCD"
			return e
		}
		shop.send("1200", track(1))
		m := primary.read("1200")
		want(t, m, map[int]string{35: card + "=29122010000000000000"})
		want(t, shop.read("1210"), map[int]string{39: "911"})
		r := primary.read("1420")
		want(t, r, map[int]string{2: card})
		if r.Has(35) {
			t.Error("the reversal carries the track")
		}
		primary.answer(r, map[int]string{39: "400"})
		e := track(2)
		e[25], e[38], e[39] = "1004", "OFF001", "000"
		shop.send("1220", e)
		shop.read("1230")
		a := primary.read("1220")
		want(t, a, map[int]string{2: card, 55: "\x9F\x26\x02\xAB\xCD"})
		primary.answer(a, map[int]string{39: "900"})
		time.Sleep(time.Second)
		shop.send("1200", track(3))
		primary.read("1200")
		y.crash(primary, standby, shop)
		y.start()
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		want(t, primary.read("1420"), map[int]string{2: card, 25: "4021"})
		shop = y.merchant()
		shop.send("1201", track(1))
		want(t, shop.read("1210"), map[int]string{39: "911"})
		y.close(shop, primary, standby)
	})
}

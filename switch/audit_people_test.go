package cardswitch_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
)

func offline(stan, amount int) map[int]string {
	e := sale(stan, amount)
	e[25], e[38], e[39] = "1004", "OFF001", "000"
	return e
}

// An advice that was sent again by an operator and refused again can be decided again, also after a
// restart; the decision to drop it ends it.
func TestWorkListAgain(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1220", offline(5, 300))
		shop.read("1230")
		primary.answer(primary.read("1220"), map[int]string{39: "902"})
		for _, act := range []string{"retry", "retry", "drop"} {
			time.Sleep(time.Second)
			list, err := y.sw.WorkList()
			if err != nil || len(list) != 1 || y.sw.Status().Shelved != 1 {
				t.Fatalf("work list: %v %v, shelved %d; want one entry", list, err,
					y.sw.Status().Shelved)
			}
			decide := cardswitch.Resolution{Act: act, Who: "sato", Why: "told by phone"}
			if err := y.sw.Resolve(list[0].ID, decide); err != nil {
				t.Fatal(err)
			}
			if err := y.sw.Resolve(list[0].ID, decide); err == nil {
				t.Error("decided twice at once")
			}
			if act == "retry" {
				primary.answer(primary.read("1221"), map[int]string{39: "902"})
			}
		}
		primary.quiet(time.Minute)
		if list, _ := y.sw.WorkList(); len(list) != 0 || y.sw.Status().Shelved != 0 {
			t.Errorf("still there: %v", list)
		}
	})
}

// What can't be answered at all is no question: the same again doesn't keep the journal's reader
// busy with looking for an answer.
func TestUnanswerableAgain(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		bad := sale(1, 700)
		delete(bad, 11)
		for range 100 {
			shop.send("1200", bad)
		}
		time.Sleep(100 * time.Millisecond)
		if n := y.sw.Status().Counts.Repeats; n != 0 {
			t.Errorf("%d were looked up", n)
		}
		shop.send("1200", sale(2, 700))
		primary.answer(primary.read("1200"), map[int]string{38: "A00002", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		shop.send("1201", sale(2, 700))
		want(t, shop.read("1210"), map[int]string{39: "000"})
	})
}

// The merchant reverses an advice that the issuer has not taken yet: both go, in order, and the
// reversal names the advice.
func TestReversalOfQueuedAdvice(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1220", offline(5, 300))
		shop.read("1230")
		m := primary.read("1220")
		r := reversal(6, 5, 300)
		r[56] = "1220" + r[56][4:]
		shop.send("1420", r)
		want(t, shop.read("1430"), map[int]string{39: "400"})
		primary.quiet(10 * time.Second)
		again := primary.read("1221")
		want(t, again, map[int]string{11: value(m, 11)})
		primary.answer(again, map[int]string{39: "900"})
		out := primary.read("1420")
		want(t, out, map[int]string{56: "1220" + value(m, 11) + "261122120000" + "11" + acquirer})
		primary.answer(out, map[int]string{39: "400"})
		primary.quiet(time.Minute)
	})
}

// A repeat comes over another connection while the request is open: the answer goes there, once,
// and nothing is asked twice. The first connection ends meanwhile.
func TestRepeatWhilePendingElsewhere(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		other := y.merchant()
		other.send("1201", sale(1, 700))
		time.Sleep(100 * time.Millisecond)
		shop.conn.Close()
		time.Sleep(100 * time.Millisecond)
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, other.read("1210"), map[int]string{11: "000001", 39: "000"})
		primary.answer(m, map[int]string{38: "A00001", 39: "000"}) // again: nobody's
		other.quiet(time.Second)
		primary.quiet(30 * time.Second)
		if st := y.sw.Status(); st.Open != 0 || st.Owed != 0 {
			t.Errorf("open %d, owed %d", st.Open, st.Owed)
		}
		for _, l := range y.sw.Links().Centers {
			if l.InFlight != 0 {
				t.Errorf("center %s: %d in flight", l.Name, l.InFlight)
			}
		}
		other.conn.Close()
	})
}

// An issuer that is not signed on, a merchant that is not, a repeat that comes first: each has its
// answer, and an issuer asks nothing of us.
func TestWhoMayAsk(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		primary.send("1200", sale(9, 100))
		want(t, primary.read("1210"), map[int]string{39: "902"})
		shop.send("1201", sale(1, 700))
		m := primary.read("1200")
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		// An answer over the standby is as good; one from the merchant is none.
		shop.send("1200", sale(2, 700))
		m = primary.read("1200")
		shop.send("1210", map[int]string{3: "000000", 11: value(m, 11), 12: "261122120000",
			32: acquirer, 38: "A00009", 39: "000"})
		shop.quiet(time.Second)
		standby.answer(m, map[int]string{38: "A00002", 39: "000"})
		want(t, shop.read("1210"), map[int]string{38: "A00002", 39: "000"})
		for _, p := range []*peer{primary, standby} {
			p.send("1804", map[int]string{11: "000001", 12: "261122120000", 24: "802",
				93: "99999000001", 94: "00000000017"})
			want(t, p.read("1814"), map[int]string{39: "800"})
		}
		shop.send("1200", sale(3, 700))
		want(t, shop.read("1210"), map[int]string{39: "910"})
		shop.send("1804", map[int]string{11: "000002", 12: "261122120000", 24: "802",
			93: "99999000001", 94: acquirer})
		want(t, shop.read("1814"), map[int]string{39: "800"})
		shop.send("1200", sale(4, 700))
		want(t, shop.read("1210"), map[int]string{39: "910"})
	})
}

// A reversal that came while its sale was open, and then the process ends: one reversal goes out.
func TestReversalAheadThenCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		primary, standby := y.openBoth()
		shop := y.merchant()
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		shop.send("1420", reversal(2, 1, 700))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		y.crash(primary, standby, shop)
		y.start()
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		r := primary.next(time.Minute)
		if r == nil || !strings.HasPrefix(r.MTI().String(), "142") {
			t.Fatalf("no reversal: %v", r)
		}
		want(t, r, map[int]string{25: "4000",
			56: "1200" + value(m, 11) + "261122120000" + "11" + acquirer})
		primary.answer(r, map[int]string{39: "914"}) // it never had the sale
		primary.quiet(time.Minute)
		if st := y.sw.Status(); st.Owed != 0 || st.Shelved != 0 {
			t.Errorf("owed %d, shelved %d", st.Owed, st.Shelved)
		}
		shop = y.merchant()
		shop.send("1201", sale(1, 700))
		want(t, shop.read("1210"), map[int]string{39: "911"})
		y.close(shop, primary, standby)
	})
}

// What people say why is kept in the journal without the card numbers that they put into it.
func TestPeopleSayCardNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, nil)
		bank, shop := y.open()
		y.told(shop, "1220", offline(5, 300), "900")
		bank.answer(bank.read("1220"), map[int]string{39: "902"})
		time.Sleep(time.Second)
		list, err := y.sw.WorkList()
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		const said = "the holder of 3530 1113 3330 0000 called"
		drop := cardswitch.Resolution{Act: "drop", Who: "sato", Why: said}
		if err := y.sw.Resolve(list[0].ID, drop); err != nil {
			t.Fatal(err)
		}
		if _, err := y.sw.CutOver("issuer-a", 0, "abe"); err != nil {
			t.Fatal(err)
		}
		if err := y.sw.Accept("issuer-a", 101, "abe", said+", "+card); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		told := 0
		err = y.sw.Journal().Replay(1, func(r *journal.Record) error {
			if strings.Contains(r.Text, "the holder of") {
				told++
			}
			if strings.Contains(strings.ReplaceAll(r.Text, " ", ""), card) {
				t.Errorf("record %d: %s", r.Seq, r.Text)
			}
			return nil
		})
		if err != nil || told != 2 {
			t.Errorf("%d, %v", told, err)
		}
		y.close(shop, bank)
	})
}

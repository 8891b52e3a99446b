package cardswitch_test

import (
	"fmt"
	"testing"
	"time"

	cardswitch "cardswitch/switch"
)

// An issuer says the same late answer over and over: it is noted once.
func TestLateAnswerAgainAndAgain(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		want(t, shop.read("1210"), map[int]string{39: "911"})
		primary.answer(primary.read("1420"), map[int]string{39: "400"})
		time.Sleep(time.Second)
		before := y.sw.Status().Journal.LastSeq
		for range 500 {
			primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		}
		time.Sleep(time.Second)
		st := y.sw.Status()
		if n := st.Journal.LastSeq - before; n > 100 || st.Counts.Late != 1 {
			t.Errorf("%d records, %d late answers; want few and 1", n, st.Counts.Late)
		}
	})
}

// An issuer that answers everything wrongly leaves no marks behind: its answers came.
func TestInvalidAnswers(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		primary.answer(m, map[int]string{38: "A00001", 39: "800"})
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		shop.read("1210")
		shop.quiet(time.Second)
		if n := y.sw.Status().Open; n != 0 {
			t.Errorf("%d open", n)
		}
	})
}

// An answer that names another card is none to this question: it is reversed, and the repeat gets
// what the question got.
func TestAnswerWithAnotherCard(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		primary.answer(m, map[int]string{2: "3530111333300018", 38: "A00001", 39: "000"})
		a := shop.read("1210")
		want(t, a, map[int]string{2: card, 39: "909"})
		r := primary.read("1420")
		want(t, r, map[int]string{2: card, 25: "4020"})
		primary.answer(r, map[int]string{39: "400"})
		shop.send("1201", sale(1, 700))
		if again := shop.read("1210"); string(again.Raw()) != string(a.Raw()) {
			t.Errorf("another answer:\n%q\n%q", a.Raw(), again.Raw())
		}
	})
}

// An approval for part of the amount is the issuer's to give.
func TestPartialApproval(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		primary.answer(m, map[int]string{4: "000000000500", 30: "000000000700000000000000",
			38: "A00001", 39: "002"})
		a := shop.read("1210")
		want(t, a, map[int]string{4: "000000000500", 39: "002"})
		shop.send("1201", sale(1, 700))
		if again := shop.read("1210"); string(again.Raw()) != string(a.Raw()) {
			t.Error("the repeat got another answer")
		}
	})
}

// A merchant's reversal comes before the answer, which approves a part: what is reversed is that,
// in the repeat after a crash too.
func TestReversalAheadOfAPart(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		shop.send("1420", reversal(2, 1, 700))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		primary.answer(m, map[int]string{4: "000000000500", 30: "000000000700000000000000",
			38: "A00001", 39: "002"})
		want(t, shop.read("1210"), map[int]string{4: "000000000500", 39: "002"})
		of := "1200" + value(m, 11) + "261122120000" + "11" + acquirer
		want(t, primary.read("1420"), map[int]string{4: "000000000500", 24: "400", 56: of})
		y.crash(shop, primary, standby)
		y.start()
		*primary, *standby = *y.issuer(y.doors[0], "primary"), *y.issuer(y.doors[1], "standby")
		r := primary.read("1421")
		want(t, r, map[int]string{4: "000000000500", 24: "400", 56: of})
		primary.answer(r, map[int]string{39: "400"})
		primary.quiet(time.Minute)
	})
}

// An approval for part of the amount comes when the merchant is gone: what is reversed is what was
// approved.
func TestPartialApprovalUndeliverable(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		shop.conn.Close()
		time.Sleep(time.Second)
		primary.answer(m, map[int]string{4: "000000000500", 30: "000000000700000000000000",
			38: "A00001", 39: "002"})
		want(t, primary.read("1420"), map[int]string{4: "000000000500", 25: "4013"})
		*shop = *y.merchant()
		shop.send("1201", sale(1, 700))
		want(t, shop.read("1210"), map[int]string{39: "907"})
	})
}

// The issuer writes its own local time into answers. Its profile says so.
func TestIssuersOwnLocalTime(t *testing.T) {
	change := func(c *cardswitch.Config) {
		c.Centers[1].Rules.Relax = map[string][]int{"1210": {12}, "1430": {12}}
	}
	run(t, change, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		primary.answer(primary.read("1200"), map[int]string{12: "261122120003", 38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{12: "261122120000", 39: "000"})
		shop.send("1420", reversal(2, 1, 700))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		primary.answer(primary.read("1420"), map[int]string{12: "261122120004", 39: "400"})
		primary.quiet(time.Minute)
	})
}

// A partner names the acquirer in element 56 with eleven digits, filled with zeros.
func TestOriginalWithFixedAcquirer(t *testing.T) {
	change := func(c *cardswitch.Config) { c.Centers[0].Acquirers = []string{acquirer, "12345"} }
	run(t, change, func(y *yard, shop, primary, standby *peer) {
		e := sale(1, 700)
		e[32] = "12345"
		shop.send("1200", e)
		m := primary.read("1200")
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		r := reversal(2, 1, 700)
		r[32] = "12345"
		r[56] = "1200" + fmt.Sprintf("%06d", 1) + "261122120000" + "00000012345"
		shop.send("1420", r)
		want(t, shop.read("1430"), map[int]string{39: "400"})
		want(t, primary.read("1420"), map[int]string{
			56: "1200" + value(m, 11) + "261122120000" + "05" + "12345"})
	})
}

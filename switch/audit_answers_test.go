package cardswitch_test

import (
	"testing"
	"time"
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

package cardswitch_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/settle"
)

// unconfirmed plays a sale that the issuer never answers, in the first business day.
func unconfirmed(t *testing.T, play func(y *yard, shop, bank *peer)) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, func(r *cardswitch.ReconciliationConfig) {
			r.Unconfirmed = cardswitch.UnconfirmedBoth
		})
		bank, shop := y.open()
		play(y, shop, bank)
		y.addUp()
		y.close(shop, bank)
	})
}

// A merchant's reversal that comes before the answer proves, when it is accepted, that there was a
// sale: it counts in the day in which the sale was sent.
func TestReversalAheadProvesItsSale(t *testing.T) {
	unconfirmed(t, func(y *yard, shop, bank *peer) {
		shop.send("1200", sale(1, 700))
		bank.read("1200")
		shop.send("1420", reversal(2, 1, 700))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		want(t, shop.read("1210"), map[int]string{39: "911"})
		bank.answer(bank.read("1420"), map[int]string{39: "400"})
		want(t, bank.read("1520"), map[int]string{28: "000101", 76: "0000000001",
			88: "0000000000000700", 75: "0000000001", 87: "0000000000000700"})
	})
}

// A day isn't compared while a reversal is owed that may prove a sale of it, though the reversal
// itself counts in the next day.
func TestDayWaitsForWhatMayProveASale(t *testing.T) {
	unconfirmed(t, func(y *yard, shop, bank *peer) {
		time.Sleep(50 * time.Second)
		shop.send("1200", sale(1, 700))
		want(t, bank.read("1200"), map[int]string{28: "000101"})
		want(t, shop.read("1210"), map[int]string{39: "911"})
		owed := bank.read("1420")
		want(t, owed, map[int]string{28: "000102"})
		bank.quiet(20 * time.Second)
		bank.answer(owed, map[int]string{39: "400"})
		want(t, bank.read("1520"), map[int]string{28: "000101", 76: "0000000001",
			88: "0000000000000700", 75: "0000000000"})
	})
}

// A reversal that the issuer refuses waits for a person, who may take days. Its original's day is
// compared without it, as its outcome isn't known to be positive; the day, the statement and the
// comparison say that it waits, and once it is retried and accepted, both count.
func TestDayTellsWhatWaitsForAPerson(t *testing.T) {
	unconfirmed(t, func(y *yard, shop, bank *peer) {
		time.Sleep(50 * time.Second)
		shop.send("1200", sale(1, 700))
		asked := bank.read("1200")
		want(t, shop.read("1210"), map[int]string{39: "911"})
		refused := bank.read("1420")
		bank.answer(refused, map[int]string{39: "902"})
		told := bank.read("1520")
		want(t, told, map[int]string{28: "000101", 76: "0000000000"})
		bank.answer(told, map[int]string{39: "501"}) // they have approved the sale, and count it
		time.Sleep(time.Second)

		list, err := y.sw.WorkList()
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		for _, day := range []string{"000101", "000102"} {
			if st := periodOf(t, y, day); st.Undecided != 1 || st.Waits {
				t.Errorf("%+v", st)
			}
		}
		y.tellsOfWhatWaits(t, asked, list[0].ID, "refused with 902, is on the work list")

		if err := y.sw.Resolve(list[0].ID, cardswitch.Resolution{Act: "retry", Who: "abe",
			Why: "they said so"}); err != nil {
			t.Fatal(err)
		}
		again := bank.read("1421")
		if st := periodOf(t, y, "000101"); st.Undecided != 0 || !st.Waits {
			t.Errorf("retried: %+v", st)
		}
		bank.answer(again, map[int]string{39: "400"})
		time.Sleep(time.Second)
		if err := y.sw.Reconcile("issuer-a", 101, 0); err != nil {
			t.Fatal(err)
		}
		told = bank.read("1520")
		want(t, told, map[int]string{28: "000101", 76: "0000000001", 88: "0000000000000700"})
		bank.answer(told, map[int]string{39: "500"})
		time.Sleep(time.Second)
		if st := periodOf(t, y, "000101"); st.State != "agreed" {
			t.Errorf("agreed: %+v", st)
		}
	})
}

// One that a person drops from the work list is told of in the comparison too.
func TestComparisonTellsWhatWasDropped(t *testing.T) {
	unconfirmed(t, func(y *yard, shop, bank *peer) {
		time.Sleep(50 * time.Second)
		shop.send("1200", sale(1, 700))
		asked := bank.read("1200")
		shop.send("1420", reversal(2, 1, 700)) // of the merchant, ahead of the answer
		shop.read("1430")
		shop.read("1210")
		bank.answer(bank.read("1420"), map[int]string{39: "902"})
		time.Sleep(time.Second)
		list, err := y.sw.WorkList()
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		y.tellsOfWhatWaits(t, asked, list[0].ID, "refused with 902, is on the work list")
		if err := y.sw.Resolve(list[0].ID, cardswitch.Resolution{Act: "drop", Who: "abe",
			Why: "settled by telephone"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		found := y.compared(t, asked)
		if len(found) != 1 || found[0].Cause != settle.LateApproved ||
			!strings.Contains(found[0].Why, "was dropped: drop by abe: settled by telephone") {
			t.Errorf("%+v", found)
		}
	})
}

// tellsOfWhatWaits demands that the statement of the first day, and its comparison with a book that
// has a sale, tell of a reversal that waits.
func (y *yard) tellsOfWhatWaits(t *testing.T, sale *spec.Message, advice uint64, why string) {
	t.Helper()
	statement, err := y.sw.Statement(101, "")
	if err != nil || len(statement.Undecided) != 1 {
		t.Fatalf("%+v, %v", statement.Undecided, err)
	}
	u := statement.Undecided[0]
	if u.Advice != advice || u.Issuer != "issuer-a" || u.Merchant != "hq-1" || u.Amount != 700 ||
		!u.Original {
		t.Errorf("undecided: %+v", u)
	}
	found := y.compared(t, sale)
	if len(found) != 1 || found[0].Cause != settle.LateApproved ||
		!strings.Contains(found[0].Why, fmt.Sprintf("its reversal %d, %s", advice, why)) {
		t.Errorf("%+v", found)
	}
}

// compared compares the first day with a book that has one sale.
func (y *yard) compared(t *testing.T, sale *spec.Message) []settle.Difference {
	t.Helper()
	found, err := y.sw.CompareListing("issuer-a", 101, 0, strings.NewReader(
		"mti,stan,local_time,processing,amount\n1200,"+value(sale, 11)+","+value(sale, 12)+
			",000000,700\n"))
	if err != nil {
		t.Fatal(err)
	}
	return found.Differences
}

package cardswitch_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	"cardswitch/store/total"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/settle"
)

// reconciling is a yard whose issuer reconciles. The bubble begins at 9:00 in Tokyo on 1 January
// 2000; the day ends a minute later.
func reconciling(t *testing.T, change func(*cardswitch.ReconciliationConfig)) *yard {
	return newYard(t, func(c *cardswitch.Config) {
		r := &cardswitch.ReconciliationConfig{Cutover: "09:01", After: 5 * time.Second}
		if change != nil {
			change(r)
		}
		c.Centers[1].Reconciliation = r
	})
}

// sell sells, and the issuer approves; it returns what the issuer got.
func sell(shop, bank *peer, stan, amount int) *spec.Message {
	shop.y.t.Helper()
	shop.send("1200", sale(stan, amount))
	m := bank.read("1200")
	bank.answer(m, map[int]string{38: "A00001", 39: "000"})
	want(shop.y.t, shop.read("1210"), map[int]string{28: "", 39: "000"})
	return m
}

// addUp demands that the kept totals are those of the journal.
func (y *yard) addUp() {
	y.t.Helper()
	report, err := y.sw.Journal().AddUp(func(total.Key) bool { return true })
	if err != nil || len(report.Differ) != 0 {
		y.t.Errorf("totals are not those of the journal: %+v, %v", report, err)
	}
}

// The worked check of reference iso8583-1993 section 5.7, through the whole switch: three sales, a
// return, a sale cancelled; the day is cut over and the issuer is told the totals.
// totalsOf are the elements of a message about the totals of sales.
// An issuer compares by its own 1522 and 1502, any day later, and gets the same verdict for the
// same question.
func periodOf(t *testing.T, y *yard, day string) cardswitch.PeriodStatus {
	t.Helper()
	list, err := y.sw.Periods("issuer-a")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if p.Day == day {
			return p
		}
	}
	t.Fatalf("there is no day %s in %+v", day, list)
	return cardswitch.PeriodStatus{}
}

// sales is the number and amount of the sales of a day.
func (y *yard) sales(day settle.Day) total.Sum {
	y.t.Helper()
	totals, err := y.sw.PeriodTotals("issuer-a", day, 0)
	if err != nil {
		y.t.Fatal(err)
	}
	for _, t := range totals {
		return t.Totals[total.Debit.String()]
	}
	return total.Sum{}
}

// Where the issuer gives the days, its answers say in which one a transaction counts; the first of
// the next day, or its 1804/821, ends ours. What names a day that has ended still counts in it.
func TestIssuerGivesTheDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, func(r *cardswitch.ReconciliationConfig) {
			r.Date, r.Cutover = cardswitch.DatePeer, ""
		})
		bank, shop := y.open()
		for i, day := range []string{"000101", "000102", "000101", ""} {
			shop.send("1200", with(sale(i+1, 100), map[int]string{28: "991111"}))
			m := bank.read("1200")
			want(t, m, map[int]string{28: ""})
			bank.answer(m, map[int]string{28: day, 38: "A00001", 39: "000"})
			want(t, shop.read("1210"), map[int]string{28: "991111"}) // its own
		}
		if a, b := y.sales(101), y.sales(102); a.Number != 2 || b.Number != 2 {
			t.Errorf("%d and %d sales, want 2 and 2", a.Number, b.Number)
		}
		cut := map[int]string{11: "000001", 12: "000101090001", 24: "821", 28: "000103",
			93: "99999000001", 94: "00000000017"}
		bank.send("1804", cut)
		want(t, bank.read("1814"), map[int]string{39: "800"})
		bank.send("1804", cut) // told again
		want(t, bank.read("1814"), map[int]string{39: "800"})
		bank.send("1804", with(cut, map[int]string{28: "000102"}))
		want(t, bank.read("1814"), map[int]string{39: "915"})
		bank.send("1804", with(cut, map[int]string{24: "822", 28: "000103", 29: "002"}))
		want(t, bank.read("1814"), map[int]string{39: "800"})
		if st := periodOf(t, y, "000103"); st.State != "open" || st.Slice != 2 {
			t.Errorf("%+v", st)
		}
		shop.send("1200", sale(9, 100))
		bank.answer(bank.read("1200"), map[int]string{28: "000102", 38: "A00001", 39: "000"})
		shop.read("1210")
		if n := y.sales(102).Number; n != 3 {
			t.Errorf("%d sales, want 3", n)
		}
		shop.send("1200", sale(10, 100)) // what was asked after a day doesn't hold it up
		waiting := bank.read("1200")
		bank.send("1522", totalsOf(5, "500", "000101", 2, 200))
		want(t, bank.read("1532"), map[int]string{39: "500"})
		bank.send("1522", totalsOf(6, "500", "000103", 0, 0))
		want(t, bank.read("1532"), map[int]string{39: "503"})
		bank.answer(waiting, map[int]string{28: "000103", 38: "A00001", 39: "000"})
		shop.read("1210")
		y.addUp()
		y.close(shop, bank)
	})
}

// Neither a request that was never answered nor its reversal counts, unless the approval comes
// late: then both do, as with the issuer, and with what was approved.
func TestLateApprovalCountsWithItsReversal(t *testing.T) {
	for _, late := range []uint64{0, 700, 300} {
		synctest.Test(t, func(t *testing.T) {
			y := reconciling(t, func(r *cardswitch.ReconciliationConfig) { r.Cutover = "" })
			y.config.Centers[1].AnswerTime = 2 * time.Second
			bank, shop := y.open()
			shop.send("1200", sale(1, 700))
			m := bank.read("1200")
			want(t, shop.read("1210"), map[int]string{39: "911"})
			undo := bank.read("1420")
			switch late {
			case 700:
				bank.answer(m, map[int]string{38: "A00001", 39: "000"})
			case 300:
				bank.answer(m, map[int]string{4: "000000000300", 38: "A00001", 39: "002"})
			}
			time.Sleep(time.Second)
			bank.answer(undo, map[int]string{39: "400"})
			time.Sleep(time.Second)
			totals, err := y.sw.PeriodTotals("issuer-a", 101, 0)
			if err != nil {
				t.Fatal(err)
			}
			both := len(totals) == 1 && totals[0].Totals["debit"].Amount == late &&
				totals[0].Totals["debit reversal"].Amount == late
			if both != (late > 0) || late == 0 && len(totals) != 0 {
				t.Errorf("late %v: %+v", late, totals)
			}
			y.addUp()
			y.close(shop, bank)
		})
	}
}

// A crash loses neither a day nor a total; what was to be compared is, as a repeat if it may have
// been sent before. What comes back for a day that was agreed counts in the open one.
func TestDaysThroughACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, nil)
		bank, shop := y.open()
		sell(shop, bank, 1, 1000)
		shop.send("1220", with(sale(2, 50), map[int]string{24: "200", 25: "1508", 38: "OFF001",
			39: "000"}))
		shop.read("1230")
		refused := bank.read("1220")
		bank.answer(refused, map[int]string{39: "904"}) // to the work list
		time.Sleep(time.Minute)
		first := bank.read("1520")
		y.crash(shop, bank)
		y.start()
		bank = y.issuer(y.doors[0], "primary")
		again := bank.read("1521")
		want(t, again, map[int]string{11: value(first, 11), 28: "000101", 76: "0000000001",
			88: "0000000000001000"})
		bank.answer(again, map[int]string{39: "500"})
		time.Sleep(time.Second)
		if st := periodOf(t, y, "000101"); st.State != "agreed" {
			t.Errorf("%+v", st)
		}
		list, err := y.sw.WorkList()
		if err != nil || len(list) != 1 {
			t.Fatalf("work list %+v, %v", list, err)
		}
		err = y.sw.Resolve(list[0].ID, cardswitch.Resolution{Act: "retry", Who: "abe", Why: "mended"})
		if err != nil {
			t.Fatal(err)
		}
		moved := bank.read("1221")
		want(t, moved, map[int]string{28: "000102"})
		bank.answer(moved, map[int]string{39: "900"})
		time.Sleep(time.Second)
		if a, b := y.sales(101), y.sales(102); a.Number != 1 || b.Amount != 50 {
			t.Errorf("%+v and %+v", a, b)
		}
		y.addUp()
		y.end()
		bank.conn.Close()
	})
}

// A difference that somebody put into the issuer's book is named by its transaction, waits on the
// work list through a restart, and ends with a note.
// The issuer is told of a cutover and of slices, again until it answers; slices are compared when
// they end, and the whole day at its end.
func TestCutoverAndSlicesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, func(r *cardswitch.ReconciliationConfig) {
			r.Announce, r.Cutover, r.Checkpoint = true, "", 5*time.Minute
		})
		y.config.Centers[1].SAF.Wait = 2 * time.Second
		door := y.listen(primaryAt)
		defer door.Close()
		y.start()
		bank := y.issuer(door, "primary")
		told := bank.read("1804")
		want(t, told, map[int]string{24: "821", 28: "000101", 29: ""})
		again := bank.read("1805")
		want(t, again, map[int]string{11: value(told, 11), 24: "821"})
		bank.answer(again, map[int]string{39: "800"})
		time.Sleep(time.Second)
		shop := y.merchant()
		want(t, sell(shop, bank, 1, 300), map[int]string{28: "000101", 29: "001"})
		if _, err := y.sw.Checkpoint("issuer-a", "abe"); err != nil {
			t.Fatal(err)
		}
		begun := bank.read("1804")
		want(t, begun, map[int]string{24: "822", 28: "000101", 29: "002"})
		bank.answer(begun, map[int]string{39: "800"})
		slice := bank.read("1520")
		want(t, slice, map[int]string{24: "501", 28: "000101", 29: "001", 88: "0000000000000300"})
		bank.answer(slice, map[int]string{39: "501"})
		time.Sleep(time.Second)
		want(t, sell(shop, bank, 2, 50), map[int]string{29: "002"})
		if st := periodOf(t, y, "000101"); len(st.OutSlices) != 1 || st.OutSlices[0] != 1 {
			t.Errorf("%+v", st)
		}
		if err := y.sw.Reconcile("issuer-a", 101, 1); err != nil { // it has been corrected
			t.Fatal(err)
		}
		slice = bank.read("1520")
		bank.answer(slice, map[int]string{39: "500"})
		time.Sleep(time.Second)
		if st := periodOf(t, y, "000101"); len(st.OutSlices) != 0 {
			t.Errorf("%+v", st)
		}
		if err := y.sw.Reconcile("issuer-a", 101, 2); err == nil {
			t.Error("an open slice is compared")
		}
		y.end()
		shop.conn.Close()
		bank.conn.Close()
	})
}

// A merchant center may reconcile too: its advices count when they are acknowledged, and answers
// say in which day.
// What is wrong in a reconciliation is named.
func TestValidateReconciliation(t *testing.T) {
	c := cardswitch.Defaults()
	c.Centers = []cardswitch.CenterConfig{{Name: "a", Role: cardswitch.RoleIssuer,
		Reconciliation: &cardswitch.ReconciliationConfig{Date: "them", Cutover: "25:00",
			Holidays: []string{"never"}, Message: "letter", Sealed: "keep", Currency: 1000,
			Checkpoint: time.Second}}}
	c.Settlement.Fees = []cardswitch.FeeConfig{{From: "issuer", To: "issuer", PerMille: "x",
		Merchant: "nobody"}}
	c.Complete()
	err := c.Validate()
	for _, path := range []string{"date", "cutover", "holidays[0]", "message", "sealed", "currency",
		"checkpoint"} {
		if err == nil || !strings.Contains(err.Error(), "reconciliation."+path+":") {
			t.Errorf("nothing is said of %s", path)
		}
	}
	for _, path := range []string{"to", "per_mille", "merchant"} {
		if err == nil || !strings.Contains(err.Error(), "settlement.fees[0]."+path+":") {
			t.Errorf("nothing is said of the fee's %s", path)
		}
	}
}

// A day is cut over while requests wait for their answers. They count in the day that they were
// given, those after in the next, and the totals go out only when the last is answered.
func TestCutoverUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, func(r *cardswitch.ReconciliationConfig) {
			r.Cutover, r.After = "", time.Second
		})
		bank, shop := y.open()
		var waiting []*spec.Message
		for i := range 20 {
			if i == 10 {
				if _, err := y.sw.CutOver("issuer-a", 0, "abe"); err != nil {
					t.Fatal(err)
				}
			}
			e := sale(i+1, 100)
			e[2] = "35301113333000" + []string{"00", "18", "26", "34", "42"}[i%5]
			shop.send("1200", e)
			m := bank.read("1200")
			day := "000101"
			if i >= 10 {
				day = "000102"
			}
			want(t, m, map[int]string{28: day})
			waiting = append(waiting, m)
		}
		bank.quiet(5 * time.Second)
		for i := range waiting {
			bank.answer(waiting[19-i], map[int]string{38: "A00001", 39: "000"})
			shop.read("1210")
		}
		told := bank.read("1520")
		want(t, told, map[int]string{28: "000101", 76: "0000000010", 88: "0000000000001000"})
		bank.answer(told, map[int]string{39: "503"}) // it isn't ready
		bank.quiet(30 * time.Second)
		told = bank.read("1520")
		bank.answer(told, map[int]string{39: "500"})
		time.Sleep(time.Second)
		if st := periodOf(t, y, "000101"); st.State != "agreed" || y.sales(102).Number != 10 {
			t.Errorf("%+v, %+v", st, y.sales(102))
		}
		y.addUp()
		y.close(shop, bank)
	})
}

// Where the merchant's request gives the day, it may name an ended or the next one; what names none
// that is there, or one that is agreed, is refused where that was agreed.
func TestRequestGivesTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, func(r *cardswitch.ReconciliationConfig) {
			r.Date, r.Cutover, r.Sealed = cardswitch.DateRequest, "", cardswitch.SealedRefuse
			r.Starts = cardswitch.StartsPeer
		})
		bank, shop := y.open()
		for i, c := range []struct{ named, given string }{
			{"000101", "000101"}, {"", "000101"}, {"000102", "000102"}, {"000101", "000101"},
			{"", "000102"}, {"991231", ""}, {"000301", ""},
		} {
			shop.send("1200", with(sale(i+1, 100), map[int]string{28: c.named}))
			if c.given == "" {
				want(t, shop.read("1210"), map[int]string{39: "915"})
				continue
			}
			m := bank.read("1200")
			want(t, m, map[int]string{28: c.given})
			bank.answer(m, map[int]string{38: "A00001", 39: "000"})
			shop.read("1210")
		}
		bank.send("1522", totalsOf(1, "500", "000101", 3, 300))
		want(t, bank.read("1532"), map[int]string{39: "500"})
		shop.send("1200", with(sale(9, 100), map[int]string{28: "000101"}))
		want(t, shop.read("1210"), map[int]string{39: "915"})
		y.addUp()
		y.close(shop, bank)
	})
}

// A merchant's request may begin the next business day of an issuer, for all merchants, or one of
// the three after it, which may be the next where holidays aren't listed. What names a later one is
// refused.
func TestRequestBeginsTheNextDayOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, func(r *cardswitch.ReconciliationConfig) {
			r.Date, r.Starts = cardswitch.DateRequest, cardswitch.StartsPeer
		})
		bank, shop := y.open()
		stan := 0
		try := func(named, given string) {
			stan++
			shop.send("1200", with(sale(stan, 100), map[int]string{28: named}))
			if given != "" {
				m := bank.read("1200")
				want(t, m, map[int]string{28: given})
				bank.answer(m, map[int]string{38: "A00001", 39: "000"})
				want(t, shop.read("1210"), map[int]string{39: "000"})
				return
			}
			want(t, shop.read("1210"), map[int]string{39: "915"})
		}
		try("000106", "")
		try("", "000101") // nothing has ended
		try("000102", "000102")
		try("000106", "")       // day after day doesn't get further
		time.Sleep(time.Minute) // now it is the second by the clock
		try("000107", "")
		try("000106", "000106")
		y.addUp()
		y.close(shop, bank)
	})
}

// A day with several currencies is compared in each, and agreed when all are.

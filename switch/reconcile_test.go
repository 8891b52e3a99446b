package cardswitch_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/settle"
)

func TestDayIsComparedWithItsIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, nil)
		bank, shop := y.open()
		for i, amount := range []int{1000, 2000, 3000} {
			want(t, sell(shop, bank, i+1, amount), map[int]string{28: "000101"})
		}
		back := with(sale(4, 500), map[int]string{3: "200000"})
		shop.send("1200", back)
		bank.answer(bank.read("1200"), map[int]string{38: "A00001", 39: "000"})
		shop.read("1210")
		shop.send("1420", reversal(5, 2, 2000))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		undone := bank.read("1420")
		want(t, undone, map[int]string{28: "000101"})
		bank.answer(undone, map[int]string{39: "400"})

		time.Sleep(time.Minute)
		want(t, sell(shop, bank, 6, 700), map[int]string{28: "000102"})
		told := bank.read("1520")
		want(t, told, map[int]string{24: "500", 28: "000101", 50: "392", 74: "0000000001",
			86: "0000000000000500", 75: "0000000001", 87: "0000000000002000", 76: "0000000003",
			88: "0000000000006000", 77: "0000000000", 89: "0000000000000000",
			97: "D0000000000003500"})
		bank.answer(told, map[int]string{39: "500"})
		time.Sleep(time.Second)
		bank.quiet(time.Hour)
		y.addUp()
		y.close(shop, bank)
	})
}

func totalsOf(stan int, function, day string, number, amount int) map[int]string {
	e := map[int]string{11: fmt.Sprintf("%06d", stan), 12: "000101090500", 24: function, 28: day,
		32: "99999000001", 50: "392", 97: fmt.Sprintf("D%016d", amount),
		74: "0000000000", 75: "0000000000", 76: fmt.Sprintf("%010d", number), 77: "0000000000",
		86: "0000000000000000", 87: "0000000000000000", 88: fmt.Sprintf("%016d", amount),
		89: "0000000000000000"}
	return e
}

func TestIssuerCompares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, func(r *cardswitch.ReconciliationConfig) { r.Starts = cardswitch.StartsPeer })
		bank, shop := y.open()
		sell(shop, bank, 1, 1000)
		ask := func(mti string, e map[int]string, answer string, wanted map[int]string) {
			t.Helper()
			bank.send(mti, e)
			want(t, bank.read(answer), wanted)
		}
		ask("1522", totalsOf(1, "500", "000101", 1, 1000), "1532", map[int]string{39: "503"})
		ask("1522", totalsOf(2, "500", "991231", 1, 1000), "1532", map[int]string{39: "915"})
		time.Sleep(time.Minute)
		ask("1522", totalsOf(3, "500", "000101", 1, 1007), "1532", map[int]string{39: "502",
			28: "000101", 76: "0000000001", 88: "0000000000001000", 97: "D0000000000001000"})
		ask("1522", totalsOf(4, "500", "000101", 2, 2000), "1532", map[int]string{39: "504",
			88: "0000000000001000"})
		asked := totalsOf(5, "504", "000101", 0, 0)
		for n := 74; n <= 97; n++ {
			delete(asked, n)
		}
		ask("1502", asked, "1512", map[int]string{39: "504", 88: "0000000000001000"})
		if st := periodOf(t, y, "000101"); st.State != "ended" || !st.Out || st.Versions != 2 {
			t.Errorf("out of balance: %+v", st)
		}
		right := totalsOf(6, "500", "000101", 1, 1000)
		ask("1522", right, "1532", map[int]string{39: "500", 74: "", 88: ""})
		if st := periodOf(t, y, "000101"); st.State != "agreed" || st.Out {
			t.Errorf("agreed: %+v", st)
		}
		ask("1523", right, "1532", map[int]string{39: "500"}) // a repeat
		ask("1522", totalsOf(7, "500", "000101", 1, 1000), "1532", map[int]string{39: "500"})
		ask("1522", totalsOf(3, "500", "000101", 1, 1007), "1532", map[int]string{39: "502"})
		y.addUp()
		y.close(shop, bank)
	})
}

func TestInjectedDifferenceIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, func(r *cardswitch.ReconciliationConfig) { r.Cutover = "" })
		bank, shop := y.open()
		book := "mti,stan,local_time,processing,amount\n"
		line := func(mti string, m *spec.Message, amount int) {
			book += fmt.Sprintf("%s,%s,%s,000000,%d\n", mti, value(m, 11), value(m, 12), amount)
		}
		line("1200", sell(shop, bank, 1, 1000), 1000)
		line("1200", sell(shop, bank, 2, 2000), 2200)
		sell(shop, bank, 3, 3000)
		shop.send("1200", sale(4, 400))
		declined := bank.read("1200")
		bank.answer(declined, map[int]string{39: "116"})
		shop.read("1210")
		line("1200", declined, 400)
		if _, err := y.sw.CutOver("issuer-a", 0, "abe"); err != nil {
			t.Fatal(err)
		}
		found, err := y.sw.CompareListing("issuer-a", 101, 0, strings.NewReader(book))
		if err != nil {
			t.Fatal(err)
		}
		causes := map[uint64]string{}
		for _, d := range found.Differences {
			causes[d.Ours+d.Theirs] = d.Cause
		}
		wanted := map[uint64]string{4200: settle.OtherAmount, 3000: settle.OnlyOurs,
			400: settle.OnlyTheirs}
		if !maps.Equal(causes, wanted) {
			t.Errorf("%+v", found.Differences)
		}
		again, err := y.sw.CompareListing("issuer-a", 101, 0, strings.NewReader(book))
		if err != nil || again.Differences[0].ID != found.Differences[0].ID {
			t.Errorf("the same difference has another number: %+v, %v", again, err)
		}
		time.Sleep(time.Second)
		y.crash(shop, bank)
		y.start()
		bank = y.issuer(y.doors[0], "primary")
		list := y.sw.Differences()
		if len(list) != 3 {
			t.Fatalf("%+v", list)
		}
		if err := y.sw.ResolveDifference(list[0].ID, "abe", "booked by hand"); err != nil {
			t.Fatal(err)
		}
		if err := y.sw.Accept("issuer-a", 101, "abe", "the rest is booked by hand"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if list = y.sw.Differences(); len(list) != 2 {
			t.Errorf("%+v", list)
		}
		if st := periodOf(t, y, "000101"); st.State != "agreed" {
			t.Errorf("%+v", st)
		}
		y.end()
		bank.conn.Close()
	})
}

func TestMerchantCompares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, func(c *cardswitch.Config) {
			c.Centers[0].Reconciliation = &cardswitch.ReconciliationConfig{}
		})
		bank, shop := y.open()
		shop.send("1200", sale(1, 1000))
		bank.answer(bank.read("1200"), map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{28: "000101"})
		shop.send("1220", with(sale(2, 50), map[int]string{24: "200", 25: "1508", 38: "OFF001",
			39: "000"}))
		want(t, shop.read("1230"), map[int]string{28: "000101", 39: "900"})
		bank.answer(bank.read("1220"), map[int]string{39: "900"})
		if _, err := y.sw.CutOver("hq-1", 0, "abe"); err != nil {
			t.Fatal(err)
		}
		shop.send("1200", sale(5, 10)) // of the new day, and it waits
		later := bank.read("1200")
		told := with(totalsOf(3, "500", "000101", 2, 1050), map[int]string{32: acquirer})
		shop.send("1520", told)
		want(t, shop.read("1530"), map[int]string{39: "500"})
		shop.send("1521", told)
		want(t, shop.read("1530"), map[int]string{39: "500"})
		bank.answer(later, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{28: "000102"})
		y.addUp()
		y.close(shop, bank)
	})
}

func TestEachCurrencyIsCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, func(r *cardswitch.ReconciliationConfig) {
			r.Cutover, r.After, r.Message = "", time.Second, cardswitch.CompareRequest
		})
		bank, shop := y.open()
		for i, currency := range []string{"392", "840"} {
			shop.send("1200", with(sale(i+1, 100*(i+1)), map[int]string{49: currency}))
			bank.answer(bank.read("1200"), map[int]string{38: "A00001", 39: "000"})
			shop.read("1210")
		}
		if _, err := y.sw.CutOver("issuer-a", 0, "abe"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			asked := bank.read("1500")
			want(t, asked, map[int]string{24: "502", 28: "000101", 88: ""})
			amount := map[string]int{"392": 100, "840": 200}[value(asked, 50)]
			theirs := totalsOf(0, "502", "000101", 1, amount)
			for _, n := range []int{11, 12, 24, 28, 32, 50} {
				delete(theirs, n)
			}
			bank.answer(asked, with(theirs, map[int]string{39: "504"}))
			time.Sleep(time.Second)
		}
		if st := periodOf(t, y, "000101"); st.State != "agreed" || st.Versions != 2 {
			t.Errorf("%+v", st)
		}
		y.close(shop, bank)
	})
}

// One currency of a day is agreed, another isn't yet, and something more comes to count in the
// first: that is compared again, before the day is agreed.
func TestAgreedCurrencyThatMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, func(r *cardswitch.ReconciliationConfig) {
			r.Cutover, r.After, r.Message = "", time.Second, cardswitch.CompareRequest
		})
		bank, shop := y.open()
		y.sold(shop, bank, 1, 100)
		y.granted(shop, bank, "1200", with(sale(2, 200), map[int]string{49: "840"}))
		y.told(shop, "1220", offline(3, 50), "900")
		bank.answer(bank.read("1220"), map[int]string{39: "902"}) // it waits for a person
		if _, err := y.sw.CutOver("issuer-a", 0, "abe"); err != nil {
			t.Fatal(err)
		}
		asked := func(currency string, number, amount int) {
			t.Helper()
			m := bank.read("1500")
			want(t, m, map[int]string{28: "000101", 50: currency})
			theirs := totalsOf(0, "502", "000101", number, amount)
			for _, n := range []int{11, 12, 24, 28, 32, 50} {
				delete(theirs, n)
			}
			bank.answer(m, with(theirs, map[int]string{39: "504"}))
			time.Sleep(time.Second)
		}
		asked("392", 1, 100)
		bank.answer(bank.read("1500"), map[int]string{39: "503"}) // 840 isn't known yet
		list, err := y.sw.WorkList()
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		again := cardswitch.Resolution{Act: "retry", Who: "sato", Why: "told by phone"}
		if err := y.sw.Resolve(list[0].ID, again); err != nil {
			t.Fatal(err)
		}
		bank.answer(bank.read("1221"), map[int]string{39: "900"})
		if st := periodOf(t, y, "000101"); st.State != "ended" {
			t.Errorf("%+v", st)
		}
		time.Sleep(30 * time.Second)
		asked("392", 2, 150)
		asked("840", 1, 200)
		if st := periodOf(t, y, "000101"); st.State != "agreed" || st.Versions != 3 {
			t.Errorf("%+v", st)
		}
		y.addUp()
		y.close(shop, bank)
	})
}

// The same on a merchant center's leg, where a request names a day that has ended.
func TestAgreedCurrencyOfAMerchantThatMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, func(c *cardswitch.Config) {
			c.Centers[0].Reconciliation = &cardswitch.ReconciliationConfig{
				Date: cardswitch.DatePeer}
		})
		bank, shop := y.open()
		first := map[int]string{28: "000101"}
		y.granted(shop, bank, "1200", with(sale(1, 100), first))
		y.granted(shop, bank, "1200", with(with(sale(2, 200), first), map[int]string{49: "840"}))
		if _, err := y.sw.CutOver("hq-1", 0, "abe"); err != nil {
			t.Fatal(err)
		}
		told := func(stan int, currency string, number, amount int) {
			t.Helper()
			shop.send("1520", with(totalsOf(stan, "502", "000101", number, amount),
				map[int]string{32: acquirer, 50: currency}))
			want(t, shop.read("1530"), map[int]string{39: "500"})
		}
		state := func() string {
			list, err := y.sw.Periods("hq-1")
			if err != nil {
				t.Fatal(err)
			}
			return list[0].State
		}
		told(3, "392", 1, 100)
		y.granted(shop, bank, "1200", with(sale(4, 50), first))
		y.told(shop, "1220", with(offline(5, 7), first), "900")
		told(6, "840", 1, 200)
		if state() != "ended" {
			t.Error("it is agreed with figures that nobody has compared")
		}
		told(7, "392", 3, 157)
		if state() != "agreed" {
			t.Error("it isn't agreed")
		}
		y.addUp()
		y.close(shop, bank)
	})
}

package cardswitch_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	"cardswitch/store/queue"
	"cardswitch/store/registry"
	cardswitch "cardswitch/switch"
)

// part is a partial reversal: DE 4 and the original amount of DE 30.
func partOf(stan, of, amount, original int) map[int]string {
	return with(reversal(stan, of, amount), map[int]string{24: "401",
		30: fmt.Sprintf("%012d%012d", original, 0)})
}

// original is DE 56 for something that the merchant sent.
func original(mti string, stan int) string {
	return mti + fmt.Sprintf("%06d", stan) + "261122120000" + "11" + acquirer
}

// sold is a sale that the issuer has approved.
func (y *yard) sold(shop, bank *peer, stan, amount int) *spec.Message {
	y.t.Helper()
	return y.granted(shop, bank, "1200", sale(stan, amount))
}

// granted is a request that the issuer has approved; it returns how the issuer got it.
func (y *yard) granted(shop, bank *peer, mti string, e map[int]string) *spec.Message {
	y.t.Helper()
	shop.send(mti, e)
	m := bank.read(mti)
	bank.answer(m, map[int]string{38: "A00001", 39: "000"})
	want(y.t, shop.read(m.MTI().Response().String()), map[int]string{39: "000"})
	return m
}

// told sends an advice or a reversal, and demands its answer.
func (y *yard) told(shop *peer, mti string, e map[int]string, action string) {
	y.t.Helper()
	shop.send(mti, e)
	m := shop.next(time.Minute)
	if m == nil || value(m, 39) != action || value(m, 11) != e[11] {
		y.t.Fatalf("%s %s: answered %v, action %s, want %s", mti, e[11], m, value(m, 39), action)
	}
}

// taken is an advice or a reversal that the issuer takes, with these values.
func (y *yard) taken(bank *peer, mti string, e map[int]string) *spec.Message {
	y.t.Helper()
	m := bank.read(mti)
	want(y.t, m, e)
	action := "900"
	if m.MTI().Class() == 4 {
		action = "400"
	}
	bank.answer(m, map[int]string{39: action})
	time.Sleep(10 * time.Millisecond)
	return m
}

// owed is what the issuer must still get.
func (y *yard) owed() []queue.Entry {
	y.t.Helper()
	id, _ := y.sw.Journal().Registry().Lookup(registry.Center, "issuer-a")
	var list []queue.Entry
	for e, err := range y.sw.Journal().Queue(id) {
		if err != nil {
			y.t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

// Parts are reversed one after the other, never more than is left, and the rest at last.
func TestPartialReversals(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		m := y.sold(shop, bank, 1, 1000)
		y.told(shop, "1420", partOf(2, 1, 600, 1000), "400")
		time.Sleep(5 * time.Millisecond)
		if owed := y.owed(); len(owed) != 1 || owed[0].Amount != 400 {
			t.Errorf("owed %+v, want 400 taken back", owed)
		}
		y.taken(bank, "1420", map[int]string{4: "000000000600", 24: "401",
			30: "000000001000000000000000", 56: original("1200", 0)[:4] + value(m, 11) +
				original("1200", 0)[10:]})
		y.told(shop, "1421", partOf(2, 1, 600, 1000), "400") // again: the same one
		y.told(shop, "1420", partOf(3, 1, 600, 1000), "902") // takes back nothing
		y.told(shop, "1420", partOf(4, 1, 700, 1000), "902")
		y.told(shop, "1420", partOf(5, 1, 100, 999), "904") // the original was another amount
		y.told(shop, "1420", partOf(6, 1, 100, 600), "400")
		y.taken(bank, "1420", map[int]string{4: "000000000100", 24: "401",
			30: "000000001000000000000000"})
		y.told(shop, "1420", reversal(7, 1, 1000), "400") // the rest
		y.taken(bank, "1420", map[int]string{4: "000000000100", 24: "400", 30: ""})
		y.told(shop, "1420", reversal(8, 1, 1000), "400")
		y.told(shop, "1420", partOf(9, 1, 0, 1000), "950")
		bank.quiet(time.Minute)
	})
}

// The two ways of DE 4 are translated, and who knows no partial reversals gets none.
func TestWaysOfPartialReversals(t *testing.T) {
	for _, c := range []struct {
		merchant, issuer       string
		says, action, sent, fn string
	}{
		{"final", "final", "600", "400", "000000000600", "401"},
		{"final", "reversed", "600", "400", "000000000400", "401"},
		{"reversed", "final", "600", "400", "000000000400", "401"},
		{"reversed", "reversed", "600", "400", "000000000600", "401"},
		{"reversed", "final", "1000", "400", "000000001000", "400"},
		{"reversed", "final", "1001", "902", "", ""},
		{"final", "final", "0", "400", "000000001000", "400"},
		{"final", "none", "600", "902", "", ""},
		{"final", "none", "0", "400", "000000001000", "400"},
		{"none", "final", "600", "902", "", ""},
	} {
		t.Run(c.merchant+" to "+c.issuer+" "+c.says, func(t *testing.T) {
			run(t, func(config *cardswitch.Config) {
				config.Centers[0].Adjustments = &cardswitch.AdjustmentsConfig{Partial: c.merchant}
				config.Centers[1].Adjustments = &cardswitch.AdjustmentsConfig{Partial: c.issuer}
			}, func(y *yard, shop, bank, standby *peer) {
				y.sold(shop, bank, 1, 1000)
				e := partOf(2, 1, 0, 1000)
				e[4] = fmt.Sprintf("%012s", c.says)
				y.told(shop, "1420", e, c.action)
				if c.sent != "" {
					y.taken(bank, "1420", map[int]string{4: c.sent, 24: c.fn})
				}
				bank.quiet(10 * time.Second)
			})
		})
	}
}

// Reversals of parts of what isn't approved, or of another card, change nothing.
func TestReversalsThatDontFit(t *testing.T) {
	run(t, func(c *cardswitch.Config) { c.Centers[0].UnknownOriginal = 400 },
		func(y *yard, shop, bank, standby *peer) {
			shop.send("1200", sale(1, 1000))
			m := bank.read("1200")
			y.told(shop, "1420", partOf(2, 1, 600, 1000), "923") // not answered yet: again later
			bank.answer(m, map[int]string{38: "A00001", 39: "000"})
			want(t, shop.read("1210"), map[int]string{39: "000"})
			y.told(shop, "1420", with(reversal(3, 1, 1000), map[int]string{2: cardOf(3)}), "914")
			y.told(shop, "1421", partOf(2, 1, 600, 1000), "400")
			y.taken(bank, "1420", map[int]string{4: "000000000600", 24: "401"})
			shop.send("1200", sale(4, 1000))
			bank.answer(bank.read("1200"), map[int]string{39: "116"})
			want(t, shop.read("1210"), map[int]string{39: "116"})
			y.told(shop, "1420", partOf(5, 4, 600, 1000), "950")
			y.told(shop, "1420", reversal(6, 4, 1000), "400")
			bank.quiet(time.Minute)
		})
}

// The issuer granted a part: a reversal takes back that part, and parts are parts of it.
func TestReversalOfAPartialApproval(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		for stan := 1; stan <= 2; stan++ {
			shop.send("1200", sale(stan, 1000))
			bank.answer(bank.read("1200"), map[int]string{4: "000000000800",
				30: "000000001000000000000000", 38: "A00001", 39: "002"})
			want(t, shop.read("1210"), map[int]string{4: "000000000800", 39: "002"})
		}
		y.told(shop, "1420", partOf(3, 1, 500, 800), "400")
		y.taken(bank, "1420", map[int]string{4: "000000000500", 24: "401",
			30: "000000000800000000000000"})
		y.told(shop, "1420", reversal(4, 2, 1000), "400")
		y.taken(bank, "1420", map[int]string{4: "000000000800", 24: "400"})
		bank.quiet(time.Minute)
	})
}

// What is left of a transaction is found again after a crash, and after its question is forgotten.
func TestWhatIsLeftSurvives(t *testing.T) {
	for _, how := range []string{"crash", "stop"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				y := newYard(t, nil)
				first, second := y.listen(primaryAt), y.listen(standbyAt)
				defer first.Close()
				defer second.Close()
				y.start()
				bank, standby := y.issuer(first, "primary"), y.issuer(second, "standby")
				time.Sleep(time.Second)
				shop := y.merchant()
				y.sold(shop, bank, 1, 1000)
				y.told(shop, "1420", partOf(2, 1, 600, 1000), "400")
				y.taken(bank, "1420", map[int]string{4: "000000000600"})
				time.Sleep(time.Minute) // the index is written
				if how == "crash" {
					y.crash(shop, bank, standby)
				} else {
					y.end()
					for _, p := range []*peer{shop, bank, standby} {
						p.conn.Close()
					}
				}
				y.start()
				bank, standby = y.issuer(first, "primary"), y.issuer(second, "standby")
				time.Sleep(time.Second)
				shop = y.merchant()
				y.told(shop, "1421", partOf(2, 1, 600, 1000), "400")
				y.told(shop, "1420", partOf(3, 1, 700, 1000), "902")
				y.told(shop, "1420", reversal(4, 1, 1000), "400")
				y.taken(bank, "1420", map[int]string{4: "000000000600", 24: "400"})
				bank.quiet(time.Minute)
				y.end()
				for _, p := range []*peer{shop, bank, standby} {
					p.conn.Close()
				}
			})
		})
	}
}

// The merchant's reversal comes before the issuer declines: there is nothing left to tell.
func TestReversalOfWhatIsDeclinedThen(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := bank.read("1200")
		y.told(shop, "1420", reversal(2, 1, 700), "400")
		shop.send("1200", sale(3, 700)) // held behind the reversal
		bank.quiet(time.Second)
		bank.answer(m, map[int]string{39: "116"})
		want(t, shop.read("1210"), map[int]string{11: "000001", 39: "116"})
		bank.answer(bank.read("1200"), map[int]string{38: "A00003", 39: "000"})
		want(t, shop.read("1210"), map[int]string{11: "000003", 39: "000"})
		bank.quiet(time.Minute)
		if st := y.sw.Status(); st.Owed != 0 || st.Shelved != 0 {
			t.Errorf("owed %d, shelved %d", st.Owed, st.Shelved)
		}
	})
}

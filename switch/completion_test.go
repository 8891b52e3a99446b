package cardswitch_test

import (
	"fmt"
	"testing"
	"time"

	cardswitch "cardswitch/switch"
)

// authorization is the elements of an 1100.
func authorization(stan, amount int) map[int]string {
	return with(sale(stan, amount), map[int]string{24: "100"})
}

// completion is an advice of the sale for which an authorization was.
func completion(stan, of, amount int) map[int]string {
	return with(offline(stan, amount), map[int]string{24: "202",
		30: fmt.Sprintf("%012d%012d", 1000, 0), 56: original("1100", of)})
}

// refund gives back of a sale.
func refund(stan, of, amount int) map[int]string {
	e := with(sale(stan, amount), map[int]string{3: "200000"})
	if of != 0 {
		e[56] = original("1200", of)
	}
	return e
}

func adjusted(merchant, issuer cardswitch.AdjustmentsConfig) func(*cardswitch.Config) {
	return func(c *cardswitch.Config) {
		c.Centers[0].Adjustments, c.Centers[1].Adjustments = &merchant, &issuer
	}
}

// An authorization is completed once, not beyond its amount, and the issuer gets its own number of
// it. Nothing is left to reverse then; the completion itself is reversed as any other.
func TestCompletion(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		m := y.granted(shop, bank, "1100", authorization(1, 1000))
		y.told(shop, "1220", completion(2, 1, 1001), "950")
		y.told(shop, "1220", with(completion(2, 1, 900), map[int]string{24: "201"}), "904")
		y.told(shop, "1220", with(completion(2, 1, 900), map[int]string{2: cardOf(4)}), "914")
		y.told(shop, "1220", completion(2, 1, 900), "900")
		done := y.taken(bank, "1220", map[int]string{4: "000000000900", 24: "202",
			56: original("1100", 0)[:4] + value(m, 11) + original("1100", 0)[10:]})
		y.told(shop, "1221", completion(2, 1, 900), "900") // again: the same one
		y.told(shop, "1220", completion(3, 1, 50), "950")
		back := with(reversal(4, 1, 1000), map[int]string{56: original("1100", 1)})
		y.told(shop, "1420", back, "400")
		bank.quiet(30 * time.Second)
		y.told(shop, "1420", with(reversal(5, 2, 900), map[int]string{56: original("1220", 2)}), "400")
		y.taken(bank, "1420", map[int]string{4: "000000000900",
			56: original("1220", 0)[:4] + value(done, 11) + original("1220", 0)[10:]})
		bank.quiet(time.Minute)
	})
}

// A completion of nothing: the profile decides. One of what was declined or reversed, or is no
// authorization, is refused.
func TestCompletionOfNothing(t *testing.T) {
	for _, c := range []struct{ unmatched, action string }{{"keep", "900"}, {"refuse", "914"}} {
		run(t, adjusted(cardswitch.AdjustmentsConfig{Unmatched: c.unmatched},
			cardswitch.AdjustmentsConfig{}), func(y *yard, shop, bank, standby *peer) {
			y.told(shop, "1220", completion(2, 1, 900), c.action)
			if c.action == "900" {
				y.taken(bank, "1220", map[int]string{4: "000000000900", 56: original("1100", 1)})
			}
			shop.send("1100", authorization(3, 1000))
			m := bank.read("1100")
			y.told(shop, "1220", completion(4, 3, 900), "923")
			bank.answer(m, map[int]string{39: "116"})
			want(t, shop.read("1110"), map[int]string{39: "116"})
			y.told(shop, "1220", completion(5, 3, 900), "950")
			y.granted(shop, bank, "1100", authorization(6, 1000))
			y.told(shop, "1420", with(reversal(7, 6, 1000), map[int]string{56: original("1100", 6)}),
				"400")
			y.taken(bank, "1420", map[int]string{4: "000000001000"})
			y.told(shop, "1220", completion(8, 6, 900), "950")
			y.sold(shop, bank, 9, 1000)
			e := completion(10, 9, 900)
			e[56] = original("1200", 9)
			y.told(shop, "1220", e, "950")
			bank.quiet(time.Minute)
		})
	}
}

// In parts and beyond the amount, where that is agreed: the rest of the authorization is reversed
// as a part, so that what was completed stands. A supplement adds to it.
func TestCompletionInParts(t *testing.T) {
	run(t, adjusted(cardswitch.AdjustmentsConfig{Several: true, Over: 20},
		cardswitch.AdjustmentsConfig{}), func(y *yard, shop, bank, standby *peer) {
		y.granted(shop, bank, "1100", authorization(1, 1000))
		e := with(authorization(2, 500), map[int]string{24: "106", 56: original("1100", 1)})
		y.granted(shop, bank, "1100", e)
		for i, amount := range []int{700, 700, 400} {
			y.told(shop, "1220", completion(3+i, 1, amount), "900")
			y.taken(bank, "1220", map[int]string{4: fmt.Sprintf("%012d", amount)})
		}
		y.told(shop, "1220", completion(6, 1, 1), "950") // 1800 of 1500 are done, 20 % beyond
		y.granted(shop, bank, "1100", authorization(7, 1000))
		y.told(shop, "1220", completion(8, 7, 300), "900")
		y.taken(bank, "1220", nil)
		y.told(shop, "1420", with(reversal(9, 7, 1000), map[int]string{56: original("1100", 7)}), "400")
		y.taken(bank, "1420", map[int]string{4: "000000000300", 24: "401",
			30: "000000001000000000000000"})
		y.told(shop, "1220", completion(10, 7, 300), "950")
		bank.quiet(time.Minute)
	})
}

// A completion without DE 56 is matched by its retrieval reference number and its card.
func TestCompletionByReference(t *testing.T) {
	run(t, func(c *cardswitch.Config) {
		c.Centers[0].Adjustments = &cardswitch.AdjustmentsConfig{Unmatched: "refuse"}
		c.Centers[0].Rules.Relax = map[string][]int{"1220": {56}}
	}, func(y *yard, shop, bank, standby *peer) {
		y.granted(shop, bank, "1100", authorization(1, 1000))
		e := with(completion(2, 1, 1001), map[int]string{37: authorization(1, 0)[37]})
		delete(e, 56)
		y.told(shop, "1220", e, "950")
		y.told(shop, "1220", with(e, map[int]string{2: cardOf(4), 4: "000000000900"}), "914")
		y.told(shop, "1220", with(e, map[int]string{4: "000000000900"}), "900")
		if m := y.taken(bank, "1220", map[int]string{4: "000000000900"}); m.Has(56) {
			t.Error("the switch has added element 56")
		}
		y.told(shop, "1220", with(e, map[int]string{4: "000000000100", 11: "000009"}), "950")
		y.told(shop, "1220", with(e, map[int]string{11: "000010", 37: "NOBODY000001"}), "914")
		bank.quiet(time.Minute)
	})
}

// An advice of a denial moves nothing: there is nothing to reverse, and nothing is used up by it.
func TestAdviceOfADenial(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		y.told(shop, "1220", with(offline(1, 300), map[int]string{38: "", 39: "116"}), "900")
		time.Sleep(5 * time.Millisecond)
		if owed := y.owed(); len(owed) != 1 || owed[0].Moves != 0 {
			t.Errorf("owed %+v, want one that doesn't count", owed)
		}
		y.taken(bank, "1220", map[int]string{39: "116"})
		y.told(shop, "1420", with(reversal(2, 1, 300), map[int]string{56: original("1220", 1)}), "400")
		bank.quiet(time.Minute)
		y.granted(shop, bank, "1100", authorization(3, 1000))
		e := with(completion(4, 3, 900), map[int]string{38: "", 39: "116"})
		y.told(shop, "1220", e, "900")
		y.taken(bank, "1220", map[int]string{39: "116"})
		y.told(shop, "1220", completion(5, 3, 1000), "900")
		y.taken(bank, "1220", map[int]string{4: "000000001000"})
		bank.quiet(time.Minute)
	})
}

// Returns that name their sale give back no more than was sold. What was declined, timed out or
// reversed has given back nothing.
func TestReturns(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		m := y.sold(shop, bank, 1, 1000)
		sold := original("1200", 0)[:4] + value(m, 11) + original("1200", 0)[10:]
		first := y.granted(shop, bank, "1200", refund(2, 1, 400))
		want(t, first, map[int]string{3: "200000", 56: sold})
		shop.send("1200", refund(3, 1, 500)) // in flight, so it counts already
		m = bank.read("1200")
		shop.send("1200", refund(4, 1, 500))
		want(t, shop.read("1210"), map[int]string{11: "000004", 39: "950"})
		bank.answer(m, map[int]string{39: "116"})
		want(t, shop.read("1210"), map[int]string{11: "000003", 39: "116"})
		shop.send("1200", refund(5, 1, 601))
		want(t, shop.read("1210"), map[int]string{39: "950"})
		y.granted(shop, bank, "1200", refund(6, 1, 600))
		// The sale is given back wholly: nothing is left to reverse. A return is taken back.
		y.told(shop, "1420", reversal(7, 1, 1000), "400")
		back := with(reversal(8, 6, 600), map[int]string{3: "200000"})
		y.told(shop, "1420", back, "400")
		y.taken(bank, "1420", map[int]string{4: "000000000600", 3: "200000"})
		e := with(offline(9, 600), map[int]string{3: "200000", 56: original("1200", 1)})
		y.told(shop, "1220", with(e, map[int]string{4: "000000000601"}), "950")
		y.told(shop, "1220", e, "900")
		y.taken(bank, "1220", map[int]string{56: sold})
		y.granted(shop, bank, "1200", refund(10, 0, 5000)) // names no sale
		y.granted(shop, bank, "1200", refund(11, 99, 5000))
		bank.quiet(time.Minute)
	})
}

// The rules of returns are the center's.
func TestRulesOfReturns(t *testing.T) {
	for _, c := range []struct{ rule, unnamed, unknown, tooMuch string }{
		{"linked", "914", "914", "950"}, {"bounded", "", "", "950"}, {"free", "", "", ""},
	} {
		run(t, adjusted(cardswitch.AdjustmentsConfig{Returns: c.rule}, cardswitch.AdjustmentsConfig{}),
			func(y *yard, shop, bank, standby *peer) {
				y.sold(shop, bank, 1, 1000)
				for i, e := range []map[int]string{refund(2, 0, 500), refund(3, 98, 500),
					refund(4, 1, 1001)} {
					refused := [...]string{c.unnamed, c.unknown, c.tooMuch}[i]
					if refused == "" {
						y.granted(shop, bank, "1200", e)
						continue
					}
					shop.send("1200", e)
					want(t, shop.read("1210"), map[int]string{11: e[11], 39: refused})
				}
				y.granted(shop, bank, "1200", refund(5, 1, 1000))
			})
	}
}

// Other credits than returns are bounded by the sale that they name, together with its returns.
// They need not name any, also where returns must.
func TestOtherCreditsAreBounded(t *testing.T) {
	run(t, adjusted(cardswitch.AdjustmentsConfig{Returns: "linked"}, cardswitch.AdjustmentsConfig{}),
		func(y *yard, shop, bank, standby *peer) {
			adjust := func(stan, amount int) map[int]string {
				return with(refund(stan, 1, amount), map[int]string{3: "220000"})
			}
			y.sold(shop, bank, 1, 1000)
			y.granted(shop, bank, "1200", adjust(2, 400))
			y.told(shop, "1200", adjust(3, 601), "950")
			y.told(shop, "1200", refund(4, 1, 601), "950")
			y.told(shop, "1220", with(offline(5, 601), map[int]string{3: "290000",
				56: original("1200", 1)}), "950")
			y.granted(shop, bank, "1200", refund(6, 1, 600))
			y.told(shop, "1200", with(refund(7, 2, 1), map[int]string{3: "220000"}), "950")
			y.granted(shop, bank, "1200", with(refund(8, 0, 5000), map[int]string{3: "210000"}))
			y.granted(shop, bank, "1200", with(refund(9, 98, 5000), map[int]string{3: "220000"}))
		})
}

package cardswitch_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	cardswitch "cardswitch/switch"
)

// supplement is the elements of an 1100 that adds to an authorization.
func supplement(stan, of, amount int) map[int]string {
	return with(authorization(stan, amount), map[int]string{24: "106", 56: original("1100", of)})
}

// grantedInPart is a request of which the issuer approves a part.
func (y *yard) grantedInPart(shop, bank *peer, mti string, e map[int]string, part int) {
	y.t.Helper()
	shop.send(mti, e)
	m := bank.read(mti)
	bank.answer(m, map[int]string{4: fmt.Sprintf("%012d", part), 30: e[4] + "000000000000",
		38: "A00001", 39: "002", 49: "392"})
	want(y.t, shop.read(m.MTI().Response().String()), map[int]string{39: "002"})
}

// A completion that the issuer declines, or that its merchant reverses, gives the authorization
// back: it can be completed after all.
func TestCompletionThatCameToNothing(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		y.granted(shop, bank, "1100", authorization(1, 1000))
		e := with(sale(2, 900), map[int]string{24: "202", 30: "000000001000000000000000",
			56: original("1100", 1)})
		shop.send("1200", e)
		bank.answer(bank.read("1200"), map[int]string{39: "116"})
		want(t, shop.read("1210"), map[int]string{39: "116"})
		y.told(shop, "1220", completion(3, 1, 800), "900")
		y.taken(bank, "1220", map[int]string{4: "000000000800"})
		back := with(reversal(4, 3, 800), map[int]string{56: original("1220", 3)})
		y.told(shop, "1420", back, "400")
		y.taken(bank, "1420", map[int]string{4: "000000000800"})
		y.told(shop, "1220", completion(5, 1, 700), "900")
		y.taken(bank, "1220", map[int]string{4: "000000000700"})
		part := with(partOf(6, 5, 600, 700), map[int]string{56: original("1220", 5)})
		y.told(shop, "1420", part, "400")
		y.taken(bank, "1420", map[int]string{4: "000000000600", 24: "401"})
		y.told(shop, "1220", completion(7, 1, 100), "950") // it stands, for less
		bank.quiet(time.Minute)
	})
}

// A return is reversed while it waits for its answer: what it took of its sale is given back once.
func TestReturnReversedAheadIsGivenBackOnce(t *testing.T) {
	for _, answer := range []map[int]string{{38: "A00001", 39: "000"}, {39: "116"}, nil} {
		run(t, nil, func(y *yard, shop, bank, standby *peer) {
			y.sold(shop, bank, 1, 1000)
			y.granted(shop, bank, "1200", refund(2, 1, 400))
			shop.send("1200", refund(3, 1, 400))
			m := bank.read("1200")
			y.told(shop, "1420", with(reversal(4, 3, 400), map[int]string{3: "200000"}), "400")
			if answer != nil {
				bank.answer(m, answer)
			}
			want(t, shop.read("1210"), map[int]string{11: "000003"})
			if answer == nil || answer[39] == "000" {
				y.taken(bank, "1420", nil)
			}
			y.told(shop, "1200", refund(5, 1, 700), "950") // 600 are left
			y.granted(shop, bank, "1200", refund(6, 1, 600))
		})
	}
}

// The advice of a supplement adds to its authorization.
func TestAdviceOfASupplement(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		y.granted(shop, bank, "1100", authorization(1, 1000))
		e := with(offline(2, 500), map[int]string{24: "106", 56: original("1100", 1)})
		y.told(shop, "1120", e, "900")
		y.taken(bank, "1120", nil)
		y.told(shop, "1220", completion(3, 1, 1501), "950")
		y.told(shop, "1220", completion(4, 1, 1500), "900")
		y.taken(bank, "1220", map[int]string{4: "000000001500"})
	})
}

// A supplement of which a part is approved adds that part.
func TestSupplementApprovedInPart(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		y.granted(shop, bank, "1100", authorization(1, 1000))
		y.grantedInPart(shop, bank, "1100", supplement(2, 1, 500), 200)
		y.told(shop, "1220", completion(3, 1, 1201), "950")
		y.told(shop, "1220", completion(4, 1, 1200), "900")
		y.taken(bank, "1220", nil)
	})
}

// A supplement is no authorization of its own: nobody completes it, and it doesn't expire beside
// the one that it adds to. Its reversal takes back what it added.
func TestSupplementIsPartOfItsAuthorization(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		y.granted(shop, bank, "1100", authorization(1, 1000))
		y.granted(shop, bank, "1100", supplement(2, 1, 500))
		y.told(shop, "1220", completion(3, 2, 500), "950")
		back := with(reversal(4, 2, 500), map[int]string{56: original("1100", 2)})
		y.told(shop, "1420", back, "400")
		y.taken(bank, "1420", map[int]string{4: "000000000500"})
		y.told(shop, "1220", completion(5, 1, 1001), "950")
		whole := with(reversal(6, 1, 1000), map[int]string{56: original("1100", 1)})
		y.told(shop, "1420", whole, "400")
		y.taken(bank, "1420", map[int]string{4: "000000001000", 24: "400"})
		bank.quiet(time.Minute)
	})
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, adjusted(cardswitch.AdjustmentsConfig{},
			cardswitch.AdjustmentsConfig{Expire: 10 * time.Minute, ReverseExpire: true}))
		bank, shop := y.open()
		y.granted(shop, bank, "1100", authorization(1, 1000))
		y.granted(shop, bank, "1100", supplement(2, 1, 500))
		bank.quiet(9*time.Minute + 30*time.Second)
		y.taken(bank, "1420", map[int]string{4: "000000001500", 24: "400"})
		bank.quiet(15 * time.Minute)
		y.close(shop, bank)
	})
}

// A supplement that is approved when its authorization is completed or reversed adds to nothing: it
// expires by itself, and its reversal is told.
func TestSupplementApprovedTooLate(t *testing.T) {
	for _, how := range []string{"completed", "reversed"} {
		synctest.Test(t, func(t *testing.T) {
			y := newYard(t, adjusted(cardswitch.AdjustmentsConfig{},
				cardswitch.AdjustmentsConfig{Expire: 10 * time.Minute, ReverseExpire: true}))
			bank, shop := y.open()
			for n := 1; n <= 2; n++ {
				y.granted(shop, bank, "1100", authorization(n, 1000))
				shop.send("1100", supplement(n+2, n, 500))
				m := bank.read("1100")
				end, mti := completion(n+4, n, 1000), "1220"
				if how == "reversed" {
					end, mti = reversal(n+4, n, 1000), "1420"
					end[56] = original("1100", n)
				}
				shop.send(mti, end)
				want(t, shop.read(mti[:2]+"30"), map[int]string{11: end[11]})
				bank.answer(m, map[int]string{38: "A00001", 39: "000"})
				want(t, shop.read("1110"), map[int]string{39: "000"})
				y.taken(bank, mti, map[int]string{4: "000000001000"})
			}
			y.told(shop, "1420", with(reversal(7, 3, 500), map[int]string{56: original("1100", 3)}),
				"400")
			y.taken(bank, "1420", map[int]string{4: "000000000500", 24: "400"})
			bank.quiet(9*time.Minute + 30*time.Second)
			y.taken(bank, "1420", map[int]string{4: "000000000500", 24: "400", 25: "4351"})
			bank.quiet(15 * time.Minute)
			y.close(shop, bank)
		})
	}
}

// With the whole of an authorization its supplements are reversed, and what of them is completed
// can't be: the issuer isn't told once more.
func TestSupplementIsReversedOnce(t *testing.T) {
	run(t, adjusted(cardswitch.AdjustmentsConfig{Several: true}, cardswitch.AdjustmentsConfig{}),
		func(y *yard, shop, bank, standby *peer) {
			of := func(stan, of, amount int) map[int]string {
				return with(reversal(stan, of, amount), map[int]string{56: original("1100", of)})
			}
			y.granted(shop, bank, "1100", authorization(1, 1000))
			y.granted(shop, bank, "1100", supplement(2, 1, 500))
			y.told(shop, "1420", of(3, 1, 1500), "400")
			y.taken(bank, "1420", map[int]string{4: "000000001500", 24: "400"})
			y.told(shop, "1420", of(4, 2, 500), "400")
			y.told(shop, "1421", of(4, 2, 500), "400")
			bank.quiet(30 * time.Second)
			y.granted(shop, bank, "1100", authorization(5, 1000))
			y.granted(shop, bank, "1100", supplement(6, 5, 500))
			y.told(shop, "1220", completion(7, 5, 1200), "900")
			y.taken(bank, "1220", nil)
			y.told(shop, "1420", of(8, 6, 500), "400")
			y.taken(bank, "1420", map[int]string{4: "000000000200", 24: "401"}) // 300 of it
			y.told(shop, "1420", of(9, 5, 1000), "400")
			bank.quiet(30 * time.Second)
		})
}

// An authorization that has expired is completed once, and not after its reversal.
func TestExpiredAuthorizationIsCompletedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, adjusted(cardswitch.AdjustmentsConfig{},
			cardswitch.AdjustmentsConfig{Expire: 10 * time.Minute}))
		bank, shop := y.open()
		y.granted(shop, bank, "1100", authorization(1, 1000))
		y.granted(shop, bank, "1100", authorization(2, 1000))
		shop.conn.Close()
		bank.quiet(15 * time.Minute)
		shop = y.merchant()
		y.told(shop, "1220", completion(3, 1, 1000), "900")
		y.taken(bank, "1220", nil)
		y.told(shop, "1220", completion(4, 1, 1000), "950")
		back := with(reversal(5, 2, 1000), map[int]string{56: original("1100", 2)})
		y.told(shop, "1420", back, "400")
		y.taken(bank, "1420", nil)
		y.told(shop, "1220", completion(6, 2, 1000), "950")
		bank.quiet(time.Minute)
		y.close(shop, bank)
	})
}

// A return gives back of a sale, not of another return.
func TestReturnOfAReturn(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		y.sold(shop, bank, 1, 1000)
		y.granted(shop, bank, "1200", refund(2, 1, 1000))
		y.told(shop, "1200", refund(3, 2, 1000), "950")
		y.granted(shop, bank, "1200", refund(4, 0, 1000)) // names none
		y.told(shop, "1200", refund(5, 4, 1000), "950")
		y.granted(shop, bank, "1100", authorization(6, 1000))
		y.told(shop, "1220", completion(7, 6, 1000), "900")
		y.taken(bank, "1220", nil)
		e := with(refund(8, 7, 1000), map[int]string{56: original("1220", 7)})
		y.granted(shop, bank, "1200", e) // of a completion: that is a sale
	})
}

// Returns that name their sale by its reference come to no more than the sale, however many.
func TestReturnsByReference(t *testing.T) {
	run(t, adjusted(cardswitch.AdjustmentsConfig{Returns: "linked"}, cardswitch.AdjustmentsConfig{}),
		func(y *yard, shop, bank, standby *peer) {
			y.sold(shop, bank, 1, 1000)
			same := map[int]string{37: sale(1, 0)[37]}
			time.Sleep(time.Second)
			y.granted(shop, bank, "1200", with(refund(2, 0, 700), same))
			time.Sleep(time.Second)
			y.told(shop, "1200", with(refund(3, 0, 700), same), "950")
			y.granted(shop, bank, "1200", with(refund(4, 0, 300), same))
			time.Sleep(time.Second)
			y.told(shop, "1200", with(refund(5, 0, 300), same), "950")
		})
}

// What follows a transaction is in its currency. Its reversal is of the same kind and currency,
// whatever it says itself.
func TestSequelsInAnotherCurrency(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		y.sold(shop, bank, 1, 1000)
		dollars := map[int]string{49: "840"}
		y.told(shop, "1200", with(refund(2, 1, 1000), dollars), "904")
		y.told(shop, "1420", with(partOf(3, 1, 600, 1000), dollars), "904")
		y.granted(shop, bank, "1100", authorization(5, 1000))
		y.told(shop, "1220", with(completion(6, 5, 1000), dollars), "904")
		e := with(reversal(7, 1, 1000), map[int]string{3: "203000", 49: "840"})
		y.told(shop, "1420", e, "400")
		y.taken(bank, "1420", map[int]string{3: "003000", 4: "000000001000", 49: "392"})
		y.told(shop, "1421", e, "400")
		bank.quiet(time.Minute)
	})
}

// A return of which a part is approved uses up that part.
func TestReturnApprovedInPart(t *testing.T) {
	run(t, nil, func(y *yard, shop, bank, standby *peer) {
		y.sold(shop, bank, 1, 1000)
		y.grantedInPart(shop, bank, "1200", refund(2, 1, 900), 500)
		y.told(shop, "1200", refund(3, 1, 501), "950")
		y.granted(shop, bank, "1200", refund(4, 1, 500))
	})
}

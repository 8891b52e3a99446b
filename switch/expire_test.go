package cardswitch_test

import (
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/txn"
)

// expired counts the records that say so.
func (y *yard) expired() int {
	y.t.Helper()
	n := 0
	err := y.sw.Journal().Replay(1, func(r *journal.Record) error {
		if r.Kind == journal.Adjusted && txn.Reason(r.Reason) == txn.AuthorizationExpired {
			n++
		}
		return nil
	})
	if err != nil {
		y.t.Fatal(err)
	}
	return n
}

// An authorization that isn't completed in time expires, and what is left of it is reversed. One
// that was completed or reversed doesn't, nor does a sale. A restart in between forgets none.
func TestAuthorizationsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, adjusted(cardswitch.AdjustmentsConfig{Several: true},
			cardswitch.AdjustmentsConfig{Expire: time.Hour, ReverseExpire: true}))
		bank, shop := y.open()
		left := y.granted(shop, bank, "1100", with(authorization(1, 1000), map[int]string{2: cardOf(1)}))
		y.granted(shop, bank, "1100", authorization(2, 1000))
		y.told(shop, "1220", completion(3, 2, 1000), "900")
		y.taken(bank, "1220", nil)
		y.granted(shop, bank, "1100", authorization(4, 1000))
		y.told(shop, "1420", with(reversal(5, 4, 1000), map[int]string{56: original("1100", 4)}), "400")
		y.taken(bank, "1420", nil)
		y.granted(shop, bank, "1100", with(authorization(6, 1000), map[int]string{2: cardOf(6)}))
		y.told(shop, "1220", with(completion(7, 6, 300), map[int]string{2: cardOf(6)}), "900")
		y.taken(bank, "1220", nil)
		y.sold(shop, bank, 8, 1000)
		shop.send("1100", authorization(9, 1000))
		bank.answer(bank.read("1100"), map[int]string{39: "116"})
		want(t, shop.read("1110"), map[int]string{39: "116"})
		bank.quiet(50 * time.Minute)
		y.crash(shop, bank)
		y.start()
		bank = y.issuer(y.doors[0], "primary")
		bank.quiet(9*time.Minute + 30*time.Second)
		y.taken(bank, "1420", map[int]string{2: cardOf(1), 4: "000000001000", 24: "400", 25: "4351",
			56: "1100" + value(left, 11) + "261122120000" + "11" + acquirer})
		y.taken(bank, "1420", map[int]string{2: cardOf(6), 4: "000000000300", 24: "401", 25: "4351",
			30: "000000001000000000000000"})
		bank.quiet(2 * time.Hour)
		if n := y.expired(); n != 2 {
			t.Errorf("%d have expired, want 2", n)
		}
		shop = y.merchant()
		e := with(reversal(10, 1, 1000), map[int]string{2: cardOf(1), 56: original("1100", 1)})
		y.told(shop, "1420", e, "400") // it is reversed already
		bank.quiet(time.Minute)
		y.told(shop, "1220", with(completion(11, 1, 900), map[int]string{2: cardOf(1)}), "900")
		y.taken(bank, "1220", map[int]string{4: "000000000900"})
		y.close(shop, bank)
	})
}

// Where the issuer doesn't want it reversed it is only recorded; where the merchant agreed so, a
// completion is refused then.
func TestExpiryIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, adjusted(cardswitch.AdjustmentsConfig{Expired: "refuse"},
			cardswitch.AdjustmentsConfig{Expire: time.Hour}))
		bank, shop := y.open()
		y.granted(shop, bank, "1100", authorization(1, 1000))
		e := with(offline(2, 1000), map[int]string{24: "100"})
		y.told(shop, "1120", e, "900")
		y.taken(bank, "1120", nil)
		shop.conn.Close()
		bank.quiet(2 * time.Hour)
		if n := y.expired(); n != 2 {
			t.Errorf("%d have expired, want 2", n)
		}
		shop = y.merchant()
		y.told(shop, "1220", completion(3, 1, 900), "950")
		bank.quiet(time.Minute)
		y.close(shop, bank)
	})
}

// What stand-in approved expires as what the issuer did, whether it decided at the door or after
// silence: the reversal names the advice by which the issuer knows of it, and goes behind that.
func TestStandInsApprovalsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, func(c *cardswitch.Config) {
			withStandIn(standInRules, func(s *cardswitch.StandInConfig) { s.Unanswered = true })(c)
			c.Centers[1].Adjustments = &cardswitch.AdjustmentsConfig{Expire: 10 * time.Minute,
				ReverseExpire: true}
		})
		door := y.listen(primaryAt)
		y.start()
		bank := y.issuer(door, "primary")
		time.Sleep(time.Second)
		shop := y.merchant()
		granted := map[int]string{39: "000", 58: "99999000001"}
		shop.send("1100", authorization(1, 500))
		bank.read("1100")
		want(t, shop.read("1110"), granted) // after silence
		y.taken(bank, "1420", map[int]string{25: "4021"})
		late := y.taken(bank, "1120", map[int]string{25: "1002"})
		door.Close()
		bank.conn.Close()
		time.Sleep(10 * time.Millisecond)
		shop.send("1100", with(authorization(2, 600), map[int]string{2: cardOf(2)}))
		want(t, shop.read("1110"), granted) // at the door

		time.Sleep(12 * time.Minute) // both expire while the issuer is away
		door = y.listen(primaryAt)
		defer door.Close()
		bank = y.issuer(door, "primary")
		of := func(m *spec.Message) string {
			return "1120" + value(m, 11) + value(m, 12) + "11" + acquirer
		}
		told := map[string]*spec.Message{} // by card
		for range 3 {
			m := bank.next(time.Minute)
			switch {
			case m == nil:
				t.Fatal("the issuer isn't told")
			case m.MTI() == 0x1120:
				told[value(m, 2)] = m
				bank.answer(m, map[int]string{39: "900"})
				continue
			case value(m, 2) == card:
				want(t, m, map[int]string{4: "000000000500", 25: "4351", 56: of(late)})
			case told[value(m, 2)] != nil:
				want(t, m, map[int]string{4: "000000000600", 25: "4351", 56: of(told[value(m, 2)])})
			default:
				t.Error("a reversal came before its advice")
			}
			bank.answer(m, map[int]string{39: "400"})
		}
		if n := y.expired(); n != 2 {
			t.Errorf("%d have expired, want 2", n)
		}
		bank.quiet(time.Minute)
		y.end()
		shop.conn.Close()
		bank.conn.Close()
	})
}

// Authorizations of a merchant center that is no longer configured wait for it, however many they
// are; those of others expire all the same.
func TestExpiryPassesWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, adjusted(cardswitch.AdjustmentsConfig{},
			cardswitch.AdjustmentsConfig{Expire: 10 * time.Minute, ReverseExpire: true}))
		bank, shop := y.open()
		for stan := 1; stan <= 1000; stan++ { // as many as are looked at at once
			y.granted(shop, bank, "1100", authorization(stan, 1000))
		}
		shop.conn.Close()
		y.end()
		bank.conn.Close()
		two := y.config.Centers[0]
		two.Name = "hq-2"
		y.config.Centers[0] = two
		y.start()
		bank = y.issuer(y.doors[0], "primary")
		time.Sleep(time.Second)
		shop = y.merchant()
		y.granted(shop, bank, "1100", authorization(2, 700))
		bank.quiet(9*time.Minute + 30*time.Second)
		y.taken(bank, "1420", map[int]string{4: "000000000700", 25: "4351"})
		y.close(shop, bank)
	})
}

package cardswitch_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	"cardswitch/store"
	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/standin"
	"cardswitch/switch/txn"
)

// kept is what stands beside the journal of what stand-in approved, by hour and card.
func kept(t *testing.T, books *store.Store) map[string]standin.Bucket {
	t.Helper()
	found := map[string]standin.Bucket{}
	err := books.Scan([]byte("sc"), []byte("sd"), func(key, value []byte) bool {
		hour := binary.BigEndian.Uint32(key[4:])
		found[fmt.Sprintf("%d %x", hour, key[8:])] = standin.Bucket{Hour: hour,
			Count: binary.BigEndian.Uint32(value), Amount: binary.BigEndian.Uint64(value[4:])}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// derived is the same, folded from the journal's records alone.
func derived(t *testing.T, books *store.Store) map[string]standin.Bucket {
	t.Helper()
	found := map[string]standin.Bucket{}
	err := books.Replay(1, func(r *journal.Record) error {
		hour := standin.HourOf(r.At)
		if r.Kind != journal.StoodIn || !txn.Approves(int(r.Action)) {
			return nil
		}
		key := fmt.Sprintf("%d %x", hour, r.Card)
		b := found[key]
		b.Hour, b.Count = hour, b.Count+1
		if txn.Reason(r.Reason) != txn.StandInBelowFloor {
			b.Amount += r.Amount
		}
		found[key] = b
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// What was approved for cards stands beside the journal, as the journal's records say it, also
// after a crash in the middle; when no limit looks back so far, it is forgotten.
func TestCountersAreDerivable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, withStandIn(standInRules, nil))
		y.start()
		time.Sleep(3 * time.Second)
		shop := y.merchant()
		random := rand.New(rand.NewPCG(3, 4))
		stan := 0
		sell := func(times int) {
			for range times {
				stan++
				e := sale(stan, 1+random.IntN(2000))
				e[2] = fmt.Sprintf("353011%010d", random.IntN(5))
				shop.send("1200", e)
				shop.read("1210")
				shop.quiet(time.Duration(random.IntN(300)) * time.Second)
			}
		}
		sell(25)
		y.crash(shop)
		y.start()
		time.Sleep(3 * time.Second)
		shop = y.merchant()
		sell(15)
		time.Sleep(time.Second)
		got, want := kept(t, y.sw.Journal()), derived(t, y.sw.Journal())
		if !maps.Equal(got, want) || len(got) < 5 {
			t.Errorf("kept %v\nthe journal says %v", got, want)
		}
		if st := y.sw.StandIns()[0]; st.Cards != 5 {
			t.Errorf("%d cards are counted, want 5", st.Cards)
		}
		y.end()
		shop.conn.Close()
		time.Sleep(60 * time.Hour)
		y.start()
		time.Sleep(3 * time.Second)
		if got, st := kept(t, y.sw.Journal()), y.sw.StandIns()[0]; len(got) != 0 || st.Cards != 0 {
			t.Errorf("after the limit's days are kept %v of %d cards", got, st.Cards)
		}
		y.end()
	})
}

// A link that comes and goes changes the mode once; only when the issuer was well for so long does
// it decide itself again. Requests are answered all the time.
func TestStandInDoesNotFlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, withStandIn(standInRules, nil))
		door := y.listen(primaryAt)
		y.start()
		bank := y.issuer(door, "primary")
		time.Sleep(3 * time.Second)
		shop := y.merchant()
		stan := 0
		sell := func() *spec.Message {
			stan++
			e := sale(stan, 100)
			e[2] = fmt.Sprintf("353011%010d", stan)
			shop.send("1200", e)
			return shop.read("1210")
		}
		owed := 0
		for range 10 {
			bank.conn.Close()
			door.Close()
			shop.quiet(5 * time.Second)
			want(t, sell(), map[int]string{39: "000", 58: "99999000001"})
			owed++
			door = y.listen(primaryAt)
			bank = y.issuer(door, "primary")
			for ; owed > 0; owed-- {
				bank.answer(bank.read("1220"), map[int]string{39: "900"})
			}
			shop.quiet(5 * time.Second)
			want(t, sell(), map[int]string{39: "000", 58: "99999000001"})
			bank.answer(bank.read("1220"), map[int]string{39: "900"})
		}
		y.poll(bank, func(*spec.Message) {})
		shop.quiet(40 * time.Second)
		stan++
		shop.send("1200", sale(stan, 9000))
		bank.answer(bank.read("1200"), map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{38: "A00001"})
		var changes []string
		err := y.sw.Journal().Replay(1, func(r *journal.Record) error {
			if r.Kind == journal.StandIn {
				changes = append(changes, txn.Reason(r.Reason).String())
			}
			return nil
		})
		if err != nil || len(changes) != 2 {
			t.Errorf("the mode changed %d times: %v, %v", len(changes), changes, err)
		}
		door.Close()
		y.end()
		shop.conn.Close()
		bank.conn.Close()
	})
}

// The issuer comes back in the middle of traffic: every sale is answered, each of stand-in's is
// told once, before what the issuer is asked of the same card, and nothing is reversed.
func TestIssuerReturnsInTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, withStandIn(strings.Replace(standInRules, "count: 4", "count: 99", 1), nil))
		y.start()
		time.Sleep(3 * time.Second)
		shop := y.merchant()
		var bank *peer
		told := map[string]bool{} // of stand-in's approvals, by DE 37: the issuer has it
		sell := func(stan int) {
			e := sale(stan, 10)
			e[2] = fmt.Sprintf("353011%010d", stan%7)
			shop.send("1200", e)
			for range 1000 {
				if bank != nil {
					y.poll(bank, func(m *spec.Message) { y.serve(bank, m, told) })
				}
				if a := shop.next(5 * time.Millisecond); a != nil {
					want(t, a, map[int]string{39: "000"})
					if a.Has(58) {
						told[value(a, 37)] = told[value(a, 37)] || false
					}
					return
				}
			}
			t.Fatalf("sale %d stays unanswered", stan)
		}
		for stan := 1; stan <= 20; stan++ {
			sell(stan)
		}
		door := y.listen(primaryAt)
		defer door.Close()
		time.Sleep(2 * time.Second)
		bank = y.issuer(door, "primary")
		for stan := 21; stan <= 80; stan++ {
			sell(stan)
			shop.quiet(time.Second)
		}
		for range 20 {
			y.poll(bank, func(m *spec.Message) { y.serve(bank, m, told) })
			time.Sleep(time.Second)
		}
		missing, asked := 0, told["asked"]
		delete(told, "asked")
		for _, has := range told {
			if !has {
				missing++
			}
		}
		if missing > 0 || len(told) < 20 || len(told) == 80 || !asked {
			t.Errorf("of %d approvals the issuer lacks %d; was it asked: %v", len(told), missing, asked)
		}
		y.end()
		shop.conn.Close()
		bank.conn.Close()
	})
}

// serve is an issuer that books what it is told once and approves what it is asked.
func (y *yard) serve(bank *peer, m *spec.Message, told map[string]bool) {
	y.t.Helper()
	switch m.MTI() {
	case 0x1220, 0x1221:
		if m.MTI() == 0x1220 && told[value(m, 37)] {
			y.t.Errorf("%s was told twice", value(m, 37))
		}
		told[value(m, 37)] = true
		bank.answer(m, map[int]string{39: "900"})
	case 0x1200:
		told["asked"] = true
		var of int
		_, _ = fmt.Sscanf(value(m, 37), "RRN%d", &of)
		for rrn, has := range told {
			var earlier int
			_, _ = fmt.Sscanf(rrn, "RRN%d", &earlier)
			if !has && earlier > 0 && earlier < of && earlier%7 == of%7 {
				y.t.Errorf("sale %d overtook the advice of %d", of, earlier)
			}
		}
		bank.answer(m, map[int]string{38: "A00001", 39: "000"})
	default:
		y.t.Errorf("the issuer got a %s", m.MTI())
	}
}

// The card came by its track: stand-in reads the expiry date in it, the issuer gets number and
// date, and neither track nor PIN. DE 27 asks for a short approval code.
func TestStandInByTrack(t *testing.T) {
	rules := strings.Replace(standInRules, "expiry: known",
		"expiry: required\n    pin_unchecked: true", 1)
	run(t, withStandIn(rules, nil), func(y *yard, shop, primary, standby *peer) {
		if err := y.sw.OrderStandIn("issuer-a", cardswitch.StandInOrder{Act: "on", Who: "a",
			Why: "b"}); err != nil {
			t.Fatal(err)
		}
		e := sale(1, 700)
		delete(e, 2)
		e[35], e[52], e[27] = card+"=99122010000000000000", "12345678", "4"
		shop.send("1200", e)
		a := shop.read("1210")
		want(t, a, map[int]string{39: "000"})
		if code := value(a, 38); len(code) != 6 || code[0] != 'S' || code[4:] != "  " ||
			strings.Trim(code[1:4], "0123456789") != "" {
			t.Errorf("approval code %q, want S and three digits", code)
		}
		m := primary.read("1220")
		want(t, m, map[int]string{2: card, 14: "9912", 25: "1007", 38: value(a, 38)})
		for _, n := range []int{27, 35, 52} {
			if m.Has(n) {
				t.Errorf("the advice has element %d", n)
			}
		}
		primary.answer(m, map[int]string{39: "900"})
		e = sale(2, 700)
		delete(e, 2)
		e[35] = card + "=00132010000000000000" // no month
		shop.send("1200", e)
		want(t, shop.read("1210"), map[int]string{39: "101"})
		m = primary.read("1220")
		want(t, m, map[int]string{14: "0013", 39: "101"})
		primary.answer(m, map[int]string{39: "900"})
	})
}

// Nobody waits for an answer any more: stand-in binds nobody, the request is reversed as without
// it.
func TestNoStandInForAMerchantThatIsGone(t *testing.T) {
	run(t, withStandIn(standInRules, func(s *cardswitch.StandInConfig) { s.Unanswered = true }),
		func(y *yard, shop, primary, standby *peer) {
			shop.send("1200", sale(1, 700))
			primary.read("1200")
			shop.conn.Close()
			r := primary.read("1420")
			want(t, r, map[int]string{25: "4021"})
			primary.answer(r, map[int]string{39: "400"})
			primary.quiet(time.Minute)
			again := y.merchant()
			again.send("1201", sale(1, 700))
			want(t, again.read("1210"), map[int]string{39: "911"})
			again.conn.Close()
		})
}

// A request that was held too long behind what is owed for its card never left: stand-in decides on
// it, whatever it does about unanswered ones, and nothing is reversed.
func TestStandInForWhatWasHeldTooLong(t *testing.T) {
	run(t, withStandIn(standInRules, nil), func(y *yard, shop, primary, standby *peer) {
		shop.send("1220", offline(1, 300))
		shop.read("1230")
		owed := primary.read("1220")
		shop.send("1200", sale(2, 1200))
		a := shop.read("1210")
		want(t, a, map[int]string{11: "000002", 39: "000", 58: "99999000001"})
		primary.answer(owed, map[int]string{39: "900"})
		m := primary.read("1220")
		want(t, m, map[int]string{4: "000000001200", 25: "1003", 38: value(a, 38)})
		primary.answer(m, map[int]string{39: "900"})
		primary.quiet(time.Minute)
	})
}

// What stand-in approves counts in the day in which it was decided, at the issuer when its advice
// has come there, after the end of that day too: the totals wait for it. A request that was left
// unanswered counts once, as the advice.
func TestStandInCountsInItsDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, nil)
		withStandIn(standInRules, func(s *cardswitch.StandInConfig) { s.Unanswered = true })(&y.config)
		y.config.Complete()
		door := y.listen(primaryAt)
		y.start()
		bank := y.issuer(door, "primary")
		time.Sleep(time.Second)
		shop := y.merchant()
		sell(shop, bank, 1, 1000)
		shop.send("1200", sale(2, 2000)) // left unanswered
		bank.read("1200")
		want(t, shop.read("1210"), map[int]string{39: "000", 58: "99999000001"})
		undone := bank.read("1420")
		want(t, undone, map[int]string{25: "4021", 28: "000101"})
		bank.answer(undone, map[int]string{39: "914"})
		told := bank.read("1220")
		want(t, told, map[int]string{25: "1002", 28: "000101"})
		bank.answer(told, map[int]string{39: "900"})
		bank.conn.Close()
		door.Close()
		shop.quiet(time.Second)
		shop.send("1200", sale(3, 3000))
		want(t, shop.read("1210"), map[int]string{39: "000"})
		shop.quiet(time.Minute) // the day ends
		shop.send("1200", sale(4, 400))
		want(t, shop.read("1210"), map[int]string{39: "000"})
		door = y.listen(primaryAt)
		defer door.Close()
		bank = y.issuer(door, "primary")
		for _, day := range []string{"000101", "000102"} {
			m := bank.read("1220")
			want(t, m, map[int]string{25: "1003", 28: day})
			bank.answer(m, map[int]string{39: "900"})
		}
		want(t, bank.read("1520"), map[int]string{28: "000101", 76: "0000000003",
			88: "0000000000006000", 77: "0000000000", 97: "D0000000000006000"})
		y.addUp()
		y.end()
		shop.conn.Close()
		bank.conn.Close()
	})
}

// What follows an approval of stand-in names to the issuer the advice that told it: a completion of
// the authorization, and a reversal of a part.
func TestWhatFollowsStandIn(t *testing.T) {
	run(t, withStandIn(standInRules, nil), func(y *yard, shop, primary, standby *peer) {
		order := cardswitch.StandInOrder{Act: "on", Who: "a", Why: "b"}
		if err := y.sw.OrderStandIn("issuer-a", order); err != nil {
			t.Fatal(err)
		}
		deliver := func(mti string, elements map[int]string) *spec.Message {
			t.Helper()
			m := primary.read(mti)
			want(t, m, elements)
			primary.answer(m, map[int]string{39: "900"})
			return m
		}
		hold := sale(1, 2000)
		hold[24] = "100"
		shop.send("1100", hold)
		want(t, shop.read("1110"), map[int]string{39: "000"})
		told := deliver("1120", map[int]string{25: "1007"})
		done := sale(2, 2000)
		done[24], done[25], done[38], done[39] = "201", "1004", value(told, 38), "000"
		done[56] = "1100" + "000001" + "261122120000" + "11" + acquirer
		shop.send("1220", done)
		want(t, shop.read("1230"), map[int]string{39: "900"})
		deliver("1220", map[int]string{24: "201", 56: "1120" + value(told, 11) + "261122120000" +
			"11" + acquirer})
		shop.send("1200", sale(3, 1000))
		want(t, shop.read("1210"), map[int]string{39: "000"})
		told = deliver("1220", map[int]string{25: "1007"})
		part := reversal(4, 3, 600) // that much is final
		part[24], part[30] = "401", "000000001000"+"000000000000"
		shop.send("1420", part)
		want(t, shop.read("1430"), map[int]string{39: "400"})
		deliver("1420", map[int]string{24: "401", 4: "000000000600",
			56: "1220" + value(told, 11) + "261122120000" + "11" + acquirer})
	})
}

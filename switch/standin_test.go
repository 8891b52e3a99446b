package cardswitch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
)

const standInRules = `
rules:
  - name: usual
    ranges: ["353011"]
    floor: 300
    most: 5000
    expiry: known
    no_check_digit: true
    limits: [{days: 1, count: 4, amount: 8000}]
`

// withStandIn gives the issuer stand-in by these rules.
func withStandIn(rules string, change func(*cardswitch.StandInConfig)) func(*cardswitch.Config) {
	return func(c *cardswitch.Config) {
		file := filepath.Join(filepath.Dir(c.Routing.Files[0]), "standin.yaml")
		if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
			panic(err)
		}
		s := &cardswitch.StandInConfig{Rules: file, ApprovalPrefix: "S", ReportDeclines: true,
			Back: 30 * time.Second}
		if change != nil {
			change(s)
		}
		c.Centers[1].StandIn = s
	}
}

// The issuer is away for a night: stand-in decides, a repeat gets the kept answer, a crash changes
// nothing, and when the issuer is back it gets everything in order, before and while it decides
// itself again.
func TestStandInForANight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, withStandIn(standInRules, nil))
		primary, standby := y.openBoth()
		shop := y.merchant()
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{38: "A00001", 39: "000"})

		primary.conn.Close()
		standby.conn.Close()
		time.Sleep(10 * time.Millisecond)
		shop.send("1200", sale(2, 5000))
		a := shop.read("1210")
		want(t, a, map[int]string{2: card, 4: "000000005000", 11: "000002", 39: "000",
			58: "99999000001"})
		if code := value(a, 38); len(code) != 6 || code[0] != 'S' {
			t.Errorf("approval code %q, want S and five digits", code)
		}
		hold := sale(3, 300) // below the floor limit: not counted with its amount
		hold[24] = "100"
		shop.send("1100", hold)
		below := shop.read("1110")
		want(t, below, map[int]string{39: "000"})
		shop.send("1200", sale(4, 3001))
		want(t, shop.read("1210"), map[int]string{39: "121", 58: "99999000001"})
		shop.send("1200", sale(5, 5001))
		want(t, shop.read("1210"), map[int]string{39: "121"})
		// A crash in stand-in: what was decided stands, and goes on.
		y.crash(shop)
		y.doors[0].Close() // the issuer stays away
		y.doors[1].Close()
		y.start()
		time.Sleep(5 * time.Second)
		shop = y.merchant()
		shop.send("1201", sale(2, 5000))
		if again := shop.read("1210"); string(again.Raw()) != string(a.Raw()) {
			t.Errorf("the repeat got another answer:\n%q\n%q", again.Raw(), a.Raw())
		}
		shop.send("1200", sale(6, 3000))
		want(t, shop.read("1210"), map[int]string{39: "000"})
		shop.send("1200", sale(7, 1)) // the fourth of the day, below the floor limit
		want(t, shop.read("1210"), map[int]string{39: "000"})
		shop.send("1200", sale(8, 1))
		want(t, shop.read("1210"), map[int]string{39: "123"})
		shop.send("1420", reversal(9, 6, 3000))
		want(t, shop.read("1430"), map[int]string{39: "400"})

		y.doors[0], y.doors[1] = y.listen(primaryAt), y.listen(standbyAt)
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		defer y.doors[0].Close()
		defer y.doors[1].Close()
		y.morning(primary, value(a, 38))
		time.Sleep(40 * time.Second)
		shop.send("1200", sale(10, 9000))
		m = primary.read("1200")
		primary.answer(m, map[int]string{38: "A00002", 39: "000"})
		want(t, shop.read("1210"), map[int]string{38: "A00002", 39: "000"})
		y.close(shop, primary, standby)
	})
}

// morning is what the issuer gets of that night.
func (y *yard) morning(primary *peer, code string) {
	t := y.t
	var got []string
	var of6 *spec.Message
	for range 8 {
		m := primary.next(time.Minute)
		if m == nil {
			t.Fatalf("after %v nothing more came\n%s", got, y.standing())
		}
		got = append(got, m.MTI().Original().String()+" "+value(m, 25)+" "+value(m, 39))
		if m.MTI().Class() != 4 {
			want(t, m, map[int]string{2: card, 58: "99999000001"})
		}
		if value(m, 37) == "RRN000000006" && m.MTI().Class() == 2 {
			of6 = m
		}
		if m.MTI().Class() == 4 {
			want(t, m, map[int]string{56: "1220" + value(of6, 11) + "261122120000" + "11" +
				acquirer})
		}
		if value(m, 37) == "RRN000000002" {
			want(t, m, map[int]string{4: "000000005000", 38: code})
		}
		primary.answer(m, map[int]string{39: "900"})
	}
	wanted := "1220 1003 000,1120 1006 000,1220 1003 121,1220 1003 121,1220 1003 000," +
		"1220 1006 000,1220 1003 123,1420 4000 "
	if all := strings.Join(got, ","); all != wanted {
		t.Errorf("the issuer got\n%s, want\n%s", all, wanted)
	}
}

// The issuer leaves a request unanswered: stand-in approves it, and the issuer gets the reversal of
// the unknown original before the advice of the decision. A late answer and a repeat change
// nothing, and the merchant's reversal reverses the decision.
func TestStandInAfterSilence(t *testing.T) {
	run(t, withStandIn(standInRules, func(s *cardswitch.StandInConfig) { s.Unanswered = true }),
		func(y *yard, shop, primary, standby *peer) {
			shop.send("1200", sale(7, 500))
			m := primary.read("1200")
			a := shop.read("1210")
			want(t, a, map[int]string{11: "000007", 39: "000", 58: "99999000001"})
			r := primary.read("1420")
			want(t, r, map[int]string{25: "4021",
				56: "1200" + value(m, 11) + "261122120000" + "11" + acquirer})
			primary.quiet(time.Second) // the advice waits behind it
			primary.answer(r, map[int]string{39: "400"})
			told := primary.read("1220")
			want(t, told, map[int]string{2: card, 4: "000000000500", 25: "1002", 38: value(a, 38),
				39: "000", 58: "99999000001"})
			primary.answer(told, map[int]string{39: "900"})
			primary.answer(m, map[int]string{38: "LATE01", 39: "000"})
			shop.quiet(time.Second)
			shop.send("1201", sale(7, 500))
			if again := shop.read("1210"); string(again.Raw()) != string(a.Raw()) {
				t.Errorf("the repeat got another answer:\n%q\n%q", again.Raw(), a.Raw())
			}
			shop.send("1420", reversal(8, 7, 500))
			want(t, shop.read("1430"), map[int]string{39: "400"})
			r = primary.read("1420")
			want(t, r, map[int]string{25: "4000",
				56: "1220" + value(told, 11) + "261122120000" + "11" + acquirer})
			primary.answer(r, map[int]string{39: "400"})
			primary.quiet(30 * time.Second)
		})
}

// A link is lost with a request on it: the same. What the merchant has reversed meanwhile is not
// approved in the issuer's place.
func TestStandInAfterLostLink(t *testing.T) {
	run(t, withStandIn(standInRules, func(s *cardswitch.StandInConfig) { s.Unanswered = true }),
		func(y *yard, shop, primary, standby *peer) {
			shop.send("1200", sale(1, 500))
			primary.read("1200")
			shop.send("1200", sale(2, 600))
			m := primary.read("1200")
			shop.send("1420", reversal(3, 2, 600))
			want(t, shop.read("1430"), map[int]string{39: "400"})
			primary.conn.Close()
			for range 2 {
				a := shop.read("1210")
				if value(a, 11) == "000001" {
					want(t, a, map[int]string{39: "000"})
				} else {
					want(t, a, map[int]string{11: "000002", 39: "911"})
				}
			}
			got := map[string]bool{}
			for range 3 {
				owed := standby.next(time.Minute)
				got[owed.MTI().Original().String()+" "+value(owed, 25)] = true
				if value(owed, 25) == "4000" {
					want(t, owed, map[int]string{56: "1200" + value(m, 11) + "261122120000" + "11" +
						acquirer})
				}
				standby.answer(owed, map[int]string{39: "900"})
			}
			if !got["1420 4021"] || !got["1220 1003"] || !got["1420 4000"] {
				t.Errorf("the issuer got %v", got)
			}
			standby.quiet(30 * time.Second)
		})
}

// An issuer that fails too often is stood in for; single requests show how it is, and it decides
// again when it has answered well for a while. In between nothing flaps.
func TestStandInForAFailingIssuer(t *testing.T) {
	run(t, withStandIn(strings.ReplaceAll(standInRules, "count: 4, amount: 8000", "count: 1000"),
		func(s *cardswitch.StandInConfig) {
			s.Failing = cardswitch.FailingConfig{Errors: 4, Probe: 5 * time.Second, Good: 2}
		}), func(y *yard, shop, primary, standby *peer) {
		stan, well := 0, false
		asked, standing, changes, before := 0, 0, 0, ""
		ask := func() string {
			stan++
			e := sale(stan, 100)
			e[2] = fmt.Sprintf("353011%010d", stan) // what is owed for a card would hold the next
			shop.send("1200", e)
			for {
				y.poll(primary, func(m *spec.Message) {
					switch {
					case m.MTI().Function() == 2 && well:
						primary.answer(m, map[int]string{39: "900"})
					case m.MTI().Function() == 2:
						primary.answer(m, map[int]string{39: "909"})
					case well:
						asked++
						primary.answer(m, map[int]string{38: "A00001", 39: "000"})
					default:
						asked++
						primary.answer(m, map[int]string{39: "909"})
					}
				})
				if a := shop.next(50 * time.Millisecond); a != nil {
					who := "issuer"
					if a.Has(58) {
						who = "stand-in"
					}
					if who != before {
						changes, before = changes+1, who
					}
					return who + " " + value(a, 39)
				}
			}
		}
		for range 4 {
			if got := ask(); got != "issuer 909" {
				t.Fatalf("got %q before stand-in", got)
			}
		}
		standing, asked = 0, 0
		for range 200 {
			if strings.HasPrefix(ask(), "stand-in") {
				standing++
			}
			time.Sleep(100 * time.Millisecond)
		}
		if asked < 3 || asked > 6 || standing != 200-asked {
			t.Errorf("in 20 s of failing %d were let through and %d stood in for", asked, standing)
		}
		well = true
		changes, before = 0, "stand-in"
		last := ""
		for range 600 {
			last = ask()
			time.Sleep(100 * time.Millisecond)
		}
		if last != "issuer 000" {
			t.Errorf("a well issuer is not asked: %q", last)
		}
		// A probe now and then, and the one change back.
		if changes > 20 {
			t.Errorf("%d changes of who decides", changes)
		}
	})
}

// poll lets fn see what has come to a peer.
func (y *yard) poll(p *peer, fn func(*spec.Message)) {
	for {
		m := p.next(5 * time.Millisecond)
		if m == nil {
			return
		}
		fn(m)
	}
}

// The issuer itself asks for stand-in by an 1804, and for its end.
func TestStandInAskedByTheIssuer(t *testing.T) {
	run(t, withStandIn(standInRules, nil), func(y *yard, shop, primary, standby *peer) {
		tell := func(stan, function string) {
			t.Helper()
			primary.send("1804", map[int]string{11: stan, 12: "261122120000", 24: function,
				93: "99999000001", 94: "00000000017"})
			want(t, primary.read("1814"), map[int]string{39: "800"})
		}
		tell("000001", "803")
		shop.send("1200", sale(1, 500))
		want(t, shop.read("1210"), map[int]string{39: "000", 58: "99999000001"})
		told := primary.read("1220")
		want(t, told, map[int]string{25: "1000"})
		primary.answer(told, map[int]string{39: "900"})
		tell("000002", "801")
		shop.send("1200", sale(2, 500))
		m := primary.read("1200")
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{38: "A00001"})
	})
}

// What stand-in may not decide is answered as without it: a card outside its rules, an inquiry, a
// PIN.
func TestStandInAbstains(t *testing.T) {
	rules := standInRules + "  - {name: never, ranges: [\"3530111\"], excluded: true}\n"
	run(t, withStandIn(rules, nil), func(y *yard, shop, primary, standby *peer) {
		primary.conn.Close()
		standby.conn.Close()
		time.Sleep(10 * time.Millisecond)
		shop.send("1200", sale(1, 500))
		a := shop.read("1210")
		want(t, a, map[int]string{39: "912"})
		for stan, change := range map[int]map[int]string{
			2: {2: "3530119333300000", 3: "300000"},
			3: {2: "3530119333300000", 52: "12345678"},
		} {
			e := sale(stan, 500)
			for n, v := range change {
				e[n] = v
			}
			shop.send("1200", e)
			want(t, shop.read("1210"), map[int]string{39: "912"})
		}
		e := sale(4, 500)
		e[2] = "3530119333300000"
		shop.send("1200", e)
		want(t, shop.read("1210"), map[int]string{39: "000"})
		var why []string
		err := y.sw.Journal().Replay(1, func(r *journal.Record) error {
			if r.Action == 912 {
				why = append(why, strings.TrimPrefix(r.Text, "no link to the issuer, and "))
			}
			return nil
		})
		slices.Sort(why)
		all := strings.Join(why, "; ")
		if err != nil || all != "a PIN that stand-in can't check; no transaction for stand-in; "+
			"the card is excluded from stand-in" {
			t.Errorf("the journal says: %s; %v", all, err)
		}
	})
}

// An operator has the last word, and it is there again after a restart.
func TestStandInByAnOperator(t *testing.T) {
	run(t, withStandIn(standInRules, nil), func(y *yard, shop, primary, standby *peer) {
		order := func(act string) {
			t.Helper()
			err := y.sw.OrderStandIn("issuer-a",
				cardswitch.StandInOrder{Act: act, Who: "sato", Why: "a test"})
			if err != nil {
				t.Fatal(err)
			}
		}
		if y.sw.OrderStandIn("issuer-a", cardswitch.StandInOrder{Act: "on"}) == nil ||
			y.sw.OrderStandIn("hq-1", cardswitch.StandInOrder{Act: "on", Who: "s", Why: "y"}) == nil {
			t.Error("an order without a name or an issuer was taken")
		}
		order("on")
		shop.send("1200", sale(1, 1000))
		want(t, shop.read("1210"), map[int]string{39: "000", 58: "99999000001"})
		told := primary.read("1220")
		want(t, told, map[int]string{25: "1007"})
		primary.answer(told, map[int]string{39: "900"})
		if st := y.sw.StandIns(); len(st) != 1 || !st[0].Stands || st[0].Setting != "on" ||
			st[0].Approved != 1 || st[0].Cards != 1 {
			t.Errorf("status %+v", st)
		}
		order("off")
		primary.conn.Close()
		standby.conn.Close()
		time.Sleep(time.Second)
		shop.send("1200", sale(2, 1000))
		want(t, shop.read("1210"), map[int]string{39: "910"}) // connected again, not signed on
		order("auto")
		shop.send("1200", sale(3, 1000))
		want(t, shop.read("1210"), map[int]string{39: "000"})
		if st := y.sw.Status(); len(st.StandIn) != 1 {
			t.Errorf("status names %v", st.StandIn)
		}
	})
}

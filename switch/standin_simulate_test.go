package cardswitch_test

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/standin"
)

// Rules that run against the journal decide as they did live, request by request.
func TestSimulationEqualsLive(t *testing.T) {
	rules := standInRules + "  - {name: never, ranges: [\"3530111333\"], excluded: true}\n"
	change := func(c *cardswitch.Config) {
		withStandIn(rules, nil)(c)
		c.Centers[1].Timezone = "Etc/GMT+2" // where it is two hours to midnight
	}
	run(t, change, func(y *yard, shop, primary, standby *peer) {
		primary.conn.Close()
		standby.conn.Close()
		time.Sleep(10 * time.Millisecond)
		random := rand.New(rand.NewPCG(1, 2))
		var live [3]int
		for stan := 1; stan <= 60; stan++ {
			e := sale(stan, 1+random.IntN(6000))
			e[2] = []string{"3530119333300000", "3530118333300000", card}[random.IntN(3)]
			if random.IntN(4) == 0 {
				e[3] = "300000"
			}
			if random.IntN(4) == 0 {
				e[14] = []string{"9912", "2001"}[random.IntN(2)]
			}
			shop.send("1200", e)
			switch a := value(shop.read("1210"), 39); {
			case a < "100":
				live[0]++
			case a < "900":
				live[1]++
			default:
				live[2]++
			}
			shop.quiet(time.Duration(random.IntN(260)) * time.Second) // echo tests are answered
		}
		time.Sleep(time.Minute)
		found, err := y.sw.Simulate(t.Context(), cardswitch.Simulation{})
		if err != nil {
			t.Fatal(err)
		}
		total := found.Total
		if int(total.Approved.Count) != live[0] || int(total.Declined.Count) != live[1] ||
			total.Abstained.Count != 0 { // what it left alone names no issuer in the journal
			t.Errorf("simulated %+v, live %v", total, live)
		}
		if live[0] < 5 || live[1] < 5 || live[2] < 5 {
			t.Errorf("the scene shows little: %v", live)
		}
		found, err = y.sw.Simulate(t.Context(), cardswitch.Simulation{Issuer: "issuer-a",
			From: time.Now().Add(-2 * time.Hour), To: time.Now().Add(-time.Hour)})
		all := total.Approved.Count + total.Declined.Count
		if err != nil || found.Requests == 0 || found.Requests >= all {
			t.Errorf("%d requests in some hours, %d in all: %v", found.Requests, all, err)
		}
	})
}

// What the issuer decided itself is compared with what stand-in would have.
func TestSimulationComparesWithTheIssuer(t *testing.T) {
	run(t, withStandIn(standInRules, nil), func(y *yard, shop, primary, standby *peer) {
		for stan, c := range []struct {
			amount int
			issuer string
		}{{100, "000"}, {4000, "000"}, {4000, "116"}, {6000, "000"}, {6000, "100"}, {200, "909"}} {
			shop.send("1200", sale(stan+1, c.amount))
			m := primary.read("1200")
			e := map[int]string{39: c.issuer}
			if c.issuer == "000" {
				e[38] = "A00001"
			}
			primary.answer(m, e)
			shop.read("1210")
		}
		time.Sleep(time.Second)
		found, err := y.sw.Simulate(t.Context(), cardswitch.Simulation{Rules: standInRules +
			"  - {name: other, ranges: [\"353012\"], most: 1, limits: [{days: 1, count: 1}]}\n"})
		if err != nil {
			t.Fatal(err)
		}
		got := found.Rules[0].Tally
		got.Reasons = nil
		want := standin.Tally{Approved: standin.Sum{Count: 4, Amount: 8300},
			Declined: standin.Sum{Count: 2, Amount: 12000}, Risked: standin.Sum{Count: 1, Amount: 4000},
			Lost: standin.Sum{Count: 1, Amount: 6000}, Agreed: standin.Sum{Count: 3, Amount: 10100},
			Unknown: standin.Sum{Count: 1, Amount: 200}}
		if !reflect.DeepEqual(got, want) || found.Requests != 6 {
			t.Errorf("%d requests\n%+v, want\n%+v", found.Requests, got, want)
		}
	})
}

package cardswitch_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	cardswitch "cardswitch/switch"
)

// inquiry is a merchant's validity check: no amount, no currency.
func inquiry(stan int) map[int]string {
	e := sale(stan, 0)
	delete(e, 4)
	delete(e, 49)
	e[24] = "108"
	return e
}

// A merchant's validity check goes to the issuer and its answer comes back, in any dialect,
// with function code 108 or the processing code of an inquiry, with an amount or without.
func TestValidityCheckOfAMerchant(t *testing.T) {
	for _, name := range dialect.Names() {
		t.Run(name, func(t *testing.T) {
			run(t, func(c *cardswitch.Config) {
				c.Centers[0].Dialect = name
				c.Centers[1].Dialect = name
			}, func(y *yard, shop, primary, standby *peer) {
				for stan, change := range []map[int]string{nil, {3: "330000", 24: "100"},
					{4: "000000000000", 49: "392"}} {
					elements := inquiry(stan + 1)
					for n, v := range change {
						elements[n] = v
					}
					shop.send("1100", elements)
					m := primary.read("1100")
					if m.Has(4) != (elements[4] != "") || value(m, 24) != elements[24] {
						t.Errorf("the issuer was asked with %v", m.Elements())
					}
					primary.answer(m, map[int]string{39: "000", 22: "", 24: "", 26: "", 43: ""})
					a := shop.read("1110")
					want(t, a, map[int]string{39: "000", 11: fmt.Sprintf("%06d", stan+1)})
					if a.Has(38) {
						t.Error("an approval code of a check")
					}
				}
				primary.quiet(25 * time.Second) // nothing is reversed
			})
		})
	}
}

// A check that stays unanswered is reversed like any request; a reversal has an amount.
func TestUnansweredValidityCheck(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1100", inquiry(9))
		m := primary.read("1100")
		want(t, shop.read("1110"), map[int]string{39: "911"})
		r := primary.read("1420")
		want(t, r, map[int]string{4: "000000000000", 49: "392", 25: "4021",
			56: "1100" + value(m, 11) + "261122120000" + "11" + acquirer})
		primary.answer(r, map[int]string{39: "400"})
	})
}

const jobAt = 261122115500

func checkOf(line int, card string) cardswitch.CardCheck {
	return cardswitch.CardCheck{Job: jobAt, Line: line, Card: card, Expiry: "2912"}
}

// outcome is what a check that was begun comes to.
type outcome struct {
	cardswitch.CardChecked
	err error
}

func (y *yard) check(q cardswitch.CardCheck) <-chan outcome {
	ch := make(chan outcome, 1)
	sw := y.sw
	go func() {
		c, err := sw.CheckCard(context.Background(), q)
		ch <- outcome{c, err}
	}()
	return ch
}

// The switch asks about a card itself, once: who asks the same again gets what was answered, also
// after a restart.
func TestCheckCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		primary, standby := y.openBoth()
		got := y.check(checkOf(17, card))
		m := primary.read("1100")
		want(t, m, map[int]string{2: card, 3: "330000", 12: "261122115500", 14: "2912", 24: "108",
			32: "99999000001", 37: "261122115500"})
		if m.Has(4) || m.Has(43) {
			t.Error("it has an amount or a shop")
		}
		again := y.check(checkOf(17, card)) // while the first one waits
		primary.quiet(time.Second)
		primary.answer(m, map[int]string{39: "118", 22: "", 24: "", 26: ""})
		a, b := <-got, <-again
		if a.err != nil || !a.Asked || a.Action != 118 || a.Kept || a.Center != "issuer-a" ||
			a.Card != "353011******0000" {
			t.Fatalf("%+v", a)
		}
		if b.err != nil || !b.Kept || b.Action != 118 || b.Txn != a.Txn {
			t.Errorf("asked again: %+v", b)
		}
		e := y.explained("261122115500")
		wantSaid(t, e.Summary, "from validity-check on", "DECLINED by issuer-a with 118")
		for _, p := range []*peer{primary, standby} {
			p.conn.Close()
		}
		y.end()
		y.start()
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		time.Sleep(time.Second)
		if c := <-y.check(checkOf(17, card)); c.err != nil || !c.Kept || c.Action != 118 {
			t.Errorf("after a restart: %+v", c)
		}
		if c := <-y.check(checkOf(17, "3530111333300018")); c.Action != 913 {
			t.Errorf("another card with the same name: %+v", c)
		}
		primary.quiet(time.Second)
		y.end()
		primary.conn.Close()
		standby.conn.Close()
	})
}

func TestCheckCardIsNotAsked(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		for text, action := range map[string]int{"3530111333300001": 111, "hello": 111, "": 111,
			"4111111111111111": 908} {
			if c := <-y.check(checkOf(1, text)); c.err != nil || !c.Asked || c.Action != action ||
				c.Txn != 0 {
				t.Errorf("%q: %+v, want %d", text, c, action)
			}
		}
		primary.quiet(time.Second)
	})
}

// A check that was out when the process died is answered as unknown, and reversed.
func TestCheckCardCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		primary, standby := y.openBoth()
		got := y.check(checkOf(3, card))
		m := primary.read("1100")
		y.crash(primary, standby)
		<-got // whatever the dead process says
		y.start()
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		r := primary.read("1420")
		want(t, r, map[int]string{4: "000000000000",
			56: "1100" + value(m, 11) + "261122115500" + "11" + "99999000001"})
		primary.answer(r, map[int]string{39: "400"})
		if c := <-y.check(checkOf(3, card)); c.err != nil || !c.Kept || c.Action != 911 {
			t.Errorf("after the crash: %+v", c)
		}
		primary.quiet(time.Second)
		y.end()
		primary.conn.Close()
		standby.conn.Close()
	})
}

// Checks give way: counted at the issuer, a live request is never behind one and never refused for
// one, however many checks wait; and no check is asked while the window is half full.
func TestChecksGiveWay(t *testing.T) {
	const window, ours = 16, 4
	run(t, func(c *cardswitch.Config) {
		c.Checks.InFlight = ours
		c.Centers[1].Window = window
	}, func(y *yard, shop, primary, standby *peer) {
		// As many checks as can go out now; the rest has no room.
		var jobs sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for line := range 20 {
			jobs.Go(func() {
				pan, _ := spec.ParsePAN(card)
				c, err := y.sw.CheckCard(context.Background(), checkOf(line+1, pan.Reveal()))
				mu.Lock()
				defer mu.Unlock()
				if err == nil && !c.Asked {
					refused++
				}
			})
		}
		var waiting []*spec.Message
		for range ours {
			waiting = append(waiting, primary.read("1100"))
		}
		synctest.Wait()
		if refused != 20-ours {
			t.Fatalf("%d of 20 had no room, want %d", refused, 20-ours)
		}
		// The whole window is there for live requests, at once, though checks wait.
		began := time.Now()
		for stan := range window {
			shop.send("1200", sale(stan+1, 100))
			waiting = append(waiting, primary.read("1200"))
		}
		if took := time.Since(began); took > 50*time.Millisecond {
			t.Errorf("live requests waited %v behind checks", took)
		}
		shop.send("1200", sale(window+1, 100))
		want(t, shop.read("1210"), map[int]string{39: "907"}) // by the window, which is full of live ones
		for _, m := range waiting {
			primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		}
		for range window {
			want(t, shop.read("1210"), map[int]string{39: "000"})
		}
		jobs.Wait()
		// Half the window full of live requests: none is asked.
		for stan := range window / 2 {
			shop.send("1200", sale(100+stan, 100))
			primary.read("1200")
		}
		if c := <-y.check(checkOf(30, card)); c.Asked || c.Action != 907 {
			t.Errorf("asked at half a window: %+v", c)
		}
	})
}

// An issuer that leaves checks unanswered is left alone for a while.
func TestSilentIssuerRests(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		for line := range 5 {
			got := y.check(checkOf(line+1, card))
			primary.read("1100")
			if c := <-got; !c.Asked || c.Action != 911 {
				t.Fatalf("%+v", c)
			}
			primary.answer(primary.read("1420"), map[int]string{39: "400"})
			time.Sleep(time.Second)
		}
		if c := <-y.check(checkOf(6, card)); c.Asked || c.Reason != 903 {
			t.Errorf("asked at once again: %+v", c)
		}
		primary.quiet(2 * time.Minute)
		got := y.check(checkOf(6, card))
		primary.answer(primary.read("1100"), map[int]string{39: "000"})
		if c := <-got; !c.Asked || c.Action != 0 {
			t.Errorf("after the rest: %+v", c)
		}
	})
}

// A token stands for its card in a check, too; one for one use isn't spent on it.
func TestCheckCardByToken(t *testing.T) {
	runTokens(t, func(one, other *cardswitch.CenterConfig) {
		other.Tokens.SingleUse = time.Hour
	}, func(y *yard, shop, other, primary *peer) {
		token := bought(t, shop, primary, 1)
		got := y.check(checkOf(1, token))
		m := primary.read("1100")
		want(t, m, map[int]string{2: card})
		primary.answer(m, map[int]string{39: "000"})
		if c := <-got; c.err != nil || c.Action != 0 || c.Card != token {
			t.Errorf("%+v", c)
		}
		once := bought(t, other, primary, 2)
		if c := <-y.check(checkOf(2, once)); !c.Asked || c.Reason != 904 || c.Card != once {
			t.Errorf("a token for one use: %+v", c)
		}
		primary.quiet(time.Second)
	})
}

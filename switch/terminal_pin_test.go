package cardswitch_test

import (
	"testing"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/dukpt"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/security/securitytest"
)

// runTerminalPINs is run with a merchant whose terminals encrypt PINs, and card data if p2pe is
// given.
func runTerminalPINs(t *testing.T, module hsm.Module, aes bool, p2pe *cardswitch.P2PEConfig,
	scene func(y *yard, list []*securitytest.Terminal, shop, primary *peer)) {
	t.Helper()
	var list []*securitytest.Terminal
	runSecured(t, module, nil, func(y *yard) {
		agreed := &cardswitch.TerminalsConfig{Scheme: cardswitch.P2PETDES, Alarm: 3}
		if aes {
			agreed.Scheme, agreed.Key = cardswitch.P2PEAES, "tdea-2"
		}
		s := y.config.Centers[0].Security
		s.PIN.Terminals, s.P2PE = agreed, p2pe
		y.config.Complete()
		if err := y.config.Validate(); err != nil {
			t.Fatal(err)
		}
		list = securitytest.NewTerminals(t, y.deps.Keys, "hq-1", aes, 3)
	}, func(y *yard, shop, primary, _ *peer) { scene(y, list, shop, primary) })
}

// withPIN is a sale with a PIN of a terminal, under its next counter; element 53 names it.
func withPIN(y *yard, r *securitytest.Terminal, stan int, pin, pan string) map[int]string {
	r.Counter++
	y.shop.KSN = r.KSN()
	e := sale(stan, 700)
	e[52] = string(r.PIN(dukpt.TDEA2, pin, pan))
	return e
}

// A PIN goes from a terminal's key into the zone of the issuer; also where the module is a machine
// of its own.
func TestPINsOfTerminals(t *testing.T) {
	for _, aes := range []bool{false, true} {
		for _, module := range []hsm.Module{nil, &distant{Module: securitytest.Soft(t),
			latency: time.Millisecond}} {
			runTerminalPINs(t, module, aes, nil, func(y *yard, list []*securitytest.Terminal, shop,
				primary *peer) {
				for i, pin := range []string{"1234", "86420", "000000"} {
					shop.send("1200", withPIN(y, list[i], i+1, pin, card))
					m := primary.read("1200")
					if got := y.bank.Decipher(m, card); got != pin {
						t.Error("the PIN arrives as another")
					}
					if len(value(m, 53)) != 6 {
						t.Error("the issuer is told the terminal's KSN")
					}
					primary.answer(m, map[int]string{38: "A00001", 39: "000", 52: ""})
					want(t, shop.read("1210"), map[int]string{39: "000", 52: ""})
				}
				shop.send("1200", sale(9, 700)) // without a PIN there need be no KSN
				approve(primary)
				want(t, shop.read("1210"), map[int]string{11: "000009", 39: "000"})
			})
		}
	}
}

// A counter is used once, whatever the PIN, also over a crash; the repeat gets its answer.
func TestCountersOfPINsAreUsedOnce(t *testing.T) {
	runTerminalPINs(t, nil, false, nil, func(y *yard, list []*securitytest.Terminal, shop,
		primary *peer) {
		first := withPIN(y, list[0], 1, "1234", card)
		shop.send("1200", first)
		primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000", 52: ""})
		a := shop.read("1210")
		refused := func(when string) {
			t.Helper()
			second := sale(2, 700)
			second[52] = first[52]
			shop.send("1200", second)
			want(t, shop.read("1210"), map[int]string{11: "000002", 39: "922"})
			shop.send("1201", first)
			if again := shop.read("1210"); plain(again) != plain(a) {
				t.Errorf("%s the repeat got another answer", when)
			}
			primary.quiet(time.Second)
		}
		refused("at once")
		defer y.again(shop, primary).conn.Close()
		refused("after the crash")
		y.shop.KSN = nil
		shop.writeBare(y.shop.SealWith(shop.frame("1200", first, nil), 1, 1))
		want(t, shop.read("1210"), map[int]string{39: "904"}) // it names no terminal
	})
}

// What a terminal encrypts under a wrong key is answered, never sent, and raises the alarm when it
// goes on; the right one in between ends the row.
func TestATerminalWithWrongPINKeys(t *testing.T) {
	runTerminalPINs(t, nil, false, nil, func(y *yard, list []*securitytest.Terminal, shop,
		primary *peer) {
		stan := 0
		send := func(pan, code string) {
			t.Helper()
			stan++
			shop.send("1200", withPIN(y, list[0], stan, "1234", pan))
			if code == "000" {
				primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000", 52: ""})
			}
			want(t, shop.read("1210"), map[int]string{39: code})
		}
		suspects := func() float64 {
			return y.metric("cardswitch_security_events_total", map[string]string{"center": "hq-1",
				"cause": "terminal"}).GetCounter().GetValue()
		}
		const other = "3530111222211119"
		for range 4 {
			send(other, "126")
			send(other, "126")
			send(card, "000")
		}
		if n := suspects(); n != 0 {
			t.Errorf("%v alarms for two in a row", n)
		}
		for range 3 {
			send(other, "126")
		}
		primary.quiet(time.Second)
		if n := suspects(); n != 1 {
			t.Errorf("%v alarms for three in a row", n)
		}
	})
}

// A PIN and card data of one message are under one KSN.
func TestPINsWithEncryptedCardData(t *testing.T) {
	runTerminalPINs(t, nil, false, &cardswitch.P2PEConfig{Scheme: cardswitch.P2PETDES,
		Required: true, Alarm: 3}, func(y *yard, list []*securitytest.Terminal, shop, primary *peer) {
		e := withPIN(y, list[0], 1, "1234", card)
		delete(e, 2)
		e[127] = list[0].Again(securitytest.Items(card, "2912", ""))
		shop.send("1200", e)
		m := primary.read("1200")
		want(t, m, map[int]string{2: card, 14: "2912", 127: ""})
		if y.bank.Decipher(m, card) != "1234" {
			t.Error("the PIN arrives as another")
		}
		primary.answer(m, map[int]string{38: "A00001", 39: "000", 52: ""})
		want(t, shop.read("1210"), map[int]string{39: "000", 2: "", 52: ""})

		e = withPIN(y, list[0], 2, "1234", card)
		delete(e, 2)
		e[127] = list[1].Encrypt(securitytest.Items(card, "2912", ""))
		shop.send("1200", e)
		want(t, shop.read("1210"), map[int]string{39: "904"})
		primary.quiet(time.Second)
	})
}

package cardswitch_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyring"
	"cardswitch/spec"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/security/securitytest"
)

// Both centers with codes and PINs. The ends of both are played by package securitytest, which
// makes and checks codes and PIN blocks by itself.

// secured makes the yard of a test one with security; module nil is one in this process.
func secured(y *yard, module hsm.Module, formats ...int) {
	y.t.Helper()
	if module == nil {
		module = securitytest.Soft(y.t)
	}
	if formats == nil {
		formats = []int{0, 0}
	}
	ring := securitytest.Ring(y.t, module)
	partner := func(i int) *securitytest.Partner {
		p := &securitytest.Partner{T: y.t, Ring: ring, Center: y.config.Centers[i].Name, Dialect: y.d,
			Padding: 1, Size: 8, PIN: formats[i], Generations: true}
		p.NewKeys()
		y.config.Centers[i].Security = &cardswitch.SecurityConfig{Generations: true,
			MAC: &cardswitch.MACConfig{Algorithm: "x9.19", Padding: 1, Size: 8, Errors: 3},
			PIN: &cardswitch.PINConfig{Format: formats[i]}}
		return p
	}
	y.deps.Keys, y.shop, y.bank = ring, partner(0), partner(1)
}

// runSecured is run with security on both sides.
func runSecured(t *testing.T, module hsm.Module, formats []int, change func(*yard),
	scene func(y *yard, shop, primary, standby *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		secured(y, module, formats...)
		if change != nil {
			change(y)
		}
		primary, standby := y.openBoth()
		shop := y.merchant()
		scene(y, shop, primary, standby)
		y.close(shop, primary, standby)
	})
}

// plain is a message without the elements that are about this sending.
func plain(m *spec.Message) string {
	var e spec.Edit
	e.Reset()
	for _, n := range []int{53, 64, 128} {
		e.Remove(n)
	}
	out, _ := m.Dialect().Append(nil, m, &e)
	return string(out)
}

// Every kind of message has a right code in both directions: sign-on and echo, a sale and its
// answer, refusals, kept answers, advices, reversals of the merchant's and of the switch.
func TestEveryMessageHasACode(t *testing.T) {
	runSecured(t, nil, nil, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		if value(m, 52) != "" || value(m, 2) != card {
			t.Error("the sale is another")
		}
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		a := shop.read("1210")
		want(t, a, map[int]string{11: "000001", 39: "000"})
		shop.send("1201", sale(1, 700))
		if again := shop.read("1210"); !bytes.Equal(again.Raw(), a.Raw()) {
			t.Error("the repeat got another answer")
		}
		y.shop.NewKey(keyring.ZAK, keyring.Out)
		shop.send("1201", sale(1, 700))
		if again := shop.read("1210"); plain(again) != plain(a) || bytes.Equal(again.Raw(), a.Raw()) {
			t.Error("after a new key the repeat doesn't differ in its code alone")
		}
		shop.send("1200", sale(1, 999))
		want(t, shop.read("1210"), map[int]string{39: "913"})
		shop.send("1420", reversal(2, 1, 700))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		r := primary.read("1420")
		primary.quiet(time.Second)
		again := primary.read("1421")
		primary.answer(again, map[int]string{39: "400"})
		if plain(again)[4:] != plain(r)[4:] {
			t.Error("the reversal's repeat is another")
		}
		shop.send("1220", offline(3, 100))
		want(t, shop.read("1230"), map[int]string{39: "900"})
		primary.answer(primary.read("1220"), map[int]string{39: "900"})
		shop.send("1200", sale(4, 100)) // nobody answers
		primary.read("1200")
		want(t, shop.read("1210"), map[int]string{39: "911"})
		primary.answer(primary.read("1420"), map[int]string{39: "400"})
		for range 20 { // echo tests
			for _, p := range []*peer{shop, primary, standby} {
				p.quiet(2 * time.Second)
			}
		}
		shop.send("1804", map[int]string{11: "000009", 12: "261122120000", 24: "801",
			93: "99999000001", 94: acquirer})
		want(t, shop.read("1814"), map[int]string{39: "800"})
	})
}

// Whatever bit of a request is flipped, it isn't forwarded, and binds nobody: the true one after
// it is served.
func TestAFlippedBit(t *testing.T) {
	runSecured(t, nil, nil, nil, func(y *yard, shop, primary, standby *peer) {
		sealed := y.shop.Seal(shop.frame("1200", sale(1, 700), nil))
		refused := 0
		for at := range sealed {
			flipped := bytes.Clone(sealed)
			flipped[at] ^= 1
			var m spec.Message
			if !y.d.Index(&m, flipped).OK() || m.MTI() != 0x1200 {
				continue
			}
			shop.writeBare(flipped)
			a := shop.next(time.Minute)
			if a == nil {
				t.Fatalf("byte %d: no answer", at)
			}
			if code := value(a, 39); code != "916" && code != "917" && code != "904" {
				t.Fatalf("byte %d: answered %s", at, code)
			}
			refused++
		}
		if refused < 50 {
			t.Errorf("only %d were refused", refused)
		}
		primary.quiet(time.Second)
		shop.writeBare(sealed)
		primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{11: "000001", 39: "000"})
	})
}

// watch notes what it is told.
type watch struct {
	events []cardswitch.SecurityEvent
	keys   []string
}

func (w *watch) Security(e cardswitch.SecurityEvent) {
	if e.Key != (keyring.Slot{}) {
		w.keys = append(w.keys, e.Key.String())
		return
	}
	w.events = append(w.events, e)
}

// A key that nobody has is told from a wrong code, and asked for; so is one after three wrong
// codes.
func TestKeysOutOfStep(t *testing.T) {
	w := &watch{}
	runSecured(t, nil, nil, func(y *yard) { y.deps.Security = w },
		func(y *yard, shop, primary, standby *peer) {
			bare := shop.frame("1200", sale(1, 700), nil)
			wrong := y.shop.Seal(bare)
			wrong[len(wrong)-1] ^= 1
			for i := range 3 {
				if len(w.keys) != 0 {
					t.Errorf("%v after %d wrong codes", w.keys, i)
				}
				shop.writeBare(wrong)
				want(t, shop.read("1210"), map[int]string{11: "000001", 39: "916"})
			}
			shop.writeBare(bare)
			want(t, shop.read("1210"), map[int]string{39: "916"})
			time.Sleep(time.Minute)
			for range 5 {
				shop.writeBare(y.shop.SealWith(bare, 0, 9))
				want(t, shop.read("1210"), map[int]string{39: "917"})
			}
			withPIN := shop.frame("1200", pinSale(y, 2, "1234", card), nil)
			shop.writeBare(y.shop.SealWith(withPIN, 9, 1))
			want(t, shop.read("1210"), map[int]string{11: "000002", 39: "919"})
			primary.quiet(time.Second)
			if got := len(w.keys); got != 3 || w.keys[0] != "zak:hq-1:in" ||
				w.keys[1] != "zak:hq-1:in" || w.keys[2] != "zpk:hq-1:in" {
				t.Errorf("asked for %v", w.keys)
			}
			if len(w.events) != 10 || w.events[0].Center != "hq-1" || w.events[0].Link != "a" {
				t.Errorf("%d events: %+v", len(w.events), w.events)
			}
		})
}

// An answer with a wrong code ends nothing: the true one does, or the deadline and its reversal.
func TestAnswersThatArentTrusted(t *testing.T) {
	runSecured(t, nil, nil, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		forged := y.bank.Seal(primary.frame("1210", map[int]string{39: "000", 38: "FORGED"}, m))
		forged[len(forged)-1] ^= 1
		primary.writeBare(forged)
		primary.writeBare(primary.frame("1210", map[int]string{39: "000", 38: "FORGED"}, m))
		primary.writeBare(y.bank.SealWith(primary.frame("1210", map[int]string{39: "000"}, m), 0, 7))
		primary.writeBare(append(y.bank.Seal(primary.frame("1210", nil, m)), "junk"...))
		shop.quiet(time.Second)
		primary.answer(m, map[int]string{39: "116"})
		want(t, shop.read("1210"), map[int]string{11: "000001", 39: "116"})

		shop.send("1200", sale(2, 700))
		m = primary.read("1200")
		primary.writeBare(primary.frame("1210", map[int]string{39: "000", 38: "FORGED"}, m))
		want(t, shop.read("1210"), map[int]string{11: "000002", 39: "911"})
		primary.answer(primary.read("1420"), map[int]string{39: "400"})
	})
}

// pinSale is a sale with a PIN.
func pinSale(y *yard, stan int, pin, pan string) map[int]string {
	e := sale(stan, 700)
	e[52] = string(y.shop.Encipher(pin, pan))
	return e
}

// PINs go from the zone of the merchant to that of the issuer.
func TestPINsCrossZones(t *testing.T) {
	for _, formats := range [][]int{{0, 0}, {3, 0}, {0, 3}} {
		runSecured(t, nil, formats, nil, func(y *yard, shop, primary, standby *peer) {
			shop.send("1200", pinSale(y, 1, "86420", card))
			m := primary.read("1200")
			if y.bank.Decipher(m, card) != "86420" {
				t.Error("the PIN arrives as another")
			}
			primary.answer(m, map[int]string{38: "A00001", 39: "000", 52: ""})
			want(t, shop.read("1210"), map[int]string{11: "000001", 39: "000"})
		})
	}
}

// A PIN block that can't be translated is taken back: the merchant is told once and for all, the
// issuer hears nothing, nothing is reversed.
func TestPINsThatCantCross(t *testing.T) {
	runSecured(t, nil, nil, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", pinSale(y, 1, "1234", "3530111222211119"))
		a := shop.read("1210")
		want(t, a, map[int]string{11: "000001", 39: "126"})
		shop.send("1201", pinSale(y, 1, "1234", card)) // the right block now: the same question
		if again := shop.read("1210"); !bytes.Equal(again.Raw(), a.Raw()) {
			t.Error("the repeat got another answer")
		}
		primary.quiet(time.Minute)
		shop.send("1200", pinSale(y, 2, "1234", card))
		primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000", 52: ""})
		want(t, shop.read("1210"), map[int]string{11: "000002", 39: "000"})
		if st := y.sw.Status(); st.Open != 0 || st.Owed != 0 {
			t.Errorf("%d open, %d owed", st.Open, st.Owed)
		}
		for i := 3; i < 13; i++ { // somebody tries
			shop.send("1200", pinSale(y, i, "1234", "3530111222211119"))
			want(t, shop.read("1210"), map[int]string{39: "126"})
		}
		for _, line := range y.sw.Links().Centers[1].Lines { // the issuer never saw them
			if line.Sick {
				t.Errorf("link %s is sick of another's PINs", line.Name)
			}
		}
		for cause, want := range map[string]float64{"pin": 11, "pins_tried": 1} {
			m := y.metric("cardswitch_security_events_total", map[string]string{"center": "hq-1",
				"cause": cause})
			if m.GetCounter().GetValue() != want {
				t.Errorf("%s: %v are counted", cause, m.GetCounter().GetValue())
			}
		}
	})
}

// A link is lost before messages left it: they go over the other one as they are, protected once.
func TestProtectedMessagesMoveOn(t *testing.T) {
	runSecured(t, nil, nil, nil, func(y *yard, shop, primary, standby *peer) {
		const sales = 400 // more than the primary's connection takes
		for stan := range sales {
			shop.send("1200", pinSale(y, stan+1, "1234", card))
		}
		time.Sleep(time.Second)
		primary.conn.Close()
		moved := 0
		for m := standby.next(5 * time.Second); m != nil; m = standby.next(5 * time.Second) {
			if m.MTI() != 0x1200 {
				standby.answer(m, map[int]string{39: "400"})
				continue
			}
			moved++
			if y.bank.Decipher(m, card) != "1234" {
				t.Fatal("the PIN arrives as another")
			}
			standby.answer(m, map[int]string{38: "A00001", 39: "000", 52: ""})
		}
		answered := map[string]int{}
		for m := shop.next(time.Second); m != nil; m = shop.next(time.Second) {
			answered[value(m, 39)]++
		}
		if moved == 0 || moved == sales || answered["000"] != moved ||
			answered["911"] != sales-moved {
			t.Errorf("%d moved, answers %v", moved, answered)
		}
	})
}

// Keys change under codes: the order stands in element 53 behind the keys of the message.
func TestKeyChangesHaveCodes(t *testing.T) {
	runSecured(t, nil, nil, nil, func(y *yard, shop, primary, standby *peer) {
		kbpk := keyring.Slot{Purpose: keyring.KBPK, Center: "hq-1"}
		by := keyring.By{Who: "test", Role: "test", Why: "test"}
		r, err := y.deps.Keys.Generate(context.Background(), by, keyring.Plan{Slot: kbpk})
		if err == nil {
			_, err = y.deps.Keys.Serve(context.Background(), by, r.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		slot := keyring.Slot{Purpose: keyring.ZAK, Center: "hq-1", Direction: keyring.In}
		changed := make(chan error, 1)
		go func() { changed <- y.sw.ChangeKey(context.Background(), by, slot) }()
		m := shop.read("1804")
		control := m.Append(nil, 53)
		if value(m, 24) != "811" || len(control) != 12 || control[0] != 2 || !m.Has(96) {
			t.Fatalf("function %s, element 53 is %X", value(m, 24), control)
		}
		if block := value(m, 96); block[:1] != "D" || block[7:8] != "T" {
			t.Errorf("X9.19 takes keys of TDES, and it is brought %s", block[:16])
		}
		order := string(control[6:])
		shop.answer(m, map[int]string{39: "921", 53: order, 96: ""})
		if err := <-changed; err == nil || !strings.Contains(err.Error(), "921") {
			t.Errorf("the change ended with %v", err)
		}
		// And the other way: the center asks for a key, which we don't make by ourselves here.
		wanted := "\x01\x02\x01\x00\x00\x00"
		shop.send("1804", map[int]string{11: "000077", 12: "261122120000", 24: "811", 53: wanted,
			93: "99999000001", 94: acquirer})
		a := shop.read("1814")
		if got := a.Append(nil, 53); value(a, 11) != "000077" || string(got[6:]) != wanted {
			t.Errorf("the answer's element 53 is %X", got)
		}
		if value(a, 39) != "800" && value(a, 39) != "921" {
			t.Errorf("answered %s", value(a, 39))
		}
	})
}

// An issuer that can't read what we protect says so to us, not to the merchant; its key is changed.
func TestIssuerOutOfStep(t *testing.T) {
	w := &watch{}
	runSecured(t, nil, nil, func(y *yard) { y.deps.Security = w },
		func(y *yard, shop, primary, standby *peer) {
			for i, code := range []string{"917", "916", "919"} {
				shop.send("1200", sale(i+1, 700))
				primary.answer(primary.read("1200"), map[int]string{39: code})
				want(t, shop.read("1210"), map[int]string{39: "920"})
			}
			if len(w.keys) != 2 || w.keys[0] != "zak:issuer-a:out" || w.keys[1] != "zpk:issuer-a:out" {
				t.Errorf("asked for %v", w.keys)
			}
			shop.send("1220", offline(9, 300))
			want(t, shop.read("1230"), map[int]string{39: "900"})
			primary.answer(primary.read("1220"), map[int]string{39: "917"})
			primary.answer(primary.read("1221"), map[int]string{39: "900"})
			primary.quiet(time.Minute)
			if st := y.sw.Status(); st.Open != 0 || st.Owed != 0 || st.Shelved != 0 {
				t.Errorf("%d open, %d owed, %d on the work list", st.Open, st.Owed, st.Shelved)
			}
		})
}

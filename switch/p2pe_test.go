package cardswitch_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"cardswitch/hsm"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/security/securitytest"
)

const track2 = card + "=29121011000012300000"

// terminals are those of the merchant's yard.
type terminals struct {
	list []*securitytest.Terminal
	seen *watch
}

// runEncrypted is run with a merchant whose terminals encrypt, and codes on both sides.
func runEncrypted(t *testing.T, module hsm.Module, aes bool, change func(*cardswitch.P2PEConfig),
	scene func(y *yard, r *terminals, shop, primary *peer)) {
	t.Helper()
	r := &terminals{seen: &watch{}}
	runSecured(t, module, nil, func(y *yard) {
		c := &cardswitch.P2PEConfig{Scheme: cardswitch.P2PETDES, Required: true}
		if aes {
			c.Scheme = cardswitch.P2PEAES
		}
		if change != nil {
			change(c)
		}
		y.config.Centers[0].Security.P2PE = c
		y.config.Complete()
		if err := y.config.Validate(); err != nil {
			t.Fatal(err)
		}
		y.deps.Security = r.seen
		r.list = securitytest.NewTerminals(t, y.deps.Keys, "hq-1", aes, 3)
	}, func(y *yard, shop, primary, _ *peer) { scene(y, r, shop, primary) })
}

// encrypted is a sale whose card data a terminal encrypted.
func encrypted(stan int, element string) map[int]string {
	e := sale(stan, 700)
	delete(e, 2)
	e[127] = element
	return e
}

// approve answers a sale as the issuer, which shows the card wherever it can.
func approve(primary *peer) {
	m := primary.read("1200")
	primary.answer(m, map[int]string{38: "A00001", 39: "000", 63: "CARD " + card, 35: ""})
}

// What a terminal encrypted goes out in clear, under the issuer's link, and comes back to the
// merchant in no form; so does it where the module is a machine of its own.
func TestEncryptedCardData(t *testing.T) {
	for _, aes := range []bool{false, true} {
		for _, module := range []hsm.Module{nil, &distant{Module: securitytest.Soft(t),
			latency: time.Millisecond}} {
			runEncrypted(t, module, aes, nil, func(y *yard, r *terminals, shop, primary *peer) {
				shop.send("1200", encrypted(1, r.list[0].Encrypt(securitytest.Items(card, "2912", ""))))
				m := primary.read("1200")
				want(t, m, map[int]string{2: card, 14: "2912", 35: "", 127: "", 4: "000000000700"})
				primary.answer(m, map[int]string{38: "A00001", 39: "000", 63: "CARD " + card})
				a := shop.read("1210")
				want(t, a, map[int]string{39: "000", 2: "", 38: "A00001", 11: "000001"})
				if bytes.Contains(a.Raw(), []byte(card)) {
					t.Error("the answer shows the card")
				}
				shop.send("1200", encrypted(2, r.list[1].Encrypt(securitytest.Items("", "", track2))))
				m = primary.read("1200")
				want(t, m, map[int]string{2: card, 14: "2912", 35: track2, 127: ""})
				primary.answer(m, map[int]string{38: "A00001", 39: "000", 35: ""})
				want(t, shop.read("1210"), map[int]string{39: "000", 11: "000002"})
			})
		}
	}
}

// again is a crash, and a start; it gives the standby.
func (y *yard) again(shop, primary *peer, others ...*peer) *peer {
	y.t.Helper()
	y.crash(append(others, shop, primary)...)
	y.start()
	*primary = *y.issuer(y.doors[0], "primary")
	standby := y.issuer(y.doors[1], "standby")
	time.Sleep(3 * time.Second)
	*shop = *y.merchant()
	return standby
}

// A repeat gets the answer of its question, whatever became of the counter; a counter that was used
// is refused in any other question, also after a crash. The reversal comes with that of its sale.
func TestCountersAreUsedOnce(t *testing.T) {
	runEncrypted(t, nil, false, func(c *cardswitch.P2PEConfig) { c.Window = 8 },
		func(y *yard, r *terminals, shop, primary *peer) {
			items, one := securitytest.Items(card, "2912", ""), r.list[0]
			first := one.Encrypt(items)
			shop.send("1200", encrypted(1, first))
			approve(primary)
			a := shop.read("1210")
			refused := func(when string) {
				t.Helper()
				shop.send("1200", encrypted(2, first))
				want(t, shop.read("1210"), map[int]string{11: "000002", 39: "922", 2: ""})
				shop.send("1201", encrypted(1, first))
				if again := shop.read("1210"); plain(again) != plain(a) {
					t.Errorf("%s the repeat got another answer", when)
				}
				primary.quiet(time.Second)
			}
			refused("at once")
			// The number that was refused is free for a true question.
			shop.send("1200", encrypted(2, one.Encrypt(items)))
			approve(primary)
			want(t, shop.read("1210"), map[int]string{11: "000002", 39: "000"})
			// Within the window counters may come late, once.
			one.Counter = 10
			late := one.Again(items)
			one.Counter = 12
			shop.send("1200", encrypted(3, one.Again(items)))
			approve(primary)
			want(t, shop.read("1210"), map[int]string{39: "000"})
			shop.send("1200", encrypted(4, late))
			approve(primary)
			want(t, shop.read("1210"), map[int]string{39: "000"})
			one.Counter = 4
			shop.send("1200", encrypted(5, one.Again(items)))
			want(t, shop.read("1210"), map[int]string{11: "000005", 39: "922"})
			// What the switch refused may come again.
			lost := one
			lost.Counter = 20
			gone := encrypted(6, lost.Again(securitytest.Items("4111111111111111", "2912", "")))
			shop.send("1200", gone)
			want(t, shop.read("1210"), map[int]string{39: "908"})
			gone[11] = "000007"
			shop.send("1200", gone)
			want(t, shop.read("1210"), map[int]string{39: "908"})
			done := offline(7, 700)
			delete(done, 2)
			done[56], done[127] = reversal(7, 1, 700)[56], first
			shop.send("1220", done)
			want(t, shop.read("1230"), map[int]string{39: "922"})
			back := reversal(8, 1, 700)
			delete(back, 2)
			back[127] = first
			shop.send("1420", back)
			want(t, shop.read("1430"), map[int]string{39: "400", 2: ""})
			m := primary.read("1420")
			want(t, m, map[int]string{2: card, 127: ""})
			primary.answer(m, map[int]string{39: "400"})
			time.Sleep(time.Second)
			defer y.again(shop, primary).conn.Close()
			shop.send("1200", encrypted(9, first))
			want(t, shop.read("1210"), map[int]string{11: "000009", 39: "922"})
			shop.send("1201", encrypted(1, first))
			if again := shop.read("1210"); plain(again) != plain(a) {
				t.Error("after the crash the repeat got another answer")
			}
		})
}

// Card data in clear are refused, in whatever element, and the answer says in which; what is
// merely odd isn't.
func TestNoCardInClear(t *testing.T) {
	stripe := "B" + card + "^TARO^29121011"
	clear := map[int]string{2: card, 35: track2, 36: track2, 45: stripe, 48: "0013" +
		fmt.Sprintf("%03d", len(stripe)) + stripe, 55: "\x5a\x08\x35\x30\x11\x13\x33\x30\x00\x00",
		59: "COOKIE " + card, 60: card, 63: "x" + card, 72: card, 104: card, 126: card}
	runEncrypted(t, nil, false, nil, func(y *yard, r *terminals, shop, primary *peer) {
		stan := 10
		for n, bare := range clear {
			for _, also := range []bool{false, true} {
				stan++
				e := encrypted(stan, "")
				if also {
					e[127] = r.list[0].Encrypt(securitytest.Items(card, "2912", ""))
				}
				e[n] = bare
				shop.send("1200", e)
				a := shop.read("1210")
				want(t, a, map[int]string{39: "904", 2: ""})
				if !strings.Contains(value(a, 44), fmt.Sprintf("element %d ", n)) {
					t.Errorf("element %d: the answer says %q", n, value(a, 44))
				}
				if bytes.Contains(a.Raw(), []byte(card)) {
					t.Errorf("element %d: the answer shows the card", n)
				}
			}
		}
		primary.quiet(time.Second)
		e := encrypted(9, r.list[0].Encrypt(securitytest.Items(card, "2912", "")))
		e[59], e[60] = "COOKIE 1234567", "no card 4111"
		shop.send("1200", e)
		approve(primary)
		want(t, shop.read("1210"), map[int]string{39: "000", 59: "COOKIE 1234567"})
	})
}

// Whatever bit of the element is flipped, nothing is forwarded; failures in a row raise the alarm.
func TestAFlippedBitOfCardData(t *testing.T) {
	runEncrypted(t, nil, false, nil, func(y *yard, r *terminals, shop, primary *peer) {
		right := r.list[2].Encrypt(securitytest.Items(card, "2912", ""))
		stan := 0
		for i := range right {
			for _, c := range []byte("0F") {
				if right[i] == c {
					continue
				}
				stan++
				wrong := []byte(right)
				wrong[i] = c
				shop.send("1200", encrypted(stan, string(wrong)))
				a := shop.read("1210")
				if code := value(a, 39); code != "904" && code != "919" {
					t.Fatalf("digit %d: answered %s", i, code)
				}
			}
		}
		primary.quiet(time.Second)
		suspects := 0
		for _, e := range r.seen.events {
			if e.Terminal != "" && e.Reason.String() == "a terminal fails again and again" {
				suspects++
			}
		}
		if suspects == 0 {
			t.Error("no terminal is suspected")
		}
		shop.send("1200", encrypted(1, right))
		approve(primary)
		want(t, shop.read("1210"), map[int]string{39: "000"})
	})
}

// Where encryption isn't required, a message has the one or the other.
func TestEncryptionIsAnOption(t *testing.T) {
	runEncrypted(t, nil, true, func(c *cardswitch.P2PEConfig) { c.Required = false },
		func(y *yard, r *terminals, shop, primary *peer) {
			shop.send("1200", sale(1, 700))
			approve(primary)
			want(t, shop.read("1210"), map[int]string{39: "000", 2: card})
			shop.send("1200", encrypted(2, r.list[0].Encrypt(securitytest.Items(card, "2912", ""))))
			approve(primary)
			want(t, shop.read("1210"), map[int]string{39: "000"})
			e := sale(3, 700)
			e[127] = r.list[0].Encrypt(securitytest.Items(card, "2912", ""))
			shop.send("1200", e)
			want(t, shop.read("1210"), map[int]string{39: "904"})
		})
}

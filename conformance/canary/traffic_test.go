package canary

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ground"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/pos"
)

// wallet makes cards, and tells the canary all that is on them.
type wallet struct {
	canary *Canary
	random *rand.Rand
	shown  map[string]card // those that an issuer's answer shows by mistake, by issuer
}

// card is what a terminal reads of one.
type card struct {
	pan, disc string // disc: the discretionary data of its stripe
	pin       string
}

func (w *wallet) digits(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte('1' + byte(w.random.IntN(9))) // zeros are what a blank looks like
	}
	return b.String()
}

func (w *wallet) card(prefix string, length int) card {
	c := card{pan: pos.WithCheckDigit(prefix + w.digits(length-len(prefix)-1)),
		disc: w.digits(29 - length)}
	pin := make([]byte, 8)
	for i := range pin {
		pin[i] = byte(w.random.Uint32())
	}
	c.pin = string(pin)
	name := "the card " + format.Mask(c.pan)
	w.canary.Digits(name, c.pan)
	w.canary.Digits("the track of "+name, c.disc)
	w.canary.Bytes("the PIN block of "+name, pin)
	return c
}

const securityCode = "00120047351" // tag, length, value

func (c card) track2() string { return c.pan + "=2912101" + c.disc }

// emv is a chip's data, with the tags that hold the card number and the track.
func (c card) emv() string {
	packed := func(digits string) string {
		b, err := hex.DecodeString(digits)
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	even := func(s string) string { return s + strings.Repeat("f", len(s)%2) }
	number, stripe := packed(even(c.pan)), packed(even(c.pan+"d2912101"+c.disc))
	return "\x9f\x26\x08\x11\x22\x33\x44\x55\x66\x77\x88" +
		"\x5a" + string(byte(len(number))) + number + "\x57" + string(byte(len(stripe))) + stripe
}

func (c card) items() string {
	stripe := "B" + c.pan + "^TARO^2912" + c.disc
	return "000100210" + securityCode + fmt.Sprintf("0013%03d%s", len(stripe), stripe)
}

// center is a merchant that sends whatever it is told to.
type center struct {
	*ground.Peer
	dialect, door, acquirer string
	stan                    int
	t                       *testing.T
}

func (m *center) open(g *ground.Ground) {
	m.t.Helper()
	var err error
	if m.Peer, err = g.Call(m.door, m.dialect); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { m.Close() })
	if err := m.SignOn(m.acquirer); err != nil {
		m.t.Fatal(err)
	}
}

// message is a message of this merchant, with all that a chip and a stripe give.
func (m *center) message(mti string, c card, amount int) *format.Message {
	m.stan++
	f := format.New(mti).Set(2, c.pan).Set(3, "000000").Set(4, fmt.Sprintf("%012d", amount)).
		Set(11, fmt.Sprintf("%06d", m.stan)).Set(12, time.Now().Format("060102150405")).
		Set(14, "2912").Set(22, "510101511344").Set(24, "200").Set(26, "5411").
		Set(32, m.acquirer).Set(37, fmt.Sprintf("REF%s%06d", m.acquirer[8:], m.stan)).
		Set(41, "TERM0001").Set(42, "MERCHANT0000001").
		Set(43, `SHOP\STREET\TOKYO\1500001    JPN`).Set(48, c.items()).Set(49, "392").
		Set(59, fmt.Sprintf("cookie%d", m.stan))
	if mti[2] == '2' {
		return f.Set(25, "1006").Set(38, "OFF001").Set(39, "000")
	}
	return f.Set(35, c.track2()).Set(52, c.pin).Set(55, c.emv())
}

// reversal is the merchant's reversal of an earlier message.
func (m *center) reversal(of *format.Message) *format.Message {
	m.stan++
	return format.New("1420").Copy(of, 2, 3, 4, 12, 26, 32, 37, 41, 42, 43, 48, 49).
		Set(11, fmt.Sprintf("%06d", m.stan)).Set(24, "400").Set(25, "4000").
		Set(56, ledger.Original(of))
}

// ask demands an action code, so that what should have happened did happen.
func (m *center) ask(q *format.Message, actions string) {
	m.t.Helper()
	a, err := m.Ask(q, 10*time.Second)
	switch {
	case err != nil:
		m.t.Fatalf("%s: %s: %v", m.dialect, q.MTI, err)
	case !strings.Contains(actions, a.Get(39)):
		m.t.Errorf("%s: %s of %s yen answered %s, want %s", m.dialect, q.MTI, q.Get(4), a.Get(39),
			actions)
	}
}

// tell sends what may or may not be answered.
func (m *center) tell(q *format.Message) {
	m.t.Helper()
	if err := m.Send(q); err != nil {
		m.t.Fatalf("%s: %s: %v", m.dialect, q.MTI, err)
	}
}

func (m *center) raw(b []byte) {
	m.t.Helper()
	if _, err := m.Write(ground.Framed(b)); err != nil {
		m.t.Fatal(err)
	}
}

// trade is the mix of a day, good and bad.
func (m *center) trade(w *wallet, prefix string, shown card) {
	sold := m.message("1200", w.card(prefix, 16), 1000)
	m.ask(sold, "000")
	m.ask(sold.Clone().As("1201"), "000")
	m.ask(m.message("1100", w.card(prefix, 16), 1200).Set(24, "100"), "000")
	m.ask(m.message("1200", shown, 1113), "116")        // its answer names the card
	m.tell(m.message("1200", w.card(prefix, 16), 1144)) // is never answered
	m.tell(m.message("1200", w.card(prefix, 16), 1155)) // late
	m.ask(m.message("1200", shown, 1122), "000")        // and again
	m.ask(m.message("1200", w.card(prefix, 19), 1300), "000")
	m.ask(m.message("1200", w.card(prefix, 16), 1400).Remove(2), "000")
	m.ask(m.reversal(sold), "400")
	m.ask(m.message("1220", w.card(prefix, 16), 1500), "900")
	m.ask(m.message("1220", shown, 1166), "900")                // is shelved
	m.ask(m.message("1220", w.card(prefix, 16), 1177), "900")   // is never delivered
	m.ask(m.message("1200", w.card("999912", 16), 1000), "908") // no route
	m.ask(m.message("1200", w.card(prefix, 16), 1000).Set(32, "99999999999"), "905")
	m.malformed(w, prefix)
	m.places(w, prefix)
}

// malformed are messages with a fault, whose card data stands in right places and wrong ones.
func (m *center) malformed(w *wallet, prefix string) {
	spread := func(q *format.Message, pan string) *format.Message {
		return q.Set(43, "SHOP "+pan+` \STREET\TOKYO\`).Set(48, "002005"+pan).
			Set(60, "CARD "+pan).Set(72, pan+" IS THE CARD")
	}
	one := w.card(prefix, 16)
	m.ask(spread(m.message("1200", one, 1000), one.pan).Remove(3), "904")
	two := w.card(prefix, 16)
	m.ask(spread(m.message("1200", two, 1000), two.pan).Remove(3).Remove(2).Remove(35), "904")
	three, four := w.card(prefix, 16), w.card(prefix, 16)
	m.ask(spread(m.message("1200", three, 1000), four.pan).Remove(3), "904")
	five := w.card(prefix, 16)
	m.ask(spread(m.message("1200", five, 1000), five.pan).Set(127, five.pan).SetTail(five.pan), "904")
	six := w.card(prefix, 16)
	m.ask(spread(m.message("1200", six, 1000), six.pan).SetWire(42, strings.Repeat("\x01", 15)), "904")
	m.raw([]byte("1200" + six.pan))
	m.raw([]byte("0200" + six.pan))
	m.raw([]byte(six.track2()))
	b, err := m.Format.Pack(m.message("1200", w.card(prefix, 16), 1000))
	if err != nil {
		m.t.Fatal(err)
	}
	for cut := 20; cut < len(b); cut += 37 {
		m.raw(b[:cut])
	}
}

// places are sound messages that hold a card number where none belongs.
func (m *center) places(w *wallet, prefix string) {
	for _, n := range []int{42, 43, 44, 48, 59, 60, 61, 62, 63, 72, 102, 103, 104, 112, 127} {
		c := w.card(prefix, 15)
		value := c.pan
		if n == 43 {
			value = "SHOP " + c.pan + ` \A\B\`
		}
		m.tell(m.message("1200", c, 1000).Set(n, value))
		c = w.card(prefix, 15)
		m.tell(m.message("1804", c, 0).Remove(2).Remove(35).Set(n, c.pan).Set(24, "831"))
		c = w.card(prefix, 15)
		m.tell(format.Answer(m.message("1200", c, 1000), "000").Remove(2).Set(n, c.pan))
		if n != 42 { // of a merchant, whose number is digits too
			other := strings.Replace(value, c.pan, w.card(prefix, 16).pan, 1)
			m.tell(m.message("1200", w.card(prefix, 15), 1000).Set(n, other))
			m.tell(m.message("1220", w.card(prefix, 15), 1500).Set(n, other))
		}
	}
}

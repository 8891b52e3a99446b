package cardswitch_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/store/journal"

	cardswitch "cardswitch/switch"
)

const (
	second = "4111111111111111" // another card, named in a remark
	part   = "111333300000"     // of the message's own
)

// remarked is a sale or advice that names its own card and another where none belongs.
func remarked(elements map[int]string) map[int]string {
	return with(elements, map[int]string{37: part, 48: "0011024OLD CARD" + second,
		59: "cookie " + card + " of " + second, 60: "SPLIT WITH " + second})
}

// noCard demands that nothing of a card stands in what the journal keeps unsealed.
func (y *yard) noCard() {
	y.t.Helper()
	images := 0
	err := y.sw.Journal().Replay(0, func(r *journal.Record) error {
		for i := range r.Images[:r.ImageCount] {
			images++
			for _, secret := range []string{card, second, part} {
				if bytes.Contains(r.Images[i].Data, []byte(secret)) {
					y.t.Errorf("the %s of record %d shows a card", r.Images[i].Role, r.Seq)
				}
			}
		}
		if string(r.Reference[:]) == part {
			y.t.Errorf("the reference of record %d shows a part of the card", r.Seq)
		}
		return nil
	})
	if err != nil || images == 0 {
		y.t.Errorf("%d images, %v", images, err)
	}
}

// Cards in remarks are no more to be read on the disk than the message's own, and yet the issuer
// gets what was sent, and a repeat, after a restart too, the first answer to the byte.
func TestCardsInRemarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		first, other := y.listen(primaryAt), y.listen(standbyAt)
		defer first.Close()
		defer other.Close()
		y.start()
		primary, standby := y.issuer(first, "primary"), y.issuer(other, "standby")
		time.Sleep(time.Second)
		shop := y.merchant()
		sold := remarked(sale(1, 700))
		shop.send("1200", sold)
		m := primary.read("1200")
		want(t, m, map[int]string{37: part, 48: sold[48], 59: sold[59], 60: sold[60]})
		primary.answer(m, map[int]string{38: "A00001", 39: "000", 44: "ALSO " + second,
			63: "OWN " + card})
		a := shop.read("1210")
		want(t, a, map[int]string{37: part, 44: "ALSO " + second, 59: sold[59], 63: "OWN " + card})
		lost := with(sold, map[int]string{2: "4999999999999996", 11: "000009", 37: "RRN000000009"})
		shop.send("1200", lost)
		refused := shop.read("1210") // no route: the switch's own answer
		want(t, refused, map[int]string{39: "908", 59: sold[59]})

		time.Sleep(time.Second)
		y.noCard()
		y.crash(shop, primary, standby)
		y.start()
		primary, standby = y.issuer(first, "primary"), y.issuer(other, "standby")
		time.Sleep(time.Second)
		shop = y.merchant()
		shop.send("1201", sold)
		if again := shop.read("1210"); !bytes.Equal(again.Raw(), a.Raw()) {
			t.Errorf("the repeat got\n%q, not\n%q", again.Raw(), a.Raw())
		}
		shop.send("1201", lost)
		if again := shop.read("1210"); !bytes.Equal(again.Raw(), refused.Raw()) {
			t.Errorf("the repeat got\n%q, not\n%q", again.Raw(), refused.Raw())
		}
		primary.quiet(time.Second)
		y.end()
		for _, p := range []*peer{shop, primary, standby} {
			p.conn.Close()
		}
	})
}

// An advice is delivered from the journal, so what was cut out there has to come back; a request
// that a restart reverses is read from there too.
func TestCardsInRemarksOfAdvices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, func(c *cardswitch.Config) { // the request doesn't wait for the advice
			c.Centers[1].SAF = &cardswitch.SAFConfig{Overtake: true}
		})
		first, other := y.listen(primaryAt), y.listen(standbyAt)
		defer first.Close()
		defer other.Close()
		y.start()
		primary, standby := y.issuer(first, "primary"), y.issuer(other, "standby")
		time.Sleep(time.Second)
		shop := y.merchant()
		told := with(remarked(sale(1, 700)), map[int]string{25: "1006", 38: "OFF001", 39: "000"})
		shop.send("1220", told)
		want(t, shop.read("1230"), map[int]string{39: "900"})
		here := map[int]string{2: card, 37: part, 48: told[48], 59: told[59], 60: told[60]}
		m := primary.read("1220")
		want(t, m, here)
		primary.answer(m, map[int]string{39: "909"}) // not now
		shop.send("1200", remarked(sale(2, 800)))
		primary.read("1200")

		y.noCard()
		y.crash(shop, primary, standby)
		y.start()
		primary, standby = y.issuer(first, "primary"), y.issuer(other, "standby")
		m = primary.read("1221")
		want(t, m, here)
		primary.answer(m, map[int]string{39: "900"})
		m = primary.read("1420")
		want(t, m, map[int]string{2: card, 25: "4021", 37: part, 59: told[59]})
		primary.answer(m, map[int]string{39: "400"})
		y.noCard()
		y.end()
		primary.conn.Close()
		standby.conn.Close()
	})
}

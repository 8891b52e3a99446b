package standin

import (
	"testing"

	"pgregory.net/rapid"

	"cardswitch/switch/txn"
)

// Counters against a plain list: the same sums at every moment, in bounds, and nothing of what is
// forgotten is left.
func TestCountersAgainstAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type one struct {
			card   Card
			hour   uint32
			amount uint64
		}
		const most = 5
		var list []one
		c := NewCounters(most)
		hour, forgotten := uint32(1000), uint32(0)
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			card := Card{rapid.Byte().Draw(t, "card") % 8}
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				hour += rapid.Uint32Range(0, 30).Draw(t, "hours")
			case 1:
				forgotten = max(forgotten, hour-rapid.Uint32Range(0, 60).Draw(t, "keep"))
				for {
					n := 0
					c.Forget(forgotten, 3, func(Card, uint32) { n++ })
					if n < 3 {
						break
					}
				}
			default:
				if c.Room(card) {
					amount := rapid.Uint64Range(0, 100).Draw(t, "amount")
					b := c.Add(card, hour, amount)
					if b.Hour != hour {
						t.Fatalf("counted in hour %d, want %d", b.Hour, hour)
					}
					list = append(list, one{card, hour, amount})
				}
			}
			known := map[Card]bool{}
			for n := range byte(8) {
				first := max(forgotten, hour-min(hour, rapid.Uint32Range(0, 70).Draw(t, "back")))
				var count, amount uint64
				for _, o := range list {
					if o.card == (Card{n}) && o.hour >= forgotten {
						known[o.card] = true
						if o.hour >= first {
							count, amount = count+1, amount+o.amount
						}
					}
				}
				got, of := c.Of(Card{n}).Since(first)
				if got != count || of != amount {
					t.Fatalf("card %d since %d: %d of %d, want %d of %d", n, first, got, of, count, amount)
				}
			}
			if c.Len() != len(known) || c.Len() > most {
				t.Fatalf("%d cards, want %d", c.Len(), len(known))
			}
		}
	})
}

// Whatever happens, a mode reads back as it was written, an operator has the last word, and whoever
// brought stand-in about can end it.
func TestModes(t *testing.T) {
	changes := []txn.Reason{txn.StandInSignedOff, txn.StandInDown, txn.StandInFailing,
		txn.StandInBack, txn.StandInAsked, txn.StandInUnasked, txn.StandInOrdered,
		txn.StandInForbidden, txn.StandInReleased}
	rapid.Check(t, func(t *rapid.T) {
		var m Mode
		for range rapid.IntRange(0, 20).Draw(t, "changes") {
			m = m.After(rapid.SampledFrom(changes).Draw(t, "change"))
			if got, ok := ParseMode(m.Append(nil)); !ok || got != m {
				t.Fatalf("%+v came back as %+v", m, got)
			}
			if m.Stands() != (m.Why() != txn.None) {
				t.Fatalf("%+v stands for no reason, or a reason without standing", m)
			}
		}
		if !m.After(txn.StandInOrdered).Stands() || m.After(txn.StandInForbidden).Stands() {
			t.Fatalf("an operator has not the last word on %+v", m)
		}
		m = m.After(txn.StandInReleased).After(txn.StandInUnasked).After(txn.StandInBack)
		if m.Stands() {
			t.Fatalf("%+v stands with nobody who wants it", m)
		}
	})
}

func TestAdviceReasons(t *testing.T) {
	usual, floor := Decision{Reason: txn.StandInApproved}, Decision{Reason: txn.StandInBelowFloor}
	for _, c := range []struct {
		mode Mode
		d    Decision
		path txn.Path
		want uint16
	}{
		{Mode{Away: txn.StandInDown}, usual, txn.Down, 1003},
		{Mode{Away: txn.StandInSignedOff}, usual, txn.SignedOff, 1001},
		{Mode{Away: txn.StandInSignedOff}, usual, txn.Clear, 1001}, // back, but not for long enough
		{Mode{Away: txn.StandInSignedOff}, usual, txn.Down, 1003},
		{Mode{Away: txn.StandInDown}, usual, txn.SignedOff, 1001},
		{Mode{Away: txn.StandInFailing}, usual, txn.Clear, 1003},
		{Mode{Asked: true}, usual, txn.Clear, 1000},
		{Mode{Setting: On, Asked: true}, usual, txn.Down, 1007},
		{Mode{Setting: On}, floor, txn.Down, 1006},
	} {
		if got := c.mode.Advice(c.d, c.path); got != c.want {
			t.Errorf("%+v %v by %v: %d, want %d", c.mode, c.d.Reason, c.path, got, c.want)
		}
	}
}

func FuzzParseMode(f *testing.F) {
	f.Add(Mode{Setting: On, Asked: true, Away: txn.StandInDown}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := ParseMode(b); ok && string(m.Append(nil)) != string(b) {
			t.Fatalf("%x reads as %+v", b, m)
		}
	})
}

// A rate knows what came in its time, to a part of it, and nothing older.
func TestRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const within = 16_000
		var r Rate
		type one struct {
			at  int64
			bad bool
		}
		var list []one
		at := int64(1 << 40)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			at += int64(rapid.IntRange(0, 3000).Draw(t, "later"))
			o := one{at, rapid.Bool().Draw(t, "bad")}
			r.Add(at, within, o.bad)
			list = append(list, o)
			good, bad := r.Sum(at, within)
			least, most := [2]int{}, [2]int{}
			for _, o := range list {
				k := 0
				if o.bad {
					k = 1
				}
				if o.at > at-within+within/rateSlots {
					least[k]++
				}
				if o.at > at-within {
					most[k]++
				}
			}
			if good < least[0] || good > most[0] || bad < least[1] || bad > most[1] {
				t.Fatalf("good %d of %d to %d, bad %d of %d to %d", good, least[0], most[0], bad,
					least[1], most[1])
			}
		}
	})
}

package cardswitch_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/negative"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/txn"
)

// negativeYard is a yard whose issuer keeps a negative list, and whose merchant may ask for it.
func negativeYard(t *testing.T, change func(*cardswitch.NegativeConfig)) *yard {
	return newYard(t, func(c *cardswitch.Config) {
		n := &cardswitch.NegativeConfig{}
		if change != nil {
			change(n)
		}
		c.Centers[1].Negative = n
		c.Centers[0].Messages = []string{"1100", "1120", "1200", "1220", "1420", "1804", "1304"}
	})
}

// fileAction is the elements of a file action of the issuer about a card.
func fileAction(stan int, function string, more map[int]string) map[int]string {
	e := map[int]string{2: card, 11: fmt.Sprintf("%06d", stan), 12: "261122130000", 24: function,
		25: "3000", 72: "208", 93: "99999000001", 94: "00000000017", 101: "EMERGENCY"}
	for n, v := range more {
		e[n] = v
	}
	return e
}

func (p *peer) asks(mti string, elements map[int]string, action string) {
	p.y.t.Helper()
	p.send(mti, elements)
	m := p.next(time.Minute)
	if m == nil {
		p.y.t.Fatalf("%s: no answer to %s\n%s", p.name, mti, p.y.standing())
	}
	if got := value(m, 39); got != action {
		p.y.t.Fatalf("%s: %s %s answered %s %s (%s), want %s", p.name, mti, elements[24],
			m.MTI(), got, value(m, 44), action)
	}
}

// TestAListedCardIsRefused: an issuer lists a card by a message, and from then on it is refused at
// the door, also after a crash, until the issuer takes it off the list.
func TestAListedCardIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := negativeYard(t, nil)
		door, standby := y.listen(primaryAt), y.listen(standbyAt)
		y.start()
		bank, _ := y.issuer(door, "issuer"), y.issuer(standby, "standby")
		shop := y.merchant()
		bank.asks("1304", fileAction(1, "305", nil), "302")
		bank.asks("1304", fileAction(2, "301", nil), "300")
		shop.asks("1200", sale(1, 100), "208")
		bank.quiet(time.Second)
		bank.asks("1305", fileAction(2, "301", nil), "300") // the kept answer
		bank.asks("1304", fileAction(2, "303", nil), "913")
		bank.asks("1304", fileAction(3, "301", nil), "303")
		inquiry := fileAction(4, "305", map[int]string{25: "", 72: "", 94: acquirer})
		shop.send("1304", inquiry)
		want(t, shop.read("1314"), map[int]string{39: "300", 72: "2083000000000000000"})
		shop.asks("1304", fileAction(5, "303", nil), "902")
		y.crash(bank, shop)

		y.start()
		bank, _ = y.issuer(door, "issuer"), y.issuer(standby, "standby")
		shop = y.merchant()
		shop.asks("1200", sale(2, 100), "208")
		shop.asks("1201", sale(1, 100), "208")
		bank.asks("1305", fileAction(2, "301", nil), "300")
		bank.asks("1324", fileAction(6, "303", nil), "300")
		bank.asks("1324", fileAction(7, "303", nil), "302")
		shop.send("1200", sale(3, 100))
		bank.answer(bank.read("1200"), map[int]string{39: "000", 38: "A00001"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		shop.asks("1200", sale(2, 100), "208") // the same question, the same answer
		y.end()
	})
}

// journal is the text of all records that have one.
func (y *yard) journal() (text string) {
	y.t.Helper()
	time.Sleep(time.Second)
	err := y.sw.Journal().Replay(1, func(r *journal.Record) error {
		text += r.Text + "\n"
		return nil
	})
	if err != nil {
		y.t.Fatal(err)
	}
	return text
}

// begins starts the switch and gives the issuer's and the merchant's ends.
func (y *yard) begins(doors ...net.Listener) (bank, shop *peer) {
	y.t.Helper()
	y.start()
	bank, _ = y.issuer(doors[0], "issuer"), y.issuer(doors[1], "standby")
	return bank, y.merchant()
}

// approved demands that a sale gets to the issuer and comes back approved.
func approved(t *testing.T, bank, shop *peer, stan int) {
	t.Helper()
	shop.send("1200", sale(stan, 100))
	bank.answer(bank.read("1200"), map[int]string{39: "000", 38: "A00001"})
	want(t, shop.read("1210"), map[int]string{39: "000"})
}

// frame is the elements of an 1804 that frames a load.
func frame(stan int, reason string, number string) map[int]string {
	return map[int]string{11: fmt.Sprintf("%06d", stan), 12: "261122130000", 24: "805", 25: reason,
		71: number, 93: "99999000001", 94: "00000000017", 101: "NEGATIVE"}
}

// loaded is the elements of an entry of a load.
func loaded(stan int, pan string) map[int]string {
	return fileAction(stan, "306", map[int]string{2: pan, 101: "NEGATIVE",
		71: fmt.Sprintf("%08d", stan)})
}

// TestALoadByMessages: a load with recovery goes on after a crash where it was, counts only when it
// has ended, and replaces the whole file.
func TestALoadByMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := negativeYard(t, nil)
		doors := []net.Listener{y.listen(primaryAt), y.listen(standbyAt)}
		bank, shop := y.begins(doors...)
		bank.asks("1304", loaded(1, card), "306") // before it begins
		bank.asks("1804", frame(1, "8002", "00000000"), "902")
		bank.asks("1804", frame(2, "8001", ""), "800")
		bank.asks("1304", loaded(2, card), "922")
		bank.asks("1304", fileAction(9, "301", map[int]string{101: "NEGATIVE"}), "305")
		bank.asks("1304", loaded(1, "3530111333300018"), "913") // the trace number is used up
		e := loaded(10, card)
		e[71] = "00000001"
		bank.asks("1304", e, "300")
		bank.asks("1305", e, "300")
		approved(t, bank, shop, 1) // it doesn't count yet
		y.crash(bank, shop)

		bank, shop = y.begins(doors...)
		bank.send("1804", frame(3, "8001", ""))
		want(t, bank.read("1814"), map[int]string{39: "800", 71: "00000001"})
		e = loaded(11, "3530111333300018")
		e[71] = "00000002"
		bank.asks("1304", e, "300")
		bank.asks("1804", frame(4, "8002", "00000003"), "922")
		bank.asks("1804", frame(5, "8002", "00000002"), "800")
		bank.asks("1805", frame(5, "8002", "00000002"), "800") // our answer was lost
		shop.asks("1200", sale(2, 100), "208")
		want := func(generation, cards uint64) {
			t.Helper()
			st := y.sw.Negatives()[0]
			if st.InForce == nil || st.InForce.Generation != generation || st.InForce.Cards != cards {
				t.Fatalf("%+v", st.InForce)
			}
		}
		want(1, 2)
		y.crash(bank, shop)

		bank, shop = y.begins(doors...)
		want(1, 2)
		bank.asks("1804", frame(6, "8000", ""), "800")
		e = loaded(12, "3530111333300026")
		e[71] = "00000001"
		bank.asks("1304", e, "300")
		y.crash(bank, shop)

		bank, shop = y.begins(doors...) // what had no recovery is over
		bank.asks("1804", frame(7, "8002", "00000001"), "902")
		shop.asks("1200", sale(3, 100), "208")
		bank.asks("1804", frame(8, "8000", ""), "800")
		e = loaded(13, "3530111333300026")
		e[71] = "00000001"
		bank.asks("1304", e, "300")
		bank.asks("1804", frame(9, "8002", "00000001"), "800")
		want(2, 1)
		approved(t, bank, shop, 4) // it isn't in the new file
		y.end()
	})
}

// TestAFileTakesOverAtItsTime: the old one holds until then, also over a restart, and a release
// from the old one doesn't lift the new one.
func TestAFileTakesOverAtItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := negativeYard(t, nil)
		doors := []net.Listener{y.listen(primaryAt), y.listen(standbyAt)}
		bank, shop := y.begins(doors...)
		bring := func(text string, effective time.Time) (cardswitch.NegativeReport, error) {
			return y.sw.ImportNegative(t.Context(), cardswitch.NegativeImport{Issuer: "issuer-a",
				Source: "test", Effective: effective, Who: "sato", Why: "test"}, strings.NewReader(text))
		}
		second := time.Now().Add(100 * time.Second)
		r, err := bring("pan\n"+card+"\n", time.Now().Add(20*time.Second))
		if err != nil || r.File.Added != 1 {
			t.Fatalf("%+v %v", r, err)
		}
		approved(t, bank, shop, 1)
		if _, err := bring("pan,action\n"+card+",209\n", second); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"a bad line": "pan\nx\n", "nothing": "pan\n",
			"not even a line": ""} {
			if _, err := bring(text, time.Time{}); err == nil {
				t.Errorf("%s: imported", name)
			}
		}
		y.crash(bank, shop)

		bank, shop = y.begins(doors...)
		approved(t, bank, shop, 2)
		time.Sleep(20 * time.Second)
		shop.asks("1200", sale(3, 100), "200")
		bank.asks("1304", fileAction(1, "303", nil), "300") // released
		approved(t, bank, shop, 4)
		y.crash(bank, shop)

		bank, shop = y.begins(doors...)
		approved(t, bank, shop, 5)
		time.Sleep(time.Until(second) + time.Second)
		shop.asks("1200", sale(6, 100), "209")
		if list, err := y.disk.List("data/negative"); err != nil || len(list) != 1 {
			t.Errorf("%v %v", list, err)
		}
		history, err := y.sw.NegativeHistory("issuer-a")
		if err != nil || len(history) != 2 || history[0].Ended == 0 || history[1].Took == 0 {
			t.Errorf("%+v %v", history, err)
		}
		y.end()
	})
}

// TestADamagedFileIsntUsed: the issuer's profile says whether its requests are refused or go on,
// and a new file ends it.
func TestADamagedFileIsntUsed(t *testing.T) {
	for _, damaged := range []string{cardswitch.NegativeRefuse, cardswitch.NegativeContinue} {
		synctest.Test(t, func(t *testing.T) {
			y := negativeYard(t, func(n *cardswitch.NegativeConfig) { n.Damaged = damaged })
			doors := []net.Listener{y.listen(primaryAt), y.listen(standbyAt)}
			bank, shop := y.begins(doors...)
			bring := func() {
				_, err := y.sw.ImportNegative(t.Context(), cardswitch.NegativeImport{
					Issuer: "issuer-a", Who: "sato", Why: "test"},
					strings.NewReader("pan\n"+card+"\n"))
				if err != nil {
					t.Fatal(err)
				}
			}
			bring()
			shop.asks("1200", sale(1, 100), "200")
			y.crash(bank, shop)
			list, err := y.disk.List("data/negative")
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			if err := y.disk.Remove("data/negative/" + list[0]); err != nil {
				t.Fatal(err)
			}
			bank, shop = y.begins(doors...)
			if st := y.sw.Negatives()[0]; st.State != "damaged" || st.Error == "" {
				t.Errorf("%+v", st)
			}
			bank.asks("1304", fileAction(1, "305", nil), "306") // nobody can tell
			if damaged == cardswitch.NegativeRefuse {
				shop.asks("1200", sale(2, 100), "909")
			} else {
				approved(t, bank, shop, 2)
			}
			bank.asks("1304", fileAction(2, "301", nil), "300")
			shop.asks("1200", sale(3, 100), "208") // an emergency entry counts all the same
			bring()
			shop.asks("1200", sale(4, 100), "208")
			bank.asks("1304", fileAction(3, "303", nil), "300")
			approved(t, bank, shop, 5)
			y.end()
		})
	}
}

// TestModesOfTheList: a card that is only marked goes to the issuer, and its record says so; an
// advice about a listed card is kept, whatever the mode.
func TestModesOfTheList(t *testing.T) {
	for _, mode := range []string{cardswitch.NegativeMark, cardswitch.NegativeStandIn} {
		synctest.Test(t, func(t *testing.T) {
			y := negativeYard(t, func(n *cardswitch.NegativeConfig) {
				n.Mode, n.Duplicates = mode, cardswitch.NegativeRefuse
			})
			bank, shop := y.begins(y.listen(primaryAt), y.listen(standbyAt))
			bank.asks("1304", fileAction(1, "301", nil), "300")
			bank.asks("1304", fileAction(2, "301", nil), "308")
			bank.asks("1304", fileAction(3, "302", map[int]string{72: "102"}), "300")
			approved(t, bank, shop, 1)
			kept := y.journal()
			y.end()
			if !strings.Contains(kept, txn.CardMarked.String()) ||
				!strings.Contains(kept, "action 102 reason 3000") {
				t.Errorf("the journal doesn't say that the card is listed:\n%s", kept)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		y := negativeYard(t, nil)
		bank, shop := y.begins(y.listen(primaryAt), y.listen(standbyAt))
		bank.asks("1304", fileAction(1, "301", nil), "300")
		e := sale(1, 100)
		e[25], e[38], e[39] = "1006", "OFF001", "000"
		shop.asks("1220", e, "900")
		bank.answer(bank.read("1220"), map[int]string{39: "900"})
		y.end()
	})
}

// TestFileActionsThatAreWrong: each is answered with its code, and changes nothing.
func TestFileActionsThatAreWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := negativeYard(t, nil)
		bank, shop := y.begins(y.listen(primaryAt), y.listen(standbyAt))
		for i, c := range []struct {
			function string
			more     map[int]string
			action   string
		}{
			{"307", nil, "301"}, {"300", nil, "301"}, {"309", nil, "301"},
			{"301", map[int]string{2: ""}, "304"},
			{"301", map[int]string{72: "300"}, "304"},
			{"301", map[int]string{72: "abc"}, "304"},
			{"301", map[int]string{25: "4000"}, "904"},
			{"301", map[int]string{73: "261131"}, "304"},
			{"301", map[int]string{73: "261200"}, "304"},
			{"301", map[int]string{14: "2613"}, "304"},
			{"301", map[int]string{73: "261201", 14: "2611"}, "304"},
			{"301", map[int]string{101: "OTHER"}, "309"},
			{"301", map[int]string{101: "NEGATIVE"}, "301"},
			{"301", map[int]string{101: ""}, "904"},
			{"302", nil, "302"}, {"303", nil, "302"}, {"305", nil, "302"},
			{"306", map[int]string{101: "EMERGENCY"}, "301"},
		} {
			bank.asks("1304", fileAction(100+i, c.function, c.more), c.action)
		}
		bank.asks("1804", with(frame(200, "8001", ""), map[int]string{101: "OTHER"}), "309")
		shop.asks("1804", with(frame(201, "8001", ""), map[int]string{94: acquirer}), "902")
		approved(t, bank, shop, 1)
		bank.asks("1304", fileAction(300, "304", map[int]string{72: "000", 25: ""}), "300")
		shop.asks("1200", sale(2, 100), "200") // the profile's action code
		y.end()
	})
}

// TestStandInAsksTheList: while the issuer is away, a listed card is declined with the action code
// of its entry, in the mode in which the issuer itself decides when it is there.
func TestStandInAsksTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, func(c *cardswitch.Config) {
			withStandIn(standInRules, nil)(c)
			c.Centers[1].Negative = &cardswitch.NegativeConfig{Mode: cardswitch.NegativeStandIn}
		})
		first, second := y.listen(primaryAt), y.listen(standbyAt)
		y.start()
		primary, standby := y.issuer(first, "primary"), y.issuer(second, "standby")
		time.Sleep(time.Second)
		shop := y.merchant()
		primary.asks("1304", fileAction(1, "301", nil), "300")
		approved(t, primary, shop, 1)
		first.Close()
		second.Close()
		primary.conn.Close()
		standby.conn.Close()
		time.Sleep(10 * time.Millisecond)
		shop.asks("1200", sale(2, 100), "208")
		err := y.sw.ChangeNegative(cardswitch.NegativeOrder{Issuer: "issuer-a", Remove: true,
			Card: mustPAN(t, card), Who: "sato", Why: "found"})
		if err != nil {
			t.Fatal(err)
		}
		shop.asks("1200", sale(3, 100), "000")
		y.end()
	})
}

func mustPAN(t *testing.T, digits string) spec.PAN {
	t.Helper()
	p, err := spec.ParsePAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestEntriesAreAFoldOverTheJournal: whatever messages and operators change, and over crashes, the
// table of emergency entries is what its records tell.
func TestEntriesAreAFoldOverTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		y := negativeYard(t, nil)
		doors := []net.Listener{y.listen(primaryAt), y.listen(standbyAt)}
		bank, shop := y.begins(doors...)
		for stan := 1; stan <= 60; stan++ {
			pan := fmt.Sprintf("35301113333%05d", rng.IntN(6))
			switch rng.IntN(6) {
			case 0, 1, 2:
				function := []string{"301", "302", "303", "304"}[rng.IntN(4)]
				e := fileAction(stan, function, map[int]string{2: pan,
					72: fmt.Sprint(100 + rng.IntN(200))})
				if rng.IntN(2) == 0 {
					e[14], e[73] = "2812", "261201"
				}
				bank.send("1304", e)
				bank.read("1314")
			case 3, 4:
				_ = y.sw.ChangeNegative(cardswitch.NegativeOrder{Issuer: "issuer-a",
					Card: mustPAN(t, pan), Remove: rng.IntN(2) == 0, Who: "sato", Why: "a b c",
					Terms: negative.Terms{Action: 102,
						Until: []negative.Day{30_000, 10_000}[rng.IntN(2)]}})
			case 5:
				y.crash(bank, shop)
				bank, shop = y.begins(doors...)
			}
		}
		time.Sleep(time.Second) // what is past goes
		told := make(map[spec.PAN]negative.Terms)
		err := y.sw.Journal().Replay(1, func(r *journal.Record) error {
			if r.Kind != journal.Listed {
				return nil
			}
			card, ok := y.sw.Journal().CardOf(r.Card)
			terms, err := negative.ParseTerms(strings.Join(strings.Fields(r.Text)[:8], " "))
			if r.Function == 303 {
				delete(told, card)
				return nil
			}
			if !ok || err != nil || terms.Action != r.Action {
				t.Errorf("record %d: %q, %v", r.Seq, r.Text, err)
			}
			told[card] = terms
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		entries, err := y.sw.UrgentNegatives("issuer-a")
		if err != nil || len(entries) != len(told) {
			t.Fatalf("%d entries, the journal tells of %d, %v", len(entries), len(told), err)
		}
		for _, e := range entries {
			if e.Until == negative.Day(10_000).String() {
				t.Errorf("%+v is past and still there", e)
			}
			if w := told[e.Card]; e.Action != w.Action || e.Reason != w.Reason ||
				e.From != w.From.String() || e.Until != w.Until.String() {
				t.Errorf("%+v, the journal tells of %v", e, w)
			}
		}
		y.end()
	})
}

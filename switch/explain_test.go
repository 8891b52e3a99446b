package cardswitch_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/explain"
)

// explained tells of the newest transaction with a reference. Nothing of it may show a whole card.
func (y *yard) explained(rrn string) *explain.Explanation {
	y.t.Helper()
	time.Sleep(time.Second) // what is on its way becomes durable
	books := y.sw.Journal()
	e := explain.Explainer{Books: books, Names: books.Registry(),
		Archive: cardswitch.NewArchive(books.Registry())}
	found, err := books.FindReference(rrn, 9)
	if err != nil || len(found) == 0 {
		y.t.Fatalf("%s: found %v, %v", rrn, found, err)
	}
	told, err := e.Explain(slices.Min(found))
	if err != nil {
		y.t.Fatal(err)
	}
	text, err := json.Marshal(told)
	if err != nil {
		y.t.Fatal(err)
	}
	if strings.Contains(string(text), card) {
		y.t.Error("a whole card number")
	}
	return told
}

// wantSaid demands that texts are among what was said.
func wantSaid(t *testing.T, said []string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(strings.Join(said, "\n"), text) {
			t.Errorf("%q isn't said in %q", text, said)
		}
	}
}

func steps(e *explain.Explanation) (said []string) {
	for _, s := range e.Steps {
		said = append(said, s.Says...)
	}
	return said
}

func TestExplainASale(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(42, 1000))
		m := primary.read("1200")
		time.Sleep(12 * time.Millisecond)
		primary.answer(m, map[int]string{38: "A12345", 39: "000"})
		shop.read("1210")
		shop.send("1201", sale(42, 1000))
		shop.read("1210")
		e := y.explained("RRN000000042")
		wantSaid(t, e.Summary, "1000 JPY, card 353011******0000, from hq-1",
			"RRN RRN000000042", "APPROVED by issuer-a with 000 (approved)", "Nothing is owed")
		wantSaid(t, steps(e), "hq-1 asked over hq-1/a: 1200 financial request",
			"sent to issuer-a over issuer-a/primary as trace number "+value(m, 11),
			"issuer-a answered 000 (approved) after 12", "hq-1 asked again")
		if e.Open || e.Route == nil || !strings.Contains(e.Route.Why, "routes.yaml:2 (353011)") ||
			!slices.Equal(e.Route.Rules.To, []string{"issuer-a"}) || e.Route.Since == 0 {
			t.Errorf("route: %+v", e.Route)
		}
		if len(e.Messages) != 4 {
			t.Fatalf("%d messages, want 4", len(e.Messages))
		}
		forward, answer, reply := e.Messages[1], e.Messages[2], e.Messages[3]
		if len(forward.Changes) != 1 || forward.Changes[0].Element != 11 ||
			forward.Changes[0].First != "000042" || forward.Changes[0].Second != value(m, 11) {
			t.Errorf("the forward differs from the request by %+v", forward.Changes)
		}
		if forward.From != "switch" || forward.To != "issuer-a" || answer.Against != "forward" ||
			reply.Against != "answer" || len(reply.Changes) != 1 || reply.Changes[0].Element != 11 {
			t.Errorf("forward %+v, answer %+v, reply %+v", forward, answer, reply)
		}
	})
}

// What is left of an original is told: what was used and reversed of it, and when it expires.
func TestExplainWhatIsLeft(t *testing.T) {
	run(t, adjusted(cardswitch.AdjustmentsConfig{Several: true},
		cardswitch.AdjustmentsConfig{Expire: time.Hour}), func(y *yard, shop, bank, standby *peer) {
		y.granted(shop, bank, "1100", authorization(1, 1000))
		granted := time.Now()
		e := y.explained("RRN000000001")
		wantSaid(t, e.Summary, "Of 1000 JPY approved: 0 JPY used, 0 JPY reversed, 1000 JPY left; "+
			"it expires on ")
		if wait := e.Left.Expires.Sub(granted).Round(time.Second); wait != time.Hour {
			t.Errorf("it expires in %v", wait)
		}
		y.told(shop, "1220", completion(2, 1, 300), "900")
		y.taken(bank, "1220", nil)
		part := with(reversal(3, 1, 500), map[int]string{24: "401", 56: original("1100", 1),
			30: "000000001000000000000000"})
		y.told(shop, "1420", part, "400") // 500 are to remain
		y.taken(bank, "1420", nil)
		e = y.explained("RRN000000001")
		wantSaid(t, e.Summary, "Of 1000 JPY approved: 300 JPY used, 200 JPY reversed, 500 JPY left")
		y.told(shop, "1420", with(reversal(4, 1, 500), map[int]string{56: original("1100", 1)}), "400")
		y.taken(bank, "1420", nil)
		e = y.explained("RRN000000001")
		wantSaid(t, e.Summary, "300 JPY used, 700 JPY reversed, 0 JPY left")
		if !e.Left.Expires.IsZero() {
			t.Errorf("nothing can expire: %+v", e.Left)
		}
		shop.send("1200", sale(5, 700))
		bank.answer(bank.read("1200"), map[int]string{39: "116"})
		shop.read("1210")
		if e := y.explained("RRN000000005"); e.Left != nil {
			t.Errorf("it was declined: %+v", e.Left)
		}
	})
}

func TestExplainATimeout(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(7, 500))
		m := primary.read("1200")
		e := y.explained("RRN000000007")
		wantSaid(t, e.Summary, "It is OPEN: issuer-a has not answered yet")
		if !e.Open {
			t.Error("it isn't said to be open")
		}
		shop.read("1210")
		r := primary.read("1420")
		e = y.explained("RRN000000007")
		wantSaid(t, e.Summary, "Outcome UNKNOWN, not declined: issuer timed out. hq-1 was told 911",
			"A 1420 is STILL OWED to issuer-a")
		primary.answer(r, map[int]string{39: "904"}) // it has the original, and can't read this
		e = y.explained("RRN000000007")
		wantSaid(t, e.Summary, "A PERSON HAS TO DECIDE about the 1420 that is owed to issuer-a",
			"worklist retry")
		id := e.Owed[0].ID
		err := y.sw.Resolve(id, cardswitch.Resolution{Act: "retry", Who: "mori", Why: "mended"})
		if err != nil {
			t.Fatal(err)
		}
		primary.answer(primary.read("1421"), map[int]string{39: "400"})
		primary.answer(m, map[int]string{38: "LATE01", 39: "000"})
		e = y.explained("RRN000000007")
		wantSaid(t, e.Summary, "issuer-a was owed a 1420 and has accepted it")
		wantSaid(t, steps(e), "whether issuer-a has booked it isn't known", "retry by mori: mended",
			"issuer-a answered 000 (approved) only now", "paid", "to the work list")
		if d := e.Owed[0]; e.Open || d.State != explain.Paid || d.Action != "400" || d.US <= 0 ||
			d.MTI != "1420" || d.Center != "issuer-a" {
			t.Errorf("debt %+v", d)
		}
	})
}

// A sale and its merchant's reversal lead to each other.
func TestExplainAReversal(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000"})
		shop.read("1210")
		elements := reversal(2, 1, 700)
		elements[37] = "REVERSAL0002"
		shop.send("1420", elements)
		shop.read("1430")
		primary.answer(primary.read("1420"), map[int]string{39: "400"})
		sold, undone := y.explained("RRN000000001"), y.explained("REVERSAL0002")
		wantSaid(t, sold.Summary, "APPROVED", "Its merchant reversed it",
			"issuer-a was owed a 1420 and has accepted it")
		wantSaid(t, undone.Summary, "TAKEN by the switch with 400", "has accepted it")
		if len(sold.Related) != 1 || sold.Related[0].Txn != undone.Txn ||
			len(undone.Related) != 1 || undone.Related[0].Txn != sold.Txn {
			t.Errorf("related: %+v and %+v", sold.Related, undone.Related)
		}
		wantSaid(t, []string{undone.Route.Why}, "it goes where its original went: to issuer-a")
	})
}

func TestExplainStandIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, withStandIn(standInRules, nil))
		primary, standby := y.openBoth()
		shop := y.merchant()
		primary.conn.Close()
		standby.conn.Close()
		time.Sleep(10 * time.Millisecond)
		shop.send("1200", sale(2, 5000))
		want(t, shop.read("1210"), map[int]string{39: "000"})
		shop.send("1100", inquiry(3)) // which stand-in can't know
		want(t, shop.read("1110"), map[int]string{39: "912"})
		e := y.explained("RRN000000002")
		wantSaid(t, e.Summary, "APPROVED by STAND-IN in the place of issuer-a with 000",
			"A 1220 is STILL OWED to issuer-a")
		wantSaid(t, steps(e), "hq-1 asked over hq-1/a", "stand-in decided in the place of issuer-a: 000",
			"issuer-a is to be told so")
		wantSaid(t, []string{e.Route.Why}, "names issuer-a, in whose place stand-in decided")
		y.end()
		shop.conn.Close()
	})
}

func TestExplainARefusal(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		elements := sale(5, 100)
		elements[2] = "4111111111111111"
		shop.send("1200", elements)
		want(t, shop.read("1210"), map[int]string{39: "908"})
		e := y.explained("RRN000000005")
		wantSaid(t, e.Summary, "REFUSED by the switch with 908", "no route", "Nothing is owed")
		if len(e.Steps) != 1 || e.Steps[0].Hint == "" {
			t.Errorf("steps %+v", e.Steps)
		}
		wantSaid(t, []string{e.Route.Why}, "no rule takes it")
	})
}

// A transaction is explained by the table of its time, whatever it was changed to.
func TestExplainByTheTableOfThatTime(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		y.sell(shop, primary, 1)
		y.reroute("\n\n  - {prefix: \"353011\", scheme: later, destinations: [issuer-a]}\n")
		y.sell(shop, primary, 2)
		before, after := y.explained("RRN000000001"), y.explained("RRN000000002")
		wantSaid(t, []string{before.Route.Why}, "routes.yaml:2 (353011)")
		wantSaid(t, []string{after.Route.Why}, "routes.yaml:4 (353011 later)")
		if before.Route.Since >= after.Route.Since || after.Route.Since >= after.Txn {
			t.Errorf("since %d and %d", before.Route.Since, after.Route.Since)
		}
	})
}

// Tables that no record in the journal is from any more are dropped.
func TestOldTablesAreDropped(t *testing.T) {
	for _, test := range []struct {
		first uint64
		want  []uint64
	}{{1, nil}, {9, nil}, {10, []uint64{3}}, {14, []uint64{3}}, {99, []uint64{3, 10}}} {
		if got := cardswitch.Outlived([]uint64{3, 10, 15}, test.first); !slices.Equal(got, test.want) {
			t.Errorf("of a journal from %d on %v are outlived, want %v", test.first, got, test.want)
		}
	}
}

// sell has a sale approved.
func (y *yard) sell(shop, primary *peer, stan int) {
	y.t.Helper()
	shop.send("1200", sale(stan, 100))
	primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000"})
	shop.read("1210")
}

// reroute reloads with other routes.
func (y *yard) reroute(ranges string) {
	y.t.Helper()
	routes := filepath.Join(y.dir, "routes.yaml")
	if err := os.WriteFile(routes, []byte("ranges:\n"+ranges), 0o600); err != nil {
		y.t.Fatal(err)
	}
	if err := y.sw.Reload(y.config); err != nil {
		y.t.Fatal(err)
	}
	time.Sleep(time.Second)
}

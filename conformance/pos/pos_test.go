package pos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/conformance/count"
	"cardswitch/conformance/format"
	"cardswitch/conformance/issuer"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/wire"
)

func bank(t *testing.T, o issuer.Options, rules string) *issuer.Issuer {
	t.Helper()
	r, err := issuer.ParseRules(strings.NewReader(rules))
	if err != nil {
		t.Fatal(err)
	}
	o.Rules = r
	if len(o.Links) == 0 {
		o.Links = []issuer.Link{{Listen: "127.0.0.1:0"}, {Listen: "127.0.0.1:0"}}
	}
	i, err := issuer.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

func shop(t *testing.T, i *issuer.Issuer, o Options) *POS {
	t.Helper()
	o.Addresses = []string{i.Address("primary"), i.Address("standby")}
	if o.AnswerTime == 0 {
		o.AnswerTime = 5 * time.Second
	}
	o.Seed = 1
	p, err := Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

func counted(t *testing.T, p *POS, i *issuer.Issuer) *count.Report {
	t.Helper()
	r := count.Books{
		Receipts: p.Receipts().All(),
		Issuers:  map[string][]ledger.Posting{"bank": i.Ledger().All()},
	}.Count()
	if !r.OK() {
		r.Write(os.Stderr)
		t.Fatal("the money disagrees")
	}
	return r
}

func purchase(amount int64) Purchase {
	return Purchase{
		Kind: ledger.Sale, Card: Card{WithCheckDigit("352812000000001"), "2912"},
		Shop: defaultShops(false)[0], Amount: amount,
	}
}

// Every dialect and framing carries a whole day of business between two moov ends.
func TestEveryDialect(t *testing.T) {
	framings := []wire.Framing{
		{}, {Length: "binary4", Inclusive: true}, {Length: "ascii4"},
		{TPDU: true}, {Header: "49534f30"}, {Length: "ascii4", Inclusive: true, TPDU: true},
	}
	for n, name := range format.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := framings[n%len(framings)]
			i := bank(t, issuer.Options{Dialect: name, Framing: f, RequireSignOn: true}, `
- {when: {de4: suffix 3}, do: {action: 116}}
- {when: {de4: suffix 5}, do: {amount: 10}}
`)
			p := shop(t, i, Options{
				Dialect: name, Framing: f, Total: 300,
				Mix: Mix{Sale: 50, Return: 10, Authorization: 20, Completion: 10, Offline: 5, Cancel: 20},
			})
			if err := p.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			r := counted(t, p, i)
			for _, s := range []ledger.State{ledger.Approved, ledger.Declined, ledger.Cancelled} {
				if r.States[string(s)] == 0 {
					t.Errorf("no receipt is %s", s)
				}
			}
			if r.Receipts != r.Issuers || r.Receipts.Holds == 0 || r.Receipts.Returns == 0 {
				t.Errorf("sums: %+v and %+v", r.Receipts, r.Issuers)
			}
			if s := i.Stats(); s.Unreadable != 0 || p.Stats().Unreadable != 0 {
				t.Errorf("unreadable messages: %+v, %+v", s, p.Stats())
			}
		})
	}
}

// Whatever the issuer does to an answer, the two books agree in the end.
func TestFaults(t *testing.T) {
	for name, rule := range map[string]string{
		"posted, no answer":    "{when: {mti: 1200, de4: suffix 1}, do: {answer: never}}",
		"neither":              "{when: {mti: 1200, de4: suffix 1}, do: {ignore: true}}",
		"late approval":        "{when: {mti: 1200, de4: suffix 1}, do: {delay: 90ms}}",
		"first answer lost":    "{chance: 0.3, do: {answer: never}}",
		"answered twice":       "{do: {answer: twice}}",
		"garbage":              "{when: {mti: 1200}, chance: 0.2, do: {answer: garbage}}",
		"cut before answer":    "{chance: 0.1, do: {cut: before}}",
		"cut after answer":     "{chance: 0.1, do: {cut: after}}",
		"reversal unanswered":  "{when: {mti: one-of 1200 1420}, chance: 0.4, do: {answer: never}}",
		"reversal comes first": "{when: {mti: 1200}, chance: 0.3, do: {ignore: true}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := bank(t, issuer.Options{Seed: 7}, "- "+rule)
			p := shop(t, i, Options{
				Total: 150, InFlight: 64, Connections: 3, AnswerTime: 30 * time.Millisecond,
			})
			if err := p.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			r := counted(t, p, i)
			t.Logf("%v, bank %+v, shop %+v", r.States, i.Ledger().Counts(), p.Stats())
			if r.States["approved"] == 0 {
				t.Error("nothing was approved")
			}
		})
	}
}

// Links cut from both sides at random, while money moves.
func TestCutLinks(t *testing.T) {
	i := bank(t, issuer.Options{}, "- {do: {delay: 0ms..3ms}}")
	p := shop(t, i, Options{
		Total: 1500, InFlight: 50, Connections: 4, AnswerTime: 300 * time.Millisecond,
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range 12 {
			time.Sleep(15 * time.Millisecond)
			switch n % 3 {
			case 0:
				i.Cut("primary")
			case 1:
				p.Cut()
			case 2:
				i.Shut("standby")
				time.Sleep(5 * time.Millisecond)
				if err := i.Open(context.Background(), "standby"); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	<-done
	r := counted(t, p, i)
	if p.Stats().Repeats == 0 || p.Stats().Connections < 6 {
		t.Errorf("the cuts had no effect: %+v", p.Stats())
	}
	t.Logf("%v, %d repeats answered from the ledger", r.States, r.Repeats)
}

// TestSilentConnectionsAreLeft: a host that stands still is noticed by its unanswered echo test.
func TestSilentConnectionsAreLeft(t *testing.T) {
	frozen, other := bank(t, issuer.Options{}, ""), bank(t, issuer.Options{}, "")
	p, err := Start(t.Context(), Options{Connections: 1, Echo: 50 * time.Millisecond,
		Addresses: []string{frozen.Address("primary"), other.Address("primary")}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	frozen.Leave(t.Context(), issuer.Silenced)
	defer frozen.Return(t.Context())
	for other.Stats().Connections == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	if r := p.Do(t.Context(), purchase(1200)); r.State != ledger.Approved {
		t.Errorf("the sale ended %s", r.State)
	}
}

// TestASilentHostGetsLessTime: a host that stands still takes connections; once it has left a
// connection waiting, it gets the time of one echo test only, as another one may serve by now.
func TestASilentHostGetsLessTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dialled atomic.Int32
		p, err := Start(t.Context(), Options{Connections: 1, Echo: 100 * time.Millisecond,
			Addresses: []string{"silent", "down"},
			DialFunc: func(_ context.Context, at string) (net.Conn, error) {
				if at == "down" {
					return nil, errors.New("connection refused")
				}
				dialled.Add(1)
				near, far := net.Pipe()
				go func() { _, _ = io.Copy(io.Discard, far) }()
				return near, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if n := dialled.Load(); n < 12 {
			t.Errorf("it was tried %d times only", n)
		}
		p.Close()
	})
}

// TestOneOfSeveralAddressesServes: where one node is down and another lets nobody in, the
// connections find the third.
func TestOneOfSeveralAddressesServes(t *testing.T) {
	i := bank(t, issuer.Options{}, "")
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections, and answers nothing
	if err != nil {
		t.Fatal(err)
	}
	const down = "127.0.0.1:1" // which nobody may take meanwhile
	defer deaf.Close()
	go func() {
		for {
			c, err := deaf.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	p, err := Start(t.Context(), Options{Connections: 3, Echo: time.Minute,
		Addresses: []string{down, deaf.Addr().String(), i.Address("primary")}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for p.Up() < 3 {
		time.Sleep(5 * time.Millisecond)
	}
	if r := p.Do(t.Context(), purchase(1200)); r.State != ledger.Approved {
		t.Errorf("the sale ended %s", r.State)
	}
}

func TestSaleAndCancel(t *testing.T) {
	i := bank(t, issuer.Options{}, "[]")
	p := shop(t, i, Options{})
	ctx := context.Background()
	r := p.Do(ctx, purchase(1200))
	if r.State != ledger.Approved || r.Live != 1200 || r.Approval == "" {
		t.Fatalf("sale: %+v", r)
	}
	d, ok := p.take(&p.sales)
	if !ok {
		t.Fatal("the sale isn't remembered")
	}
	if r := p.Cancel(ctx, d); r.State != ledger.Cancelled || r.Live != 0 {
		t.Fatalf("cancellation: %+v", r)
	}
	postings := i.Ledger().Of(r.RRN)
	if len(postings) != 2 || postings[0].State != ledger.Reversed || postings[0].Live != 0 {
		t.Errorf("postings: %+v", postings)
	}
	counted(t, p, i)
}

func TestUnknownIsReversedAndOnlyOncePosted(t *testing.T) {
	i := bank(t, issuer.Options{}, "- {when: {mti: 1200}, do: {answer: never}}")
	p := shop(t, i, Options{AnswerTime: 40 * time.Millisecond, Repeats: 2})
	r := p.Do(context.Background(), purchase(500))
	if r.State != ledger.Reversed {
		t.Fatalf("receipt: %+v", r)
	}
	sale := i.Ledger().Of(r.RRN)[0]
	if sale.Repeats != 2 || sale.Undone != 1 || sale.State != ledger.Reversed {
		t.Errorf("posting: %+v", sale)
	}
	counted(t, p, i)
}

func TestReferencesOfTwoMerchantsDiffer(t *testing.T) {
	seen := make(map[string]bool)
	for n := range 200 {
		o := Options{Name: fmt.Sprint("m", n), Seed: 1}
		prefix := prefixOf(o.origin())
		if len(prefix) != 4 || seen[prefix] {
			t.Fatalf("prefix %q of merchant %d", prefix, n)
		}
		seen[prefix] = true
	}
}

func TestCardsHaveCheckDigits(t *testing.T) {
	if got := WithCheckDigit("7992739871"); got != "79927398713" {
		t.Error(got)
	}
	o := Options{Cards: []Range{{"36", 14, 3}, {"352812", 16, 3}}}
	for _, c := range o.cards() {
		if WithCheckDigit(c.PAN[:len(c.PAN)-1]) != c.PAN {
			t.Error("a card fails the test")
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", c, c, c), c.PAN) {
			t.Error("a card prints its number")
		}
	}
}

// What a merchant can take back in part, finish for less, or only ask about.
func TestPartsAndQuestions(t *testing.T) {
	i := bank(t, issuer.Options{Days: &issuer.Days{Giver: issuer.Ours, Start: "261126"}}, "[]")
	p := shop(t, i, Options{})
	ctx := context.Background()
	sale := p.Do(ctx, purchase(1200))
	d, _ := p.take(&p.sales)
	r := p.Reduce(ctx, d, 900)
	if sale.Day != "261126" || r.State != ledger.Approved || r.Live != 900 || r.Undone != 300 ||
		r.UndoDay != "261126" {
		t.Errorf("in part: %+v", r)
	}
	hold := purchase(5000)
	hold.Kind = ledger.Authorization
	p.Do(ctx, hold)
	held, _ := p.take(&p.authorizations)
	less := purchase(4000)
	less.Kind, less.Of, less.Card = ledger.Completion, &held, Card{held.Message.Get(2), "2912"}
	if m := p.message(less); m.Get(24) != "202" || m.Get(30) != "000000005000000000000000" ||
		m.Get(56) == "" || m.Get(38) != held.Receipt.Approval {
		t.Errorf("completion for less: %v", m)
	}
	if r := p.Do(ctx, less); r.State != ledger.Approved || r.Live != 4000 {
		t.Errorf("completion: %+v", r)
	}
	if r := p.Check(ctx, purchase(0).Card); r.State != ledger.Approved || r.Live != 0 {
		t.Errorf("validity: %+v", r)
	}
	counted(t, p, i)
	if a, b := p.Totals("261126"), i.Ledger().Totals("261126", 0, ""); a.Judge(b) != "500" ||
		a[ledger.Debit].Number != 2 || a[ledger.DebitUndone].Amount != 300 {
		t.Errorf("totals %v and %v", a, b)
	}
	if action, _, err := p.Reconcile(ctx, "261126"); err != nil || action != "503" {
		t.Errorf("of the open day: %s, %v", action, err)
	}
}

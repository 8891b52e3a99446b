package conformance

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"cardswitch/conformance/count"
	"cardswitch/conformance/ground"
	"cardswitch/conformance/issuer"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/pos"
	"cardswitch/store"
	cardswitch "cardswitch/switch"
)

const (
	doorA, doorB = "door-a.test:7101", "door-b.test:7102"
	acquirerA    = "12345678901"
	acquirerB    = "10987654321"
)

// town is two merchants, the switch, and two issuers with two links each.
func town(t *testing.T, dir string) cardswitch.Config {
	c := ground.Config(t, dir, `ranges:
  - {prefix: "352812", destinations: [sakura]}
  - {prefix: "453912", destinations: [fuji]}
`)
	merchant := func(name, dialect, door, acquirer string) cardswitch.CenterConfig {
		return cardswitch.CenterConfig{Name: name, Role: cardswitch.RoleMerchant,
			Dialect: dialect, Acquirers: []string{acquirer}, AnswerTime: 700 * time.Millisecond,
			Links: []cardswitch.LinkConfig{{Name: "a", Listen: door,
				From: []string{"127.0.0.0/8"}}}}
	}
	bank := func(name, dialect, institution string) cardswitch.CenterConfig {
		return cardswitch.CenterConfig{Name: name, Role: cardswitch.RoleIssuer, Dialect: dialect,
			Institution: institution, AnswerTime: 300 * time.Millisecond,
			SAF: &cardswitch.SAFConfig{First: 50 * time.Millisecond,
				Wait: 300 * time.Millisecond, BackoffMax: 500 * time.Millisecond},
			Links: []cardswitch.LinkConfig{{Name: "primary", Dial: name + ".primary:1"},
				{Name: "standby", Order: 1, Dial: name + ".standby:1"}}}
	}
	c.Centers = []cardswitch.CenterConfig{
		merchant("hq-a", "ascii-binary", doorA, acquirerA),
		merchant("hq-b", "ebcdic", doorB, acquirerB),
		bank("sakura", "ascii-binary", "88888000001"),
		bank("fuji", "bcd-right", "88888000002"),
	}
	return c
}

// The whole day of business through the switch, with faults on both sides and links cut at
// random: receipts, journal and ledgers agree to the yen.
func TestTheMoneyAgrees(t *testing.T) {
	g, dir, ctx := ground.New(), t.TempDir(), context.Background()
	rules, err := issuer.ParseRules(strings.NewReader(`
- {name: no funds,      when: {mti: one-of 1100 1200, de4: suffix 3}, do: {action: 116}}
- {name: posted and mute, when: {mti: 1200}, chance: 0.01, do: {answer: never}}
- {name: deaf,          when: {mti: 1200}, chance: 0.01, do: {ignore: true}}
- {name: late,          when: {mti: one-of 1100 1200}, chance: 0.01, do: {delay: 450ms}}
- {name: twice,         chance: 0.02, do: {answer: twice}}
- {name: garbage,       chance: 0.005, do: {answer: garbage}}
- {name: advice lost,   when: {mti: one-of 1220 1420}, chance: 0.1, do: {answer: never}}
- {name: cut,           chance: 0.002, do: {cut: before}}
- {name: otherwise,     do: {delay: 0ms..3ms}}
`))
	if err != nil {
		t.Fatal(err)
	}
	banks := make(map[string]*issuer.Issuer)
	for name, dialect := range map[string]string{"sakura": "ascii-binary", "fuji": "bcd-right"} {
		if banks[name], err = issuer.Start(ctx, issuer.Options{
			Name: name, Dialect: dialect, Rules: rules, Seed: 1, ListenFunc: g.Listen,
			Links: []issuer.Link{{Listen: name + ".primary:1"}, {Listen: name + ".standby:1"}},
		}); err != nil {
			t.Fatal(err)
		}
		defer banks[name].Close()
	}
	c := town(t, dir)
	stop := g.Start(t, c)
	shops := []*pos.POS{
		shopAt(t, g, "a", "ascii-binary", doorA, acquirerA),
		shopAt(t, g, "b", "ebcdic", doorB, acquirerB),
	}
	trade(t, shops, banks)
	settle(t, banks)
	stop()
	r := countAll(t, c, shops, banks)
	if !r.OK() || len(r.Differences) > 0 {
		r.Write(os.Stderr)
		t.Fatal("the money disagrees")
	}
	if r.Receipts != r.Issuers || r.Receipts != r.Switch || r.Receipts.Sales < 200 {
		t.Errorf("sums: %+v, %+v, %+v", r.Receipts, r.Switch, r.Issuers)
	}
	for _, s := range []ledger.State{ledger.Approved, ledger.Declined, ledger.Cancelled} {
		if r.States[string(s)] == 0 {
			t.Errorf("no receipt is %s", s)
		}
	}
	if r.Reversed == 0 || r.Repeats == 0 {
		t.Errorf("the faults had no effect: %+v", r)
	}
	t.Logf("%d transactions, %v, %d postings undone", r.Transactions, r.States, r.Reversed)
}

func shopAt(t *testing.T, g *ground.Ground, name, dialect, door, acquirer string) *pos.POS {
	t.Helper()
	p, err := pos.Start(context.Background(), pos.Options{
		Name: name, Dialect: dialect, Acquirer: acquirer, Addresses: []string{door},
		Connections: 3, InFlight: 24, Total: 700, Seed: 3, DialFunc: g.Dial,
		AnswerTime: time.Second, Settle: 20 * time.Second,
		Cards: []pos.Range{{Prefix: "352812"}, {Prefix: "453912"}},
		Mix:   pos.Mix{Sale: 70, Return: 5, Authorization: 8, Completion: 5, Offline: 5, Cancel: 7},
	})
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

// trade lets both merchants work while links are cut.
func trade(t *testing.T, shops []*pos.POS, banks map[string]*issuer.Issuer) {
	var working sync.WaitGroup
	for _, p := range shops {
		working.Go(func() {
			if err := p.Run(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	done := make(chan struct{})
	go func() { working.Wait(); close(done) }()
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		case <-time.After(150 * time.Millisecond):
		}
		switch n % 4 {
		case 0:
			banks["sakura"].Cut("primary")
		case 1:
			shops[0].Cut()
		case 2:
			banks["fuji"].Cut("primary")
		case 3:
			shops[1].Cut()
		}
	}
}

// settle lets the issuers behave and waits until nothing more comes: the switch has delivered
// what it owed.
func settle(t *testing.T, banks map[string]*issuer.Issuer) {
	t.Helper()
	for _, b := range banks {
		b.SetRules(nil)
	}
	quiet := 0
	var before int
	for deadline := time.Now().Add(2 * time.Minute); quiet < 15; {
		if time.Now().After(deadline) {
			t.Fatal("the switch never finishes what it owes")
		}
		time.Sleep(100 * time.Millisecond)
		now := 0
		for _, b := range banks {
			n := b.Ledger().Counts()
			now += n.Asked + n.Repeats + n.Reversals
		}
		if quiet++; now != before {
			quiet = 0
		}
		before = now
	}
}

func countAll(
	t *testing.T, c cardswitch.Config, shops []*pos.POS, banks map[string]*issuer.Issuer,
) *count.Report {
	t.Helper()
	s, err := store.Open(store.Options{Dir: c.Data.Dir, KeyFile: c.Data.KeyFile})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := count.Books{Issuers: make(map[string][]ledger.Posting)}
	if b.Switch, err = count.FromJournal(s, nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range shops {
		b.Receipts = append(b.Receipts, p.Receipts().All()...)
	}
	for name, i := range banks {
		b.Issuers[name] = i.Ledger().All()
	}
	return b.Count()
}

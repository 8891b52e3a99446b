package week

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cardswitch/conformance/count"
	"cardswitch/conformance/issuer"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/pos"
	"cardswitch/store"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/link/linktest"
)

// Addresses of the network in memory.
const (
	doorA, doorB = "127.0.0.1:7101", "127.0.0.1:7102"
	sakura1      = "127.0.0.1:7201"
	sakura2      = "127.0.0.1:7202"
	fuji1        = "127.0.0.1:7211"
	fuji2        = "127.0.0.1:7212"
)

// center is the switch with its partners, all on one virtual clock.
type center struct {
	t       *testing.T
	net     *linktest.Net
	disk    store.FS
	config  cardswitch.Config
	sw      *cardswitch.Switch
	stop    func()
	issuers map[string]*issuer.Issuer
	shops   []*pos.POS
	books   map[string]*ledger.Receipts // of the merchants
}

func open(t *testing.T) *center {
	c := &center{t: t, net: linktest.New(1 << 16), disk: store.Memory(),
		issuers: make(map[string]*issuer.Issuer), books: make(map[string]*ledger.Receipts)}
	c.configure()
	c.issuer("sakura", &issuer.Days{Giver: issuer.Ours, Cutover: "23:30"}, sakura1, sakura2)
	c.issuer("fuji", &issuer.Days{Giver: issuer.Theirs,
		Convention: ledger.ByOriginal}, fuji1, fuji2)
	return c
}

func (c *center) configure() {
	dir := c.t.TempDir()
	routes := filepath.Join(dir, "routes.yaml")
	text := "ranges:\n  - {prefix: \"352812\", destinations: [sakura]}\n" +
		"  - {prefix: \"453912\", destinations: [fuji]}\n"
	if err := os.WriteFile(routes, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	standin := filepath.Join(dir, "standin.yaml")
	if err := os.WriteFile(standin, []byte(standInRules), 0o600); err != nil {
		c.t.Fatal(err)
	}
	o := cardswitch.Defaults()
	o.Institution = "99999000001"
	o.Data = cardswitch.DataConfig{Dir: "data", KeyFile: filepath.Join(dir, "data.key"),
		CreateKey: true, RetentionDays: 30}
	o.Routing.Files = []string{routes}
	merchant := func(name, acquirer, door string) cardswitch.CenterConfig {
		return cardswitch.CenterConfig{Name: name, Role: cardswitch.RoleMerchant,
			Acquirers: []string{acquirer}, Echo: cardswitch.EchoConfig{After: 30 * time.Minute},
			Links: []cardswitch.LinkConfig{{Name: "a", Listen: door, ReadTimeout: 20 * time.Hour,
				From: []string{"127.0.0.0/8"}}}}
	}
	bank := func(name, institution, primary, standby string) cardswitch.CenterConfig {
		return cardswitch.CenterConfig{Name: name, Role: cardswitch.RoleIssuer,
			Institution: institution, Echo: cardswitch.EchoConfig{After: 30 * time.Minute},
			Links: []cardswitch.LinkConfig{
				{Name: "primary", Dial: primary, ReadTimeout: 20 * time.Hour},
				{Name: "standby", Order: 1, Dial: standby, ReadTimeout: 20 * time.Hour}}}
	}
	o.Centers = []cardswitch.CenterConfig{
		merchant("aoyama", "12345678901", doorA), merchant("minato", "22345678901", doorB),
		bank("sakura", "88888000001", sakura1, sakura2), bank("fuji", "88888000002", fuji1, fuji2),
	}
	for i, r := range []*cardswitch.ReconciliationConfig{
		{Date: cardswitch.DateUs, Cutover: "23:30"}, {Date: cardswitch.DateUs, Cutover: "23:30"},
		{Date: cardswitch.DatePeer, Starts: cardswitch.StartsPeer,
			Unconfirmed: cardswitch.UnconfirmedBoth},
		{Date: cardswitch.DateUs, Cutover: "23:30", Announce: true,
			Reversals: cardswitch.ReversalsByOriginal, Unconfirmed: cardswitch.UnconfirmedBoth},
	} {
		o.Centers[i].Reconciliation = r
	}
	// What fuji leaves unanswered is decided too, and then it is told of the same sale twice.
	o.Centers[2].StandIn = &cardswitch.StandInConfig{Rules: standin}
	o.Centers[3].StandIn = &cardswitch.StandInConfig{Rules: standin, Unanswered: true,
		ReportDeclines: true}
	o.Complete()
	if err := o.Validate(); err != nil {
		c.t.Fatal(err)
	}
	c.config = o
}

func (c *center) start() {
	sw, err := cardswitch.New(c.config, cardswitch.Deps{Disk: c.disk, Listen: c.net.Listen,
		Dial: c.net.Dial, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- sw.Run(ctx) }()
	c.sw, c.stop = sw, func() {
		stop()
		if err := <-ended; err != nil {
			c.t.Error(err)
		}
	}
}

// standInRules are what the switch approves for an issuer that is away.
const standInRules = `rules:
  - name: all
    ranges: ["352812", "453912"]
    transactions: ["00", "20"]
    floor: 1000
    most: 50000
    expiry: known
    limits: [{days: 1, count: 20, amount: 300000}]
`

// rules are how both issuers answer.
const rules = `
- {name: no funds, when: {mti: one-of 1100 1200}, chance: 0.03, do: {action: 116, delay: 40ms}}
- {name: in part,  when: {mti: 1200, de3: prefix 0}, chance: 0.01, do: {amount: 100}}
- {name: late,     when: {mti: one-of 1100 1200}, chance: 0.002, do: {delay: 25s}}
- {name: mute,     when: {mti: one-of 1200 1220 1420}, chance: 0.002, do: {answer: never}}
- {name: deaf,     when: {mti: one-of 1220 1420}, chance: 0.01, do: {ignore: true}}
- {name: twice,    chance: 0.002, do: {answer: twice}}
`

func (c *center) issuer(name string, days *issuer.Days, primary, standby string) {
	parsed, err := issuer.ParseRules(strings.NewReader(rules))
	if err != nil {
		c.t.Fatal(err)
	}
	latency, _ := issuer.ParseDelay("20ms..900ms")
	i, err := issuer.Start(context.Background(), issuer.Options{Name: name, Days: days,
		Rules: parsed, Latency: latency, Seed: 1, ListenFunc: c.net.Listen,
		UnknownOriginal: "914", // so the switch learns which of the unanswered it never had
		Links:           []issuer.Link{{Listen: primary}, {Listen: standby}}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.issuers[name] = i
}

// evening opens the switch and its merchants for the hours around a cutover, and closes them when
// everything is settled: at night there is nothing to see.
func (c *center) evening(meanwhile func()) {
	c.start()
	c.shop("aoyama", doorA, "12345678901")
	c.shop("minato", doorB, "22345678901")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	var trading sync.WaitGroup
	for _, p := range c.shops {
		trading.Go(func() { p.Run(ctx) })
	}
	meanwhile()
	trading.Wait()
}

// settled waits until the switch has nothing open and owes nothing.
func (c *center) settled() {
	for range 3600 {
		if s := c.sw.Status(); s.Open == 0 && s.Owed == 0 {
			return
		}
		time.Sleep(time.Second)
	}
	c.t.Fatalf("it doesn't settle: %+v", c.sw.Status())
}

// night closes the merchants and the switch.
func (c *center) night() {
	for _, p := range c.shops {
		p.Close()
	}
	c.shops = nil
	c.stop()
}

func (c *center) shop(name, door, acquirer string) {
	if c.books[name] == nil {
		c.books[name] = ledger.NewReceipts()
	}
	p, err := pos.Start(context.Background(), pos.Options{Name: name, Acquirer: acquirer,
		Addresses: []string{door}, Connections: 2, InFlight: 200, DialFunc: c.net.Dial,
		Seed: uint64(time.Now().Unix()), Receipts: c.books[name], Rate: 0.5, Settle: 2 * time.Hour,
		Cards: []pos.Range{{Prefix: "352812"}, {Prefix: "453912"}},
		Mix: pos.Mix{Sale: 70, Return: 4, Authorization: 7, Completion: 5, Offline: 4, Cancel: 6,
			Reduce: 2, Validity: 2},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.shops = append(c.shops, p)
	if err := p.Ready(context.Background()); err != nil {
		c.t.Fatal(err)
	}
}

// count lays the three sides beside each other.
func (c *center) count() *count.Report {
	b := count.Books{Issuers: make(map[string][]ledger.Posting)}
	for _, receipts := range c.books {
		b.Receipts = append(b.Receipts, receipts.All()...)
	}
	for name, i := range c.issuers {
		b.Issuers[name] = i.Ledger().All()
	}
	journal := c.sw.Journal()
	var err error
	if b.Switch, err = count.FromJournal(journal,
		cardswitch.NewArchive(journal.Registry()).Dialect); err != nil {
		c.t.Fatal(err)
	}
	return b.Count()
}

// close ends what still runs.
func (c *center) close() {
	if c.shops != nil {
		c.night()
	}
	for _, i := range c.issuers {
		i.Close()
	}
}

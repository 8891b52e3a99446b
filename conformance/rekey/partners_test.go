package rekey

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"cardswitch/conformance/count"
	coverage "cardswitch/conformance/envelope"
	"cardswitch/conformance/ground"
	"cardswitch/conformance/issuer"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/pos"
	"cardswitch/conformance/wire"
	"cardswitch/hsm/keyring"
	cardswitch "cardswitch/switch"
)

// partners are the simulators around a switch: a merchant that dials it, an issuer that it dials,
// and an issuer that dials it.
type partners struct {
	node          *ground.Node
	ring          *keyring.Ring
	shop          *pos.POS
	dialed, dials *issuer.Issuer
	refused       int // the shop's, while the switch let nobody in yet
}

func cover(s sealed.Secret, link string) *wire.Envelope {
	return &wire.Envelope{Link: link,
		Keys: map[uint16]coverage.Key{1: coverage.Key(s.Key(link, 1))}}
}

// around starts them all; who makes the keys is a KeyChange of the configuration.
func around(t *testing.T, secret sealed.Secret, who string) *partners {
	t.Helper()
	g, p := ground.New(), &partners{}
	c := ground.Config(t, t.TempDir(), "ranges:\n"+
		"  - {prefix: \"352812\", destinations: [dialed]}\n"+
		"  - {prefix: \"453912\", destinations: [dials]}\n")
	from := []string{"127.0.0.0/8"}
	c.Centers = []cardswitch.CenterConfig{
		{Name: "shop", Role: cardswitch.RoleMerchant, Acquirers: []string{"12345678901"},
			KeyChange: who, Links: []cardswitch.LinkConfig{{Name: "a", Listen: "shop.test:1",
				From: from, Envelope: &cardswitch.EnvelopeConfig{}}}},
		{Name: "dialed", Role: cardswitch.RoleIssuer, KeyChange: who,
			Links: []cardswitch.LinkConfig{{Name: "l", Dial: "dialed.test:1",
				Envelope: &cardswitch.EnvelopeConfig{}}}},
		{Name: "dials", Role: cardswitch.RoleIssuer, KeyChange: who,
			Links: []cardswitch.LinkConfig{{Name: "l", Listen: "dials.test:1", From: from,
				Envelope: &cardswitch.EnvelopeConfig{}}}},
	}
	bank := func(name string, link issuer.Link) *issuer.Issuer {
		link.Name, link.Envelope = "l", cover(secret, name+"/l")
		i, err := issuer.Start(context.Background(), issuer.Options{Name: name, SignOn: true,
			Links: []issuer.Link{link}, KBPK: secret.Protection(name), DialFunc: g.Dial,
			ListenFunc: g.Listen})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(i.Close)
		return i
	}
	p.dialed = bank("dialed", issuer.Link{Listen: "dialed.test:1"})
	p.ring = g.Enroll(t, c, secret)
	p.node = g.StartNode(t, c, slog.New(slog.NewTextHandler(io.Discard, nil)))
	p.dials = bank("dials", issuer.Link{Dial: "dials.test:1"})
	var err error
	p.shop, err = pos.Start(context.Background(), pos.Options{Addresses: []string{"shop.test:1"},
		Connections: 3, DialFunc: g.Dial, Seed: 1, Envelope: cover(secret, "shop/a"),
		KBPK:  secret.Protection("shop"),
		Cards: []pos.Range{{Prefix: "352812"}, {Prefix: "453912"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.shop.Close)
	ready, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for p.shop.Up() < 3 {
		if err := p.shop.Ready(ready); err != nil || ready.Err() != nil {
			t.Fatalf("%d connections of the shop: %v", p.shop.Up(), err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	p.refused = p.shop.Stats().Refused
	return p
}

// trade sells until stop, and counts the money afterwards.
func (p *partners) trade(t *testing.T, meanwhile func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.shop.Run(ctx) }()
	meanwhile()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); { // reversals that it owes
		if n := p.node.Status(); n.Open+n.Owed == 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	report := count.Books{Receipts: p.shop.Receipts().All(), Issuers: map[string][]ledger.Posting{
		"dialed": p.dialed.Ledger().All(), "dials": p.dials.Ledger().All()}}.Count()
	if !report.OK() {
		var text strings.Builder
		_ = report.Write(&text)
		t.Error(text.String())
	}
	s := p.shop.Stats()
	if s.Approved == 0 || s.Unknown+s.Repeats+s.Unreadable > 0 || s.Refused != p.refused ||
		s.Connections != 3 {
		t.Errorf("the merchant: %+v", s)
	}
	for _, i := range []*issuer.Issuer{p.dialed, p.dials} {
		if s := i.Stats(); s.Refused+s.Unreadable > 0 || s.Connections == 0 {
			t.Errorf("an issuer: %+v", s)
		}
	}
}

// uses waits until the switch sends under a generation of a link's key.
func (p *partners) uses(t *testing.T, link string, generation uint16) {
	t.Helper()
	slot, _ := keyring.LinkSlot(link)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		r, err := p.ring.Set().Sender(slot, time.Now())
		if err == nil && r.ID.Generation == generation {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s isn't used in generation %d", link, generation)
}

// The simulators take the keys that the switch makes, at full trade, whoever dialled.
func TestSimulatorsTakeKeys(t *testing.T) {
	p := around(t, sealed.Secret("take"), cardswitch.KeyChangeUs)
	p.trade(t, func() {
		for g := uint16(2); g < 5; g++ {
			for _, link := range []string{"shop/a", "dialed/l", "dials/l"} {
				if err := change(p.node, link); err != nil {
					t.Fatalf("%s: %v", link, err)
				}
				p.uses(t, link, g)
			}
		}
	})
	if a, b, c := p.shop.Stats().Keys, p.dialed.Stats().Keys, p.dials.Stats().Keys; a < 3 || b < 3 ||
		c < 3 {
		t.Errorf("%d, %d and %d keys were taken", a, b, c)
	}
}

// The simulators make keys, and the switch takes them.
func TestSimulatorsBringKeys(t *testing.T) {
	p := around(t, sealed.Secret("bring"), cardswitch.KeyChangePeer)
	bring := map[string]func(context.Context) (uint16, error){
		"shop/a":   p.shop.ChangeKey,
		"dialed/l": func(ctx context.Context) (uint16, error) { return p.dialed.ChangeKey(ctx, "l") },
		"dials/l":  func(ctx context.Context) (uint16, error) { return p.dials.ChangeKey(ctx, "l") },
	}
	p.trade(t, func() {
		for want := uint16(2); want < 4; want++ {
			for link, change := range bring {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				g, err := change(ctx)
				cancel()
				if err != nil || g != want {
					t.Fatalf("%s: generation %d, %v", link, g, err)
				}
			}
			for link := range bring {
				p.uses(t, link, want)
			}
		}
	})
}

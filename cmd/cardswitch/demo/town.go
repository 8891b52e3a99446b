package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/issuer"
	"cardswitch/conformance/keyblock"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/pos"
	"cardswitch/hsm/keyring"
	cardswitch "cardswitch/switch"
)

// Options say how lively the town is.
type Options struct {
	Rate     float64       // transactions a second, of both merchants together
	CutEvery time.Duration // between cuts of a primary link; 0: never
	CutFor   time.Duration
	DayEvery time.Duration // between ends of business days; 0: never
	Seed     uint64
	Log      *slog.Logger
	Event    func(text string) // something worth telling happened

	ChangeEvery time.Duration // between changes of link keys; 0: never
	ChangeKey   func(ctx context.Context, slot keyring.Slot) error
}

// Town is the merchants and issuers around the switch. The addresses of the configuration are only
// names here: every partner has a free port of its own, so that nothing else on the machine is in
// the way.
type Town struct {
	Options
	config    cardswitch.Config
	issuers   []*issuer.Issuer // in the order of config.Issuers
	merchants []*pos.POS
	keys      map[string]envelope.Key // of the links, by "center/link"
	ring      *keyring.Ring           // the switch's keys

	protections map[string]keyblock.Protection // of the centers

	mu     sync.Mutex
	actual map[string]string // address by that of the configuration
	cut    []string          // the links that are cut, "center/link"
}

// Build starts the issuers. Merchants come with Open, when the switch listens.
func Build(ctx context.Context, config cardswitch.Config, o Options) (*Town, error) {
	text, err := stage.ReadFile("stage/rules.yaml")
	if err != nil {
		return nil, err
	}
	rules, err := issuer.ParseRules(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	t := &Town{Options: o, config: config, actual: make(map[string]string)}
	t.keys, t.protections = keysOf(t), protectionsOf(t)
	latencies := []string{"6ms..30ms", "exp 14ms", "12ms..45ms"}
	for n, center := range centers(config, cardswitch.RoleIssuer) {
		latency, err := issuer.ParseDelay(latencies[n%len(latencies)])
		if err != nil {
			return nil, err
		}
		if err := t.buildIssuer(ctx, center, rules, latency); err != nil {
			t.Close()
			return nil, err
		}
	}
	return t, nil
}

func centers(config cardswitch.Config, role string) []cardswitch.CenterConfig {
	var list []cardswitch.CenterConfig
	for _, center := range config.Centers {
		if center.Role == role {
			list = append(list, center)
		}
	}
	return list
}

func (t *Town) buildIssuer(ctx context.Context, center cardswitch.CenterConfig,
	rules []issuer.Rule, latency issuer.Delay) error {
	options := issuer.Options{
		Name:    center.Name,
		Peer:    t.config.Institution,
		Dialect: center.Dialect,
		Rules:   rules,
		Latency: latency,
		Seed:    t.Seed + uint64(len(t.issuers)),
		Logger:  t.Log,
		KBPK:    t.protections[center.Name],

		Days:            &issuer.Days{Giver: issuer.Ours},
		OnReconciled:    t.compared(center.Name),
		UnknownOriginal: "914", // so the switch learns which of the unanswered it never had
	}
	for _, link := range center.Links {
		options.Links = append(options.Links, issuer.Link{Name: link.Name, Listen: "127.0.0.1:0",
			Envelope: t.cover(center.Name + "/" + link.Name)})
	}
	built, err := issuer.Start(ctx, options)
	if err != nil {
		return fmt.Errorf("issuer %s: %w", center.Name, err)
	}
	t.issuers = append(t.issuers, built)
	for _, link := range center.Links {
		t.actual[link.Dial] = built.Address(link.Name)
	}
	return nil
}

// Listen gives the switch a free port for an address of the configuration.
func (t *Town) Listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.actual[address] = listener.Addr().String()
	return listener, nil
}

// Dial takes the switch to the issuer behind an address of the configuration.
func (t *Town) Dial(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", t.address(address))
}

func (t *Town) address(configured string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.actual[configured]
}

// Open connects the merchants to the switch and waits until they are signed on.
func (t *Town) Open(ctx context.Context) error {
	merchants := centers(t.config, cardswitch.RoleMerchant)
	for n, center := range merchants {
		options := pos.Options{
			Name:        center.Name,
			Acquirer:    center.Acquirers[0],
			Peer:        t.config.Institution,
			Dialect:     center.Dialect,
			Connections: 2,
			AnswerTime:  center.AnswerTime + time.Second,
			Settle:      20 * time.Second,
			InFlight:    256,
			Rate:        t.Rate / float64(len(merchants)),
			Cards: []pos.Range{
				{Prefix: "352812"}, {Prefix: "453912"}, {Prefix: "521234"}},
			Shops: shops(center.Name),
			KBPK:  t.protections[center.Name],
			Seed:  t.Seed + 100 + uint64(n),
		}
		for _, link := range center.Links {
			address, err := t.listening(ctx, link.Listen)
			if err != nil {
				return err
			}
			options.Addresses = append(options.Addresses, address)
			options.Envelope = t.cover(center.Name + "/" + link.Name)
		}
		shop, err := pos.Start(context.WithoutCancel(ctx), options)
		if err != nil {
			return fmt.Errorf("merchant %s: %w", center.Name, err)
		}
		t.merchants = append(t.merchants, shop)
	}
	ready, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, shop := range t.merchants {
		if err := shop.Ready(ready); err != nil {
			return err
		}
	}
	return nil
}

// shops are the branches of a merchant; the simulators bring those of hq-aoyama themselves.
func shops(merchant string) []pos.Shop {
	if merchant != "hq-minato" {
		return nil
	}
	return []pos.Shop{
		{ID: "MINATO-00000001", Name: "MINATO MART SHIBA\\\\TOKYO\\", Category: "5499", Typical: 680},
		{ID: "MINATO-00000002", Name: "MINATO MART MITA\\\\TOKYO\\", Category: "5499", Typical: 540},
		{ID: "MINATO-00000003", Name: "MINATO SEKIYU\\\\KAWASAKI\\", Category: "5541", Typical: 5200},
	}
}

// listening waits until the switch has opened the port.
func (t *Town) listening(ctx context.Context, configured string) (string, error) {
	for range 500 {
		if address := t.address(configured); address != "" {
			return address, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return "", fmt.Errorf("the switch doesn't listen on %s", configured)
}

// Trade lets the merchants sell until ctx ends, cuts links and changes keys meanwhile, and returns
// when what was in flight has come to its end.
func (t *Town) Trade(ctx context.Context) error {
	var trading sync.WaitGroup
	errs := make([]error, len(t.merchants))
	for n, shop := range t.merchants {
		trading.Go(func() { errs[n] = shop.Run(ctx) })
	}
	trading.Go(func() { t.changeKeys(ctx) })
	trading.Go(func() { t.endDays(ctx) })
	t.cutLinks(ctx)
	trading.Wait()
	return errors.Join(errs...)
}

// cutLinks takes one issuer's primary link after the other away for a while, and every second time
// both links: then stand-in decides for the issuer.
func (t *Town) cutLinks(ctx context.Context) {
	for n := 0; t.CutEvery > 0 && pause(ctx, t.CutEvery); n++ {
		at := n % len(t.issuers)
		center := centers(t.config, cardswitch.RoleIssuer)[at]
		links, what := center.Links[:1], "the "+center.Links[0].Name+" link of "+center.Name
		if n%2 == 1 {
			links, what = center.Links, "all links of "+center.Name
		}
		t.Event("cut " + what)
		t.setCut(center.Name, links)
		for _, link := range links {
			t.issuers[at].Shut(link.Name)
		}
		pause(ctx, t.CutFor)
		// Also after the end: the books are counted with every link in place.
		var err error
		for _, link := range links {
			err = errors.Join(err, t.issuers[at].Open(context.WithoutCancel(ctx), link.Name))
		}
		if err != nil {
			t.Event(fmt.Sprintf("%s can't be restored: %v", what, err))
			continue
		}
		t.setCut("", nil)
		t.Event("restored " + what)
	}
	<-ctx.Done()
}

func (t *Town) setCut(center string, links []cardswitch.LinkConfig) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cut = nil
	for _, link := range links {
		t.cut = append(t.cut, center+"/"+link.Name)
	}
}

func (t *Town) isCut(link string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.cut, link)
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// Receipts is what the merchants believe.
func (t *Town) Receipts() []ledger.Receipt {
	var all []ledger.Receipt
	for _, shop := range t.merchants {
		all = append(all, shop.Receipts().All()...)
	}
	return all
}

// Postings is what the issuers have posted, by their names.
func (t *Town) Postings() map[string][]ledger.Posting {
	all := make(map[string][]ledger.Posting)
	for n, name := range t.config.Issuers() {
		all[name] = t.issuers[n].Ledger().All()
	}
	return all
}

// Leave closes the merchants' connections.
func (t *Town) Leave() {
	for _, shop := range t.merchants {
		shop.Close()
	}
}

// Close ends the issuers.
func (t *Town) Close() {
	for _, center := range t.issuers {
		center.Close()
	}
}

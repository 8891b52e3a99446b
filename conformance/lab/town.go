package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"cardswitch/conformance/count"
	"cardswitch/conformance/envelope"
	"cardswitch/conformance/issuer"
	"cardswitch/conformance/keyblock"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/load/cards"
	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/load/stage"
	"cardswitch/conformance/pos"
	"cardswitch/conformance/wire"
)

const (
	issuers   = 2
	merchants = 2
	// answerTime is a merchant's patience before a repeat, echoTime how soon it leaves a node that
	// stands still, settleTime how long it clears up at the end.
	answerTime = 2 * time.Second
	echoTime   = 150 * time.Millisecond
	dialTime   = time.Second
	settleTime = time.Minute
	// repeats is how often a merchant asks again before it gives a transaction up: all its
	// connections may be with a node that stands still.
	repeats = 8
)

// town is the partners of the cluster: merchants who buy all the time, and issuers.
type town struct {
	issuers   []*issuer.Issuer
	merchants []*pos.POS
	trade     context.CancelFunc
	trading   sync.WaitGroup

	mu      sync.Mutex
	answers []answer
}

// answer is one transaction's answer, as its merchant got it.
type answer struct {
	at       time.Time
	took     time.Duration
	approved bool // by an issuer, so it went all the way
	undone   bool // taken back since, which is part of what it took
	issuer   int
}

func issuerName(n int) string { return fmt.Sprintf("issuer-%d", n) }

// acquirer is DE 32 of a merchant.
func acquirer(n int) string { return fmt.Sprintf("9300000000%d", n+1) }

// openIssuers opens issuers with two links each and returns where those are.
func (t *town) openIssuers(p *place, secret sealed.Secret, zones zones, seed uint64) (
	links [][]string, err error) {
	latency, err := issuer.ParseDelay("0ms..5ms")
	if err != nil {
		return nil, err
	}
	for n := range issuers {
		name := issuerName(n)
		o := issuer.Options{Name: name, Peer: stage.Institution, Seed: seed + uint64(n),
			KBPK: keyblock.Protection(secret.Protection(name)), Latency: latency, ListenFunc: p.listen,
			Protect: zones[name]}
		for l := range 2 {
			id := fmt.Sprintf("%s/l%d", name, l)
			o.Links = append(o.Links, issuer.Link{Name: fmt.Sprintf("l%d", l),
				Listen: p.host(0) + ":0", Envelope: envelopeOf(secret, id), Idle: true})
		}
		i, err := issuer.Start(context.Background(), o)
		if err != nil {
			return nil, fmt.Errorf("lab: %s: %w", name, err)
		}
		t.issuers = append(t.issuers, i)
		links = append(links, []string{i.Address("l0"), i.Address("l1")})
	}
	return links, nil
}

func envelopeOf(secret sealed.Secret, link string) *wire.Envelope {
	if secret == nil {
		return nil
	}
	return &wire.Envelope{Link: link, Keys: map[uint16]envelope.Key{1: secret.Key(link, 1)}}
}

// open lets the merchants trade with whoever serves at the addresses.
func (t *town) open(dial func(context.Context, string) (net.Conn, error), secret sealed.Secret,
	zones zones, addresses []string, rate float64, seed uint64) error {
	ctx, cancel := context.WithCancel(context.Background())
	t.trade = cancel
	var ranges []pos.Range
	for _, r := range cards.Ranges() {
		ranges = append(ranges, pos.Range{Prefix: r.Prefix, Count: 200})
	}
	// Of one center: who gets a new key gets it for all.
	link, zone := envelopeOf(secret, stage.Link), zones[merchantsName]
	for n := range merchants {
		m, err := pos.Start(context.Background(), pos.Options{Name: fmt.Sprintf("merchant-%d", n),
			Acquirer: acquirer(n), Peer: stage.Institution, Addresses: addresses,
			Envelope: link, Connections: 4, AnswerTime: answerTime,
			Repeats: repeats,
			Echo:    echoTime, Settle: settleTime, InFlight: 256, Rate: rate / merchants,
			Cards: ranges, Seed: seed + uint64(n), OnResult: t.came, DialFunc: dial,
			KBPK: keyblock.Protection(secret.Protection(merchantsName)), Protect: zone})
		if err != nil {
			return fmt.Errorf("lab: a merchant: %w", err)
		}
		t.merchants = append(t.merchants, m)
		t.trading.Go(func() { _ = m.Run(ctx) }) // never fails
	}
	return nil
}

func (t *town) came(r pos.Result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	undone := r.Receipt.State == ledger.Cancelled
	t.answers = append(t.answers, answer{at: time.Now(), took: r.Elapsed, undone: undone,
		issuer:   issuerOf(r.Receipt.Card),
		approved: undone || r.Receipt.State == ledger.Approved})
}

// had is how many new keys the merchants have had, and how many connections.
func (t *town) had() (keys, connections int) {
	for _, m := range t.merchants {
		s := m.Stats()
		keys, connections = keys+s.Keys, connections+s.Connections
	}
	return keys, connections
}

// since gives the answers from a time on.
func (t *town) since(from time.Time) []answer {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, _ := slices.BinarySearchFunc(t.answers, from, func(a answer, from time.Time) int {
		return a.at.Compare(from)
	})
	return slices.Clone(t.answers[at:])
}

// endTrade lets the merchants finish what is under way and close.
func (t *town) endTrade() {
	t.trade()
	t.trading.Wait()
	for _, m := range t.merchants {
		m.Close()
	}
}

// terms is what all of them heard of the cluster's terms; the merchants are one center.
func (t *town) terms() (c envelope.TermCounts) {
	for _, i := range t.issuers {
		c.Add(i.Stats().Terms)
	}
	c.Add(t.merchants[0].Stats().Terms)
	return c
}

func (t *town) close() {
	if t.trade != nil {
		t.trade()
	}
	for _, m := range t.merchants {
		m.Close()
	}
	for _, i := range t.issuers {
		i.Close()
	}
}

// books are those of the partners.
func (t *town) books() count.Books {
	b := count.Books{Issuers: make(map[string][]ledger.Posting)}
	for _, m := range t.merchants {
		b.Receipts = append(b.Receipts, m.Receipts().All()...)
	}
	for n, i := range t.issuers {
		b.Issuers[issuerName(n)] = i.Ledger().All()
	}
	return b
}

var errNoAnswers = errors.New("lab: no transaction is answered")

// flows waits until transactions have been answered for a while without a gap.
func (t *town) flows(ctx context.Context, within time.Duration) error {
	const steady = time.Second
	for end := time.Now().Add(within); time.Now().Before(end); {
		if g := gapOf(t.since(time.Now().Add(-steady)), time.Now().Add(-steady),
			time.Now()); g.length < steady/4 {
			return nil
		}
		if !pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
	return errNoAnswers
}

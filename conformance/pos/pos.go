// Package pos simulates the headquarter server of a merchant's points of sale.
//
// It behaves as a good merchant does: it keeps its connections, repeats what stays unanswered,
// reverses what it can't know, insists on its advices, and writes down what each shop believes.
// Those receipts are one of the three sides on which the money of a test is counted.
package pos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/format"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/protect"
)

// POS is a running merchant center.
type POS struct {
	options Options
	format  *format.Format
	guard   *protect.Guard // nil: nothing is protected but by envelopes
	cards   []Card
	lanes   []*lane
	zone    *time.Location
	prefix  string
	life    context.Context // until Close
	cancel  context.CancelFunc
	running sync.WaitGroup

	stan, turn, slip, reference8 atomic.Uint64

	changing sync.Mutex // one key of ours after the other

	mu             sync.Mutex
	changed        chan struct{} // closed when a lane comes or goes
	pending        map[string]chan *format.Message
	random         *rand.Rand
	sales          []Done // approved, neither cancelled nor returned
	returns        []Done // approved, not cancelled
	authorizations []Done // approved, not completed
	stats          Stats
}

// Stats is what a merchant did so far.
type Stats struct {
	Approved, Declined, Cancelled, Reversed, Unknown                        int
	Repeats, Reversals, Late, Unasked, Unreadable, Undelivered, Connections int
	Refused                                                                 int // envelopes
	Keys                                                                    int // came or brought
	Reduced                                                                 int // in part

	Terms envelope.TermCounts // of the switch's envelopes
}

func (s *Stats) tally(r ledger.Receipt) {
	switch r.State {
	case ledger.Approved:
		s.Approved++
	case ledger.Declined:
		s.Declined++
	case ledger.Cancelled:
		s.Cancelled++
	case ledger.Reversed:
		s.Reversed++
	default:
		s.Unknown++
	}
}

// Start opens the merchant's connections; they come up in the background.
func Start(ctx context.Context, o Options) (*POS, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	f, err := format.Named(o.Dialect)
	if err != nil {
		return nil, err
	}
	guard, err := protect.New(o.Protect, protect.Merchant, f)
	if err != nil {
		return nil, err
	}
	if len(o.Shops) == 0 {
		o.Shops = defaultShops(f.Katakana())
	}
	origin := o.origin()
	p := &POS{
		options: o,
		format:  f,
		guard:   guard,
		cards:   o.cards(),
		zone:    time.FixedZone("JST", 9*3600),
		prefix:  prefixOf(origin),
		changed: make(chan struct{}),
		pending: make(map[string]chan *format.Message),
		random:  rand.New(rand.NewPCG(o.Seed, origin)),
	}
	p.stan.Store(origin % 1000000)
	ctx, p.cancel = context.WithCancel(ctx)
	p.life = ctx
	for n := range o.Connections {
		l := &lane{addresses: o.Addresses, at: n % len(o.Addresses)}
		p.lanes = append(p.lanes, l)
		p.running.Go(func() { p.keep(ctx, l) })
	}
	return p, nil
}

// Ready waits until a connection is signed on.
func (p *POS) Ready(ctx context.Context) error {
	if p.connection(ctx) == nil {
		if n := p.Stats().Refused; n > 0 {
			return fmt.Errorf("no connection was signed on in time; %d envelopes were refused", n)
		}
		return errors.New("no connection was signed on in time")
	}
	return nil
}

// Up is the number of lanes in use at the moment.
func (p *POS) Up() int {
	up := 0
	for _, l := range p.lanes {
		l.mu.Lock()
		if l.conn != nil {
			up++
		}
		l.mu.Unlock()
	}
	return up
}

// Cut resets every connection the merchant has.
func (p *POS) Cut() {
	for _, l := range p.lanes {
		l.mu.Lock()
		c := l.conn
		l.mu.Unlock()
		if c != nil {
			c.Cut()
		}
	}
}

// Receipts is the merchant's book.
func (p *POS) Receipts() *ledger.Receipts { return p.options.Receipts }

// Export writes the receipts to a file.
func (p *POS) Export(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(p.options.Receipts.Write(f), f.Close())
}

// Stats is what the merchant did so far.
func (p *POS) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	if e := p.options.Envelope; e != nil {
		s.Terms = e.Terms.Counts()
	}
	return s
}

// Close signs off and ends the connections.
func (p *POS) Close() {
	p.cancel()
	p.running.Wait()
}

func (p *POS) count(fn func(*Stats)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn(&p.stats)
}

package pos

import (
	"context"
	"sync"
	"time"

	"cardswitch/conformance/ledger"
)

// Run sends the mix until Total is reached or ctx ends, then lets what is in flight come to its
// end for as long as Settle allows. Whatever is unknown then says so in its receipt. The context
// given to Start must outlive that of Run, or there are no connections left to settle on.
func (p *POS) Run(ctx context.Context) error {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	slots := make(chan struct{}, p.options.InFlight)
	var tick <-chan time.Time
	if p.options.Rate > 0 {
		t := time.NewTicker(time.Duration(float64(time.Second) / p.options.Rate))
		defer t.Stop()
		tick = t.C
	}
	var flying sync.WaitGroup
	for n := 0; p.options.Total == 0 || n < p.options.Total; n++ {
		if !p.mayStart(ctx, tick, slots) {
			break
		}
		flying.Go(func() {
			defer func() { <-slots }()
			p.transact(life)
		})
	}
	patience := time.AfterFunc(p.options.Settle, cancel)
	defer patience.Stop()
	flying.Wait()
	return nil
}

func (p *POS) mayStart(ctx context.Context, tick <-chan time.Time, slots chan struct{}) bool {
	if tick != nil {
		select {
		case <-tick:
		case <-ctx.Done():
			return false
		}
	}
	select {
	case slots <- struct{}{}:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// transact does one piece of business of the mix.
func (p *POS) transact(ctx context.Context) {
	kind := p.next()
	if kind == cancelSale || kind == reduceSale {
		d, ok := Done{}, false
		if p.draw(8) == 0 {
			d, ok = p.take(&p.returns)
		}
		if !ok {
			d, ok = p.take(&p.sales)
		}
		if ok {
			if kind == reduceSale && d.Receipt.Live > 1 {
				p.Reduce(ctx, d, 1+p.draw(d.Receipt.Live-1))
			} else {
				p.Cancel(ctx, d)
			}
			return
		}
		kind = ledger.Sale
	}
	p.mu.Lock()
	b := Purchase{
		Kind: kind,
		Card: p.cards[p.random.IntN(len(p.cards))],
		Shop: p.options.Shops[p.random.IntN(len(p.options.Shops))],
	}
	b.Amount = b.Shop.amount(p.random)
	p.mu.Unlock()
	if kind == ledger.Validity {
		b.Amount = 0
	}
	switch kind {
	case ledger.Return:
		p.follow(&b, &p.sales)
	case ledger.Completion:
		p.follow(&b, &p.authorizations)
	}
	p.Do(ctx, b)
}

// next draws a kind of business. What needs an earlier transaction becomes a sale if there is
// none yet, see follow.
func (p *POS) next() ledger.Kind {
	m := p.options.Mix
	p.mu.Lock()
	defer p.mu.Unlock()
	weights := []struct {
		kind   ledger.Kind
		weight int
	}{
		{ledger.Sale, m.Sale}, {ledger.Return, m.Return},
		{ledger.Authorization, m.Authorization}, {ledger.Completion, m.Completion},
		{ledger.Offline, m.Offline}, {cancelSale, m.Cancel}, {reduceSale, m.Reduce},
		{ledger.Validity, m.Validity},
	}
	total := 0
	for _, w := range weights {
		total += w.weight
	}
	draw := p.random.IntN(total)
	for _, w := range weights {
		if draw -= w.weight; draw < 0 {
			return w.kind
		}
	}
	return ledger.Sale
}

// Business that changes an earlier sale, beside the kinds of receipts.
const (
	cancelSale ledger.Kind = "cancel"
	reduceSale ledger.Kind = "reduce"
)

func (p *POS) draw(below int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.random.Int64N(below)
}

// follow makes a purchase refer to an earlier one: same card, same shop, same amount.
func (p *POS) follow(b *Purchase, earlier *[]Done) {
	d, ok := p.take(earlier)
	if !ok {
		if b.Kind == ledger.Completion {
			b.Kind = ledger.Sale
		}
		return
	}
	b.Of = &d
	b.Amount = d.Receipt.Live
	if b.Kind == ledger.Completion && p.draw(4) == 0 { // some hotels' guests take less
		b.Amount = max(1, b.Amount-p.draw(b.Amount))
	}
	b.Card = d.Card
}

// take removes one earlier transaction at random, so that no two follow the same.
func (p *POS) take(list *[]Done) (Done, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(*list) == 0 {
		return Done{}, false
	}
	n := p.random.IntN(len(*list))
	d := (*list)[n]
	last := len(*list) - 1
	(*list)[n] = (*list)[last]
	*list = (*list)[:last]
	return d, true
}

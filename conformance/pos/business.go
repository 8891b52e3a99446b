package pos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ledger"
)

// Purchase is what a customer wants.
type Purchase struct {
	Kind   ledger.Kind
	Card   Card
	Shop   Shop
	Amount int64
	With   map[int]string // elements beside the usual ones, or in their place
	Of     *Done          // the transaction that this one follows, for a return or completion
}

// Done is an approved transaction that a later one may refer to.
type Done struct {
	Message *format.Message
	Card    Card
	Receipt ledger.Receipt
}

// Do carries one transaction to its end and returns the receipt. It comes back when the shop
// knows what to believe: after the answer, or after the reversal of what it couldn't know.
func (p *POS) Do(ctx context.Context, b Purchase) ledger.Receipt {
	m := p.message(b)
	r := ledger.Receipt{
		RRN: m.Get(37), Kind: b.Kind, Key: ledger.Key(m), Shop: m.Get(42),
		Card: format.Mask(m.Get(2)), Amount: b.Amount, State: ledger.Open, Sent: time.Now(),
	}
	p.options.Receipts.Add(r)
	if p.guard != nil {
		if err := p.guard.Dress(m); err != nil { // a card that can't be: it was never sent
			return p.close(r.RRN, func(r *ledger.Receipt) { r.State = ledger.Declined })
		}
	}
	if m.MTI[2] == '2' {
		r = p.advise(ctx, m, r.RRN)
	} else {
		r = p.request(ctx, m, r.RRN)
	}
	p.finish(m, b.Card, r)
	return r
}

// request asks, repeats, and undoes what stays unknown.
func (p *POS) request(ctx context.Context, m *format.Message, rrn string) ledger.Receipt {
	answer, o := p.ask(ctx, m, max(0, p.options.Repeats), p.options.AnswerTime)
	if answer != nil {
		return p.close(rrn, func(r *ledger.Receipt) {
			r.Action, r.Approval = answer.Get(39), strings.TrimSpace(answer.Get(38))
			r.Day = answer.Get(28)
			r.State = ledger.Declined
			if strings.HasPrefix(r.Action, "0") {
				r.State, r.Live = ledger.Approved, r.Amount
				if answer.Has(4) {
					r.Live = answer.Number(4)
				}
			}
		})
	}
	if o == neverLeft {
		return p.close(rrn, func(r *ledger.Receipt) { r.State = ledger.Declined })
	}
	return p.undo(ctx, m, rrn, "4021", ledger.Reversed)
}

// advise tells of a sale that has already happened, until it's acknowledged.
func (p *POS) advise(ctx context.Context, m *format.Message, rrn string) ledger.Receipt {
	action, day := p.insist(ctx, m, settled)
	return p.close(rrn, func(r *ledger.Receipt) {
		r.Action, r.Day = action, day
		switch {
		case action == "":
			r.State = ledger.Unknown
		case accepts(action):
			r.State, r.Live = ledger.Approved, r.Amount
		default:
			r.State = ledger.Declined
		}
	})
}

// Cancel takes back an approved transaction, the 取消 of the same day.
func (p *POS) Cancel(ctx context.Context, d Done) ledger.Receipt {
	// What is taken back is what was approved, which may be a part of what was asked.
	m := d.Message.Clone().Set(4, fmt.Sprintf("%012d", d.Receipt.Live))
	r := p.undo(ctx, m, d.Receipt.RRN, "4000", ledger.Cancelled)
	if r.State != ledger.Approved { // refused: it stands as it was counted
		p.report(r)
	}
	return r
}

// undo reverses a transaction and insists on it. to is what the receipt becomes.
func (p *POS) undo(
	ctx context.Context, m *format.Message, rrn, reason string, to ledger.State,
) ledger.Receipt {
	action, day := p.reverse(ctx, p.reversal(m).Set(24, "400").Set(25, reason), rrn)
	return p.close(rrn, func(r *ledger.Receipt) {
		r.UndoDay, r.Undone = day, r.Undone+r.Live
		switch {
		case action == "":
			r.State, r.Action = ledger.Unknown, ""
		case accepts(action) || action == "914" && to == ledger.Reversed:
			r.State, r.Live = to, 0
			if to == ledger.Reversed {
				r.Action = ""
			}
		case to == ledger.Reversed:
			r.State, r.Action = ledger.Unknown, action
		}
	})
}

// reversal begins the message that undoes another.
func (p *POS) reversal(m *format.Message) *format.Message {
	return p.stamp(format.New("1420")).Copy(m, 2, 3, 4, 22, 26, 32, 37, 41, 42, 43, 49,
		p.options.Protect.Sealed()).Set(56, ledger.Original(m))
}

// reverse insists on a reversal and gives the action code and the business day of its answer.
func (p *POS) reverse(
	ctx context.Context, reversal *format.Message, rrn string,
) (action, day string) {
	p.options.Receipts.Change(rrn, func(r *ledger.Receipt) { r.Reversals++ })
	p.count(func(s *Stats) { s.Reversals++ })
	return p.insist(ctx, reversal, settled)
}

// Reduce takes back a part of an approved transaction (function code 401): element 4 is the amount
// that stands, element 30 the one that did.
func (p *POS) Reduce(ctx context.Context, d Done, stands int64) ledger.Receipt {
	reversal := p.reversal(d.Message).Set(24, "401").Set(25, "4004").
		Set(4, fmt.Sprintf("%012d", stands)).Set(30, originalAmounts(d.Receipt.Live))
	action, day := p.reverse(ctx, reversal, d.Receipt.RRN)
	r := p.close(d.Receipt.RRN, func(r *ledger.Receipt) {
		switch {
		case action == "":
			r.State, r.Action = ledger.Unknown, ""
		case accepts(action):
			r.UndoDay, r.Undone, r.Live = day, r.Undone+r.Live-stands, stands
		}
	})
	p.count(func(s *Stats) { s.Reduced++ })
	p.report(r)
	return r
}

// accepts reports whether an advice or reversal was taken.
func accepts(action string) bool {
	return strings.HasPrefix(action, "0") || strings.HasPrefix(action, "4") ||
		action == "900" || action == "901"
}

// settled reports whether an answer to an advice is final; the others mean "try again".
func settled(action string) bool {
	again := []string{"906", "907", "909", "910", "911", "912", "920", "923"}
	return !slices.Contains(again, action)
}

func (p *POS) close(rrn string, fn func(*ledger.Receipt)) ledger.Receipt {
	return p.options.Receipts.Change(rrn, func(r *ledger.Receipt) {
		fn(r)
		r.Done = time.Now()
	})
}

// finish counts a transaction and remembers it if a later one may follow.
func (p *POS) finish(m *format.Message, card Card, r ledger.Receipt) {
	p.report(r)
	if r.State != ledger.Approved || r.Kind == ledger.Validity {
		return // there is nothing to take back
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	list := &p.sales
	switch r.Kind {
	case ledger.Authorization:
		list = &p.authorizations
	case ledger.Return: // may be taken back, but nobody returns a return
		list = &p.returns
	}
	*list = append(*list, Done{m, card, r})
	if len(*list) > 1000 {
		*list = slices.Delete(*list, 0, 500)
	}
}

func (p *POS) report(r ledger.Receipt) {
	p.count(func(s *Stats) { s.tally(r) })
	if p.options.OnResult != nil {
		p.options.OnResult(Result{Receipt: r, Elapsed: r.Done.Sub(r.Sent)})
	}
}

// stamp gives a message its trace number and local time.
func (p *POS) stamp(m *format.Message) *format.Message {
	return m.Set(11, fmt.Sprintf("%06d", p.stan.Add(1)%1000000)).
		Set(12, time.Now().In(p.zone).Format("060102150405"))
}

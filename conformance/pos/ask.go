package pos

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ledger"
)

// Check asks whether a card is good, and buys nothing.
func (p *POS) Check(ctx context.Context, card Card) ledger.Receipt {
	return p.Do(ctx, Purchase{Kind: ledger.Validity, Card: card, Shop: p.options.Shops[0]})
}

// Inquire asks what the negative file says of a card (1304, function code 305): 300 and its record
// if the card is listed, 302 if it isn't.
func (p *POS) Inquire(ctx context.Context, card Card) (action, record string, err error) {
	m := p.stamp(format.New("1304")).Set(2, card.PAN).Set(24, "305").
		Set(93, p.options.Peer).Set(94, p.options.Institution).Set(101, "EMERGENCY")
	answer, _ := p.ask(ctx, m, max(0, p.options.Repeats), p.options.AnswerTime)
	if answer == nil {
		return "", "", errors.New("1304 was not answered")
	}
	return answer.Get(39), answer.Get(72), nil
}

// Totals are what a business day comes to in the receipts: what the answers named it for.
func (p *POS) Totals(day string) ledger.Totals { return p.options.Receipts.Totals(day) }

// Reconcile tells the host our figures of a business day (1520) and gives its answer's action code,
// with its figures if it told any.
func (p *POS) Reconcile(ctx context.Context, day string) (string, ledger.Totals, error) {
	m := p.Totals(day).Put(p.stamp(format.New("1520")).Set(24, "500").Set(28, day).
		Set(32, p.options.Acquirer).Set(50, "392"), ledger.ByEffect)
	answer, _ := p.ask(ctx, m, max(0, p.options.Repeats), p.options.AnswerTime)
	if answer == nil {
		return "", nil, errors.New("1520 was not answered")
	}
	theirs, _ := ledger.ReadTotals(answer, ledger.ByEffect)
	return answer.Get(39), theirs, nil
}

// Commands are what Command understands, a line each.
const Commands = `sale PAN AMOUNT      a sale, by hand
check PAN            is the card good: 1100 with function code 108
inquire PAN          what the negative file says of it: 1304/305
reconcile YYMMDD     tell our figures of a business day: 1520
forget               take any term of the switch again, as when it was set up anew`

// Command does what a line says and tells what came of it.
func (p *POS) Command(ctx context.Context, line string) (string, error) {
	words := append(strings.Fields(line), "", "", "")
	card := Card{words[1], "2912"}
	switch words[0] {
	case "":
		return "", nil
	case "sale":
		var amount int64
		if _, err := fmt.Sscan(words[2], &amount); err != nil || amount < 1 {
			return "", fmt.Errorf("%q is no amount", words[2])
		}
		r := p.Do(ctx, Purchase{Kind: ledger.Sale, Card: card, Shop: p.options.Shops[0],
			Amount: amount})
		return fmt.Sprintf("%s %s %s", r.RRN, r.State, r.Action), nil
	case "forget":
		if e := p.options.Envelope; e != nil {
			e.Terms.Forget()
		}
		return "forgotten", nil
	case "check":
		r := p.Check(ctx, card)
		return fmt.Sprintf("%s %s", r.State, r.Action), nil
	case "inquire":
		action, record, err := p.Inquire(ctx, card)
		return strings.TrimSpace(action + " " + record), err
	case "reconcile":
		action, _, err := p.Reconcile(ctx, words[1])
		return action, err
	}
	return "", fmt.Errorf("%q is no command; there are:\n%s", words[0], Commands)
}

package count

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"cardswitch/conformance/ledger"
)

// judge names the worst that is wrong with one reference number, or nothing.
func (p *page) judge(withSwitch bool) (Kind, string) {
	switch {
	case len(p.receipts) > 1:
		return Twice, fmt.Sprintf("%d receipts share the number", len(p.receipts))
	case len(p.stands) > 1:
		return Double, fmt.Sprintf("%d postings stand", len(p.stands))
	case p.conflict:
		return Conflict, "an issuer got one message key with two contents"
	case len(p.receipts) == 0:
		return Stranger, "no shop wrote a receipt for it"
	}
	r := &p.receipts[0]
	switch {
	case r.State == ledger.Unknown || r.State == ledger.Open:
		return Unknown, "the shop never learned what became of it"
	case r.State == ledger.Approved && len(p.stands) == 0:
		return Lost, fmt.Sprintf("the shop counts on %d yen that no issuer posted", r.Live)
	case r.State != ledger.Approved && len(p.stands) == 1:
		return Orphan, fmt.Sprintf("the issuer posted %d yen, the shop says %s",
			p.stands[0].Live, r.State)
	}
	if len(p.stands) == 1 {
		s := &p.stands[0]
		if s.Live != r.Live || s.Money() != r.Money() || s.Credit() != r.Credit() {
			return Amount, fmt.Sprintf("the shop counts on %s, the issuer posted %s",
				signed(r.Live, r.Money(), r.Credit()), signed(s.Live, s.Money(), s.Credit()))
		}
	}
	if withSwitch {
		return p.judgeJournal(r)
	}
	return "", ""
}

// judgeJournal compares what the shop and the issuer agree on with the journal.
func (p *page) judgeJournal(r *ledger.Receipt) (Kind, string) {
	stands := r.State == ledger.Approved
	switch {
	case p.entry == nil && (stands || len(p.postings) > 0):
		return Journal, "the journal doesn't know it"
	case p.entry == nil: // it never reached the switch
		return "", ""
	case p.entry.Owed || p.entry.Shelf:
		return "", ""
	case stands != (p.entry.State == ledger.Approved):
		return Journal, fmt.Sprintf("the shop says %s, the journal says %s", r.State, p.entry.State)
	case stands && p.entry.Live != r.Live && p.entry.Live != PartlyApproved:
		return Journal, fmt.Sprintf("the shop counts on %d yen, the journal on %d", r.Live,
			p.entry.Live)
	}
	return "", ""
}

func signed(amount int64, money, credit bool) string {
	switch {
	case !money:
		return fmt.Sprintf("a hold of %d yen", amount)
	case credit:
		return fmt.Sprintf("a return of %d yen", amount)
	}
	return fmt.Sprintf("a sale of %d yen", amount)
}

// Write prints the count for people. No card number is in it: the books hold masked ones only.
func (r *Report) Write(w io.Writer) error {
	p := &printer{w: w}
	p.line("%d transactions:", r.Transactions)
	for _, state := range slices.Sorted(maps.Keys(r.States)) {
		p.line("  %-10s %8d", state, r.States[state])
	}
	p.line("%-10s %9s %15s %8s %13s %6s %13s", "side", "sales", "yen", "returns", "yen",
		"holds", "yen")
	for _, side := range []struct {
		name string
		sum  Sum
	}{{"receipts", r.Receipts}, {"switch", r.Switch}, {"issuers", r.Issuers}} {
		if side.name == "switch" && side.sum == (Sum{}) {
			continue
		}
		s := side.sum
		p.line("%-10s %9d %15d %8d %13d %6d %13d", side.name, s.Sales, s.SalesAmount,
			s.Returns, s.ReturnsAmount, s.Holds, s.HoldsAmount)
	}
	p.line("%d postings undone, %d repeats answered from the ledger", r.Reversed, r.Repeats)
	for _, d := range r.Differences {
		p.difference(d)
	}
	if r.OK() {
		p.line("the money agrees (%d still owed)", len(r.Differences))
	} else {
		p.line("THE MONEY DISAGREES: %d lost, %d double, %d unexplained in all",
			r.Of(Lost), r.Of(Double), r.Unexplained())
	}
	return p.err
}

// JSON writes the count for programs.
func (r *Report) JSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, a ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", a...)
	}
}

func (p *printer) difference(d Difference) {
	mark := ""
	if d.Owed {
		mark = " (still owed)"
	}
	p.line("%s %s: %s%s", d.Kind, d.RRN, d.Why, mark)
	if d.Receipt != nil {
		p.line("    receipt  %s %s %d yen, %s %s %s", d.Receipt.Key, d.Receipt.Kind,
			d.Receipt.Amount, d.Receipt.State, d.Receipt.Action, d.Receipt.Card)
	}
	if d.Switch != nil {
		p.line("    journal  %s %d yen, transactions %v", d.Switch.State, d.Switch.Live,
			d.Switch.Txns)
	}
	for _, issuer := range slices.Sorted(maps.Keys(d.Postings)) {
		for _, x := range d.Postings[issuer] {
			p.line("    %-8s %s %d yen, %s %s, repeats %d, undone %d %s", issuer, x.Key, x.Live,
				x.State, x.Action, x.Repeats, x.Undone, x.Original)
		}
	}
}

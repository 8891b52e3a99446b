package settle

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"cardswitch/store/total"
)

// Fee is what one side of a transaction pays for it.
type Fee struct {
	Merchant string // "": any
	Issuer   string // "": any
	From, To string // Issuer, Merchant or Switch, see Party
	Rate     Rate   // of the net of sales and returns
	PerItem  int64  // for each sale and each return, in the currency's smallest unit
	// Payments are the payment divisions (支払区分) that it is for; none: all.
	Payments []uint8
	Round    string // of the rate's part: RoundHalf, RoundDown, RoundUp
}

// How a fee is rounded to the currency's smallest unit.
const (
	RoundHalf = "half" // to the nearest, halves away from zero
	RoundDown = "down" // toward zero
	RoundUp   = "up"   // away from zero
)

// ByPayment tells whether any fee is for some payment divisions only.
func ByPayment(fees []Fee) bool {
	return slices.ContainsFunc(fees, func(f Fee) bool { return len(f.Payments) > 0 })
}

// fits tells whether a fee is for a pair's transactions of a payment division.
func (f *Fee) fits(p *Pair, division uint8) bool {
	return (f.Merchant == "" || f.Merchant == p.Merchant) &&
		(f.Issuer == "" || f.Issuer == p.Issuer) &&
		(len(f.Payments) == 0 || slices.Contains(f.Payments, division))
}

// Rate is a part of an amount, in millionths.
type Rate int64

// ParseRate reads a rate per mille with up to three decimals, as "12.5".
func ParseRate(perMille string) (Rate, error) {
	whole, decimals, _ := strings.Cut(perMille, ".")
	v, err := strconv.ParseUint(whole+(decimals + "000")[:3], 10, 32)
	if err != nil || whole == "" || len(decimals) > 3 || v > 1_000_000 {
		return 0, fmt.Errorf("%q is no rate per mille (hint: write it as \"12.5\")", perMille)
	}
	return Rate(v), nil
}

// Of is the part of an amount, rounded to the smallest unit.
func (r Rate) Of(amount int64, round string) int64 {
	magnitude := uint64(amount)
	if amount < 0 {
		magnitude = -magnitude
	}
	high, low := bits.Mul64(magnitude, uint64(r))
	more := uint64(500_000)
	switch round {
	case RoundDown:
		more = 0
	case RoundUp:
		more = 999_999
	}
	low, carry := bits.Add64(low, more, 0)
	part, _ := bits.Div64(min(high+carry, 999_999), low, 1_000_000)
	if amount < 0 {
		return -int64(part)
	}
	return int64(part)
}

// The sides of a transaction, as parties that pay and get fees.
const (
	PartyIssuer   = "issuer"
	PartyMerchant = "merchant"
	PartySwitch   = "switch"
)

// Pair is what the transactions of one merchant center with one issuer come to on a business day of
// the issuer.
type Pair struct {
	Issuer   string    `json:"issuer"`
	Merchant string    `json:"merchant"`
	Currency uint16    `json:"currency"`
	Debits   total.Sum `json:"debits"`
	Undone   total.Sum `json:"debit_reversals"`
	Credits  total.Sum `json:"credits"`
	Returned total.Sum `json:"credit_reversals"`
	Gross    int64     `json:"gross"` // the issuer owes it to the merchant
	Fees     []Charge  `json:"fees"`
	parts    map[uint8]*total.Sums
}

// Charge is a fee of a pair.
type Charge struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Amount int64  `json:"amount"` // less than zero: it is paid back
	// Payments are the payment divisions that it is for; none: all.
	Payments []uint8 `json:"payments,omitempty"`
}

// Position is what a party gets, if it is above zero, or owes.
type Position struct {
	Party    string `json:"party"`
	Role     string `json:"role"`
	Currency uint16 `json:"currency"`
	Gross    int64  `json:"gross"`
	Fees     int64  `json:"fees"`
	Net      int64  `json:"net"`
}

// Statement is who owes whom for a business day. The positions of a currency come to zero.
type Statement struct {
	Day       string     `json:"day"`
	Agreed    bool       `json:"agreed"` // with every issuer in it
	Pairs     []Pair     `json:"pairs"`
	Positions []Position `json:"positions"`
	// Undecided counts in none of them.
	Undecided []Undecided `json:"undecided"`
}

// Undecided is an advice or reversal that an issuer refused, and that waits for a person.
type Undecided struct {
	Advice   uint64 `json:"advice"` // on the work list
	Txn      uint64 `json:"txn"`
	Issuer   string `json:"issuer"`
	Merchant string `json:"merchant"`
	MTI      string `json:"mti"`
	STAN     uint32 `json:"stan"`
	Counts   string `json:"counts"` // as what, if it is sent again and accepted
	Amount   uint64 `json:"amount"`
	Currency uint16 `json:"currency"`
	// Original: what it reverses was never answered, and would count in this day, too.
	Original bool   `json:"original"`
	Why      string `json:"why"` // it is owed
}

// StatementOf makes a statement of the rows of issuers' totals. name gives the names of centers,
// self that of the switch. Of fees between the same two parties the first that fits counts. parts
// are the rows' transactions by payment division, where a fee is for some only.
func StatementOf(day Day, rows []total.Row, parts Parts, fees []Fee, name func(uint16) string,
	self string) Statement {
	s := Statement{Day: day.String(), Pairs: []Pair{}, Positions: []Position{},
		Undecided: []Undecided{}}
	pairs := make(map[[2]string]map[uint16]*Pair)
	for i := range rows {
		r := &rows[i]
		key := [2]string{name(r.Key.Center), name(r.Key.Other)}
		if pairs[key] == nil {
			pairs[key] = make(map[uint16]*Pair)
		}
		p := pairs[key][r.Key.Currency]
		if p == nil {
			p = &Pair{Issuer: key[0], Merchant: key[1], Currency: r.Key.Currency,
				parts: parts[PartKey{r.Key.Center, r.Key.Other, r.Key.Currency}]}
			pairs[key][r.Key.Currency] = p
		}
		p.add(&r.Sums)
	}
	for _, of := range pairs {
		for _, p := range of {
			p.charge(fees)
			s.Pairs = append(s.Pairs, *p)
		}
	}
	slices.SortFunc(s.Pairs, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(a.Issuer, b.Issuer), cmp.Compare(a.Merchant, b.Merchant),
			cmp.Compare(a.Currency, b.Currency))
	})
	s.position(self)
	return s
}

func (p *Pair) add(s *total.Sums) {
	for at, k := range map[*total.Sum]total.Kind{&p.Debits: total.Debit,
		&p.Undone: total.DebitReversal, &p.Credits: total.Credit,
		&p.Returned: total.CreditReversal} {
		at.Number += s[k].Number
		at.Amount += s[k].Amount
	}
	p.Gross -= s.Net()
}

// charge adds the fees: a rate of the net, which is negative where more was returned than sold, and
// so much for each sale and return. Of a payment division's transactions the first fee that fits
// counts between two parties; what a fee is for is added up before it is rounded.
func (p *Pair) charge(fees []Fee) {
	parts := p.parts
	if parts == nil {
		whole := total.Sums{total.Debit: p.Debits, total.DebitReversal: p.Undone,
			total.Credit: p.Credits, total.CreditReversal: p.Returned}
		parts = map[uint8]*total.Sums{0: &whole}
	}
	sums := make([]*total.Sums, len(fees))
	for division, sum := range parts {
		paid := make(map[[2]string]bool)
		for i := range fees {
			f := &fees[i]
			if sides := [2]string{f.From, f.To}; f.fits(p, division) && !paid[sides] {
				paid[sides] = true
				if sums[i] == nil {
					sums[i] = new(total.Sums)
				}
				sums[i].Plus(sum)
			}
		}
	}
	p.Fees = []Charge{}
	for i, sum := range sums {
		if f := &fees[i]; sum != nil {
			items := int64(sum[total.Debit].Number + sum[total.Credit].Number)
			p.Fees = append(p.Fees, Charge{f.From, f.To, f.Rate.Of(-sum.Net(), f.Round) +
				f.PerItem*items, f.Payments})
		}
	}
}

// position nets what the parties owe each other against the switch.
func (s *Statement) position(self string) {
	all := make(map[Position]*Position)
	at := func(p *Pair, role string) *Position {
		key := Position{Party: self, Role: role, Currency: p.Currency}
		switch role {
		case PartyIssuer:
			key.Party = p.Issuer
		case PartyMerchant:
			key.Party = p.Merchant
		}
		if all[key] == nil {
			all[key] = &Position{Party: key.Party, Role: role, Currency: key.Currency}
		}
		return all[key]
	}
	for i := range s.Pairs {
		p := &s.Pairs[i]
		at(p, PartyIssuer).Gross -= p.Gross
		at(p, PartyMerchant).Gross += p.Gross
		for _, c := range p.Fees {
			at(p, c.From).Fees -= c.Amount
			at(p, c.To).Fees += c.Amount
		}
	}
	for _, p := range all {
		p.Net = p.Gross + p.Fees
		s.Positions = append(s.Positions, *p)
	}
	slices.SortFunc(s.Positions, func(a, b Position) int {
		return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.Role, b.Role),
			cmp.Compare(a.Party, b.Party))
	})
}

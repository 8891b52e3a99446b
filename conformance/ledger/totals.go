package ledger

import (
	"fmt"
	"strings"

	"cardswitch/conformance/format"
)

// Bucket is the total to which a transaction adds (reference iso8583-1993 section 5.7).
type Bucket string

// The buckets. Amounts are added up of those that move money; the others are only counted.
const (
	Debit           Bucket = "debit"
	DebitUndone     Bucket = "debit reversal"
	Credit          Bucket = "credit"
	CreditUndone    Bucket = "credit reversal"
	Transfer        Bucket = "transfer"
	TransferUndone  Bucket = "transfer reversal"
	Inquiry         Bucket = "inquiry"
	InquiryUndone   Bucket = "inquiry reversal"
	Authorized      Bucket = "authorization"
	AuthorityUndone Bucket = "authorization reversal"
	Payment         Bucket = "payment"
	PaymentUndone   Bucket = "payment reversal"
)

// bucketOf is where a request or advice counts.
func bucketOf(mti, processing string) Bucket {
	kind := byte('0')
	if processing != "" {
		kind = processing[0]
	}
	switch {
	case kind == '3':
		return Inquiry
	case mti[1] == '1':
		return Authorized
	case kind <= '1':
		return Debit
	case kind == '2':
		return Credit
	case kind == '4':
		return Transfer
	case kind == '5':
		return Payment
	}
	return ""
}

// Reversal is where the reversal of something counts.
func (b Bucket) Reversal() Bucket {
	if b == "" {
		return ""
	}
	return b + " reversal"
}

// Money tells the buckets whose amounts are added up.
func (b Bucket) Money() bool {
	return strings.HasPrefix(string(b), "debit") || strings.HasPrefix(string(b), "credit")
}

// Sum is how many, and what they come to.
type Sum struct {
	Number int64 `json:"number"`
	Amount int64 `json:"amount"`
}

// Totals are what a business day comes to, by bucket. What is zero isn't there.
type Totals map[Bucket]Sum

// add counts one.
func (t Totals) add(b Bucket, amount int64) {
	s := t[b]
	s.Number++
	if b.Money() {
		s.Amount += amount
	}
	t[b] = s
}

// Net is credits and reversed debits less debits and reversed credits. It doesn't depend on how
// reversals are put into their totals.
func (t Totals) Net() int64 {
	return t[Credit].Amount + t[DebitUndone].Amount - t[Debit].Amount - t[CreditUndone].Amount
}

// The conventions, in which elements reversals are. Papers disagree.
const (
	ByEffect   = "by_effect"   // a cancelled sale is in 75 and 87
	ByOriginal = "by_original" // it is in 77 and 89
)

// place is an element pair of a bucket; amount 0: it has none.
type place struct {
	bucket         Bucket
	number, amount int
	always         bool
}

func places(convention string) []place {
	debit, credit := 75, 77
	if convention == ByOriginal {
		debit, credit = 77, 75
	}
	return []place{
		{Credit, 74, 86, true}, {Debit, 76, 88, true},
		{DebitUndone, debit, debit + 12, true}, {CreditUndone, credit, credit + 12, true},
		{Transfer, 78, 0, false}, {TransferUndone, 79, 0, false}, {Inquiry, 80, 0, false},
		{Authorized, 81, 0, false}, {InquiryUndone, 82, 0, false}, {Payment, 83, 0, false},
		{PaymentUndone, 84, 0, false}, {AuthorityUndone, 90, 0, false},
	}
}

// Put writes the totals into a message: DE 74 to 77, 86 to 89 and 97 always, the others where there
// is something to say.
func (t Totals) Put(m *format.Message, convention string) *format.Message {
	for _, p := range places(convention) {
		s := t[p.bucket]
		if s.Number == 0 && !p.always {
			continue
		}
		m.Set(p.number, fmt.Sprintf("%010d", s.Number))
		if p.amount != 0 {
			m.Set(p.amount, fmt.Sprintf("%016d", s.Amount))
		}
	}
	net, sign := t.Net(), "C"
	if net < 0 {
		net, sign = -net, "D"
	}
	return m.Set(97, fmt.Sprintf("%s%016d", sign, net))
}

// ReadTotals takes the totals out of a message; false if it has none.
func ReadTotals(m *format.Message, convention string) (Totals, bool) {
	t := make(Totals)
	for _, p := range places(convention) {
		s := Sum{Number: m.Number(p.number)}
		if p.amount != 0 {
			s.Amount = m.Number(p.amount)
		}
		if s != (Sum{}) {
			t[p.bucket] = s
		}
	}
	return t, m.Has(76)
}

// Judge is the action code by which totals are answered: 500 where they are equal, 502 where only
// amounts differ, else 504.
func (t Totals) Judge(theirs Totals) string {
	action := "500"
	for _, p := range places(ByEffect) {
		switch a, b := t[p.bucket], theirs[p.bucket]; {
		case a.Number != b.Number:
			return "504"
		case a != b:
			action = "502"
		}
	}
	return action
}

// Totals adds up what counts in a business day; of one slice of it, unless that is 0, and in one
// currency, unless that is "".
func (l *Postings) Totals(day string, slice int, currency string) Totals {
	t := make(Totals)
	for _, p := range l.Listing(day, slice) {
		if currency == "" || p.Currency == currency {
			t.add(p.Counts, p.Moves)
		}
	}
	return t
}

// Listing is what counts in a business day, in the order of booking; of one slice of it, unless
// that is 0.
func (l *Postings) Listing(day string, slice int) []Posting {
	var list []Posting
	for _, p := range l.All() {
		if p.Counts != "" && p.Day == day && (slice == 0 || p.Slice == slice) {
			list = append(list, p)
		}
	}
	return list
}

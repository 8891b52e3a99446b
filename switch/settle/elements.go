package settle

import (
	"fmt"
	"strconv"

	"cardswitch/spec"
	"cardswitch/store/total"
)

// Convention says in which totals a center puts reversals; papers disagree (reference
// iso8583-1993 section 5.7). The net doesn't depend on it.
type Convention uint8

// The conventions.
const (
	ByEffect   Convention = iota // a cancelled sale is a credit's reversal: 75 and 87
	ByOriginal                   // it is a debit's reversal: 77 and 89
)

// String names it as the configuration does.
func (c Convention) String() string {
	if c == ByOriginal {
		return "by_original"
	}
	return "by_effect"
}

// field is an element of the totals, and the kind whose number or amount it is.
type field struct {
	element int
	kind    total.Kind
	amount  bool
	always  bool
}

// fields are the elements that hold one figure each.
func (c Convention) fields() [19]field {
	ofCredit, ofDebit := total.DebitReversal, total.CreditReversal
	if c == ByOriginal {
		ofCredit, ofDebit = total.CreditReversal, total.DebitReversal
	}
	return [...]field{
		{74, total.Credit, false, true}, {75, ofCredit, false, true},
		{76, total.Debit, false, true}, {77, ofDebit, false, true},
		{78, total.Transfer, false, false}, {79, total.TransferReversal, false, false},
		{80, total.Inquiry, false, false}, {81, total.Authorization, false, false},
		{82, total.InquiryReversal, false, false}, {83, total.Payment, false, false},
		{84, total.PaymentReversal, false, false},
		{86, total.Credit, true, true}, {87, ofCredit, true, true},
		{88, total.Debit, true, true}, {89, ofDebit, true, true},
		{90, total.AuthorizationReversal, false, false},
		{105, total.CreditChargeback, true, false}, {106, total.DebitChargeback, true, false},
		{107, total.CreditChargeback, false, false},
	}
}

// Setter takes the elements of totals.
type Setter interface {
	Set(n int, canonical []byte)
	SetNumber(n int, v uint64)
}

// Put writes totals into elements: 74 to 77, 86 to 89 and 97 always, 78 to 85, 90 and 105 to 110
// where there is something to say.
func (c Convention) Put(s *total.Sums, to Setter) {
	for _, f := range c.fields() {
		v := s[f.kind].Number
		if f.amount {
			v = s[f.kind].Amount
		}
		if v != 0 || f.always {
			to.SetNumber(f.element, v)
		}
	}
	if n := s[total.DebitChargeback].Number; n != 0 {
		to.SetNumber(108, n)
	}
	if n := s[total.CreditFee].Number + s[total.DebitFee].Number; n != 0 {
		to.SetNumber(85, n)
		to.Set(109, feeAmount(s[total.CreditFee].Amount))
		to.Set(110, feeAmount(s[total.DebitFee].Amount))
	}
	to.Set(97, []byte(Net(s.Net())))
}

// feeAmount is the one entry of element 109 or 110: fee type 00 and twelve digits.
func feeAmount(v uint64) []byte { return fmt.Appendf(nil, "00%012d", v) }

// Net is element 97: C for a net of zero or more, D for less, and sixteen digits.
func Net(v int64) string {
	if v < 0 {
		return fmt.Sprintf("D%016d", uint64(-v))
	}
	return fmt.Sprintf("C%016d", v)
}

// Take reads totals from a message; what it doesn't have is zero. ok: it has the ones that always
// go together. net is what its element 97 says, else what its figures come to.
func (c Convention) Take(m *spec.Message) (s total.Sums, net int64, ok bool) {
	ok = true
	for _, f := range c.fields() {
		v, there := m.Number(f.element)
		ok = ok && (there || !f.always)
		if f.amount {
			s[f.kind].Amount = v
		} else {
			s[f.kind].Number = v
		}
	}
	s[total.DebitChargeback].Number, _ = m.Number(108)
	s[total.CreditFee].Amount, s[total.DebitFee].Amount = feesIn(m, 109), feesIn(m, 110)
	s[total.CreditFee].Number, _ = m.Number(85)
	net = s.Net()
	if m.Has(97) {
		text := string(m.Append(nil, 97))
		if v, err := strconv.ParseInt(text[min(1, len(text)):], 10, 64); err == nil {
			if net = v; text[0] == 'D' {
				net = -v
			}
		}
	}
	return s, net, ok
}

// feesIn adds the entries of element 109 or 110 up: two digits of fee type, twelve of amount.
func feesIn(m *spec.Message, n int) (sum uint64) {
	value := m.Append(nil, n)
	for ; len(value) >= 14; value = value[14:] {
		v, _ := strconv.ParseUint(string(value[2:14]), 10, 64)
		sum += v
	}
	return sum
}

// Package total counts what the transactions of a business day come to, by center and currency.
//
// What a transaction moves is in its journal record (Moves, Amount, Day ...), so the totals are a
// fold over the records: the store keeps them in the same batch as the records that move them,
// and anybody can add them up anew from the journal and must find the same figures.
package total

import (
	"fmt"

	"cardswitch/spec"
)

// Kind is what a transaction counts as (reference iso8583-1993 section 5.7). Its number is in the
// journal and never changes.
type Kind uint8

// The kinds. A reversal is the one after what it reverses.
const (
	None Kind = iota
	Debit
	DebitReversal
	Credit
	CreditReversal
	Transfer
	TransferReversal
	Inquiry
	InquiryReversal
	Authorization
	AuthorizationReversal
	Payment
	PaymentReversal
	CreditFee
	DebitFee
	CreditChargeback
	DebitChargeback
	Kinds // how many there are, None among them
)

var kindNames = [Kinds]string{"none", "debit", "debit reversal", "credit", "credit reversal",
	"transfer", "transfer reversal", "inquiry", "inquiry reversal", "authorization",
	"authorization reversal", "payment", "payment reversal", "credit fee", "debit fee",
	"credit chargeback", "debit chargeback"}

// String names it.
func (k Kind) String() string {
	if k < Kinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Of a request or advice with this message type and processing code (DE 3); None of what counts in
// no total: network management, files, and processing codes for national and private use, which
// the standard gives no total. An inquiry is one whether it comes as 1100 or as 1200.
func KindOf(mti spec.MTI, processing uint32) Kind {
	switch digits := processing / 10000; {
	case mti.Class() != 1 && mti.Class() != 2:
		return None
	case digits >= 30 && digits <= 39:
		return Inquiry
	case mti.Class() == 1:
		return Authorization
	case digits <= 19:
		return Debit
	case digits <= 29:
		return Credit
	case digits <= 49:
		return Transfer
	case digits <= 59:
		return Payment
	}
	return None
}

// Reversal is what the reversal of a kind counts as; None of what has none.
func (k Kind) Reversal() Kind {
	switch k {
	case Debit, Credit, Transfer, Inquiry, Authorization, Payment:
		return k + 1
	}
	return None
}

// Reversed is what a reversal reverses; None of what is no reversal.
func (k Kind) Reversed() Kind {
	switch k {
	case DebitReversal, CreditReversal, TransferReversal, InquiryReversal, AuthorizationReversal,
		PaymentReversal:
		return k - 1
	}
	return None
}

// HasAmount tells whether amounts are added up too, or transactions counted only. Payments would
// have one by agreement; none is implemented.
func (k Kind) HasAmount() bool {
	switch k {
	case Debit, DebitReversal, Credit, CreditReversal, CreditFee, DebitFee, CreditChargeback,
		DebitChargeback:
		return true
	}
	return false
}

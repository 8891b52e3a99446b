package spec

// Signed is an amount with its direction, as x+n elements and sub-elements have it.
type Signed struct {
	Debit bool // D; else C, credit
	Value uint64
}

// OriginalAmounts is element 30.
type OriginalAmounts struct {
	Transaction    uint64
	Reconciliation uint64 // 0 if none
}

// ParseOriginalAmounts reads the canonical value of element 30.
func ParseOriginalAmounts(value []byte) (o OriginalAmounts, ok bool) {
	if len(value) != 24 {
		return o, false
	}
	transaction, first := digitsValue(value[:12])
	reconciliation, second := digitsValue(value[12:])
	return OriginalAmounts{transaction, reconciliation}, first && second
}

// Append appends the canonical value of element 30.
func (o OriginalAmounts) Append(dst []byte) []byte {
	return appendDigits(appendDigits(dst, o.Transaction, 12), o.Reconciliation, 12)
}

// mostAmounts is how many entries elements 46, 54 and 66 have at most.
const mostAmounts = 6

// Fee is an entry of elements 46 and 66. A rate is as in element 9: its first digit says how many
// of the others are decimals.
type Fee struct {
	Type                   uint8
	Currency               [3]byte
	Amount                 Signed
	Rate                   uint32
	Reconciliation         Signed
	ReconciliationCurrency [3]byte
}

// feeLength is the length of a Fee.
const feeLength = 2 + 3 + 9 + 8 + 9 + 3

// ParseFees reads the canonical value of element 46 or 66, and how many fees it has.
func ParseFees(value []byte) (fees [mostAmounts]Fee, count int, ok bool) {
	count = len(value) / feeLength
	if len(value)%feeLength != 0 || count > mostAmounts {
		return fees, 0, false
	}
	for i := range count {
		r := partReader{rest: value[i*feeLength:]}
		fees[i] = Fee{
			Type: uint8(r.number(2)), Currency: r.currency(), Amount: r.signed(8),
			Rate: uint32(r.number(8)), Reconciliation: r.signed(8),
			ReconciliationCurrency: r.currency(),
		}
		if r.bad {
			return fees, i, false
		}
	}
	return fees, count, true
}

// Append appends the fee as an entry.
func (f Fee) Append(dst []byte) []byte {
	dst = append(appendDigits(dst, uint64(f.Type), 2), f.Currency[:]...)
	dst = appendSigned(dst, f.Amount, 8)
	dst = appendDigits(dst, uint64(f.Rate), 8)
	return append(appendSigned(dst, f.Reconciliation, 8), f.ReconciliationCurrency[:]...)
}

// AdditionalAmount is an entry of element 54.
type AdditionalAmount struct {
	Account  uint8 // as in the processing code
	Type     uint8
	Currency [3]byte
	Amount   Signed
}

// additionalLength is the length of an AdditionalAmount.
const additionalLength = 2 + 2 + 3 + 13

// ParseAdditionalAmounts reads the canonical value of element 54, and how many amounts it has.
func ParseAdditionalAmounts(value []byte) (list [mostAmounts]AdditionalAmount, count int, ok bool) {
	count = len(value) / additionalLength
	if len(value)%additionalLength != 0 || count > mostAmounts {
		return list, 0, false
	}
	for i := range count {
		r := partReader{rest: value[i*additionalLength:]}
		list[i] = AdditionalAmount{Account: uint8(r.number(2)), Type: uint8(r.number(2)),
			Currency: r.currency(), Amount: r.signed(12)}
		if r.bad {
			return list, i, false
		}
	}
	return list, count, true
}

// Append appends the amount as an entry.
func (a AdditionalAmount) Append(dst []byte) []byte {
	dst = appendDigits(appendDigits(dst, uint64(a.Account), 2), uint64(a.Type), 2)
	return appendSigned(append(dst, a.Currency[:]...), a.Amount, 12)
}

// AmountName says what an amount type of element 54 means, "" if it isn't known.
func AmountName(amountType uint8) string { return amountNames[amountType] }

var amountNames = map[uint8]string{
	1: "ledger balance", 2: "available balance", 3: "owing", 4: "due", 5: "available credit",
	20: "remaining this cycle", 40: "cash part", 41: "goods part",
}

func appendSigned(dst []byte, s Signed, digits int) []byte {
	sign := byte('C')
	if s.Debit {
		sign = 'D'
	}
	return appendDigits(append(dst, sign), s.Value, digits)
}

// partReader reads parts of fixed length, and notes if one isn't as it must be.
type partReader struct {
	rest []byte
	bad  bool
}

func (r *partReader) number(digits int) uint64 {
	n, ok := digitsValue(r.rest[:digits])
	r.bad = r.bad || !ok
	r.rest = r.rest[digits:]
	return n
}

func (r *partReader) signed(digits int) Signed {
	sign := r.rest[0]
	r.bad = r.bad || sign != 'C' && sign != 'D'
	r.rest = r.rest[1:]
	return Signed{Debit: sign == 'D', Value: r.number(digits)}
}

func (r *partReader) currency() (code [3]byte) {
	r.rest = r.rest[copy(code[:], r.rest):]
	return code
}

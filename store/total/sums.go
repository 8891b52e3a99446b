package total

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// Sum is how many, and what they come to in the currency's smallest unit.
type Sum struct{ Number, Amount uint64 }

// Sums are the totals of one row.
type Sums [Kinds]Sum

// Add counts one.
func (s *Sums) Add(k Kind, amount uint64) {
	if k == None || k >= Kinds {
		return
	}
	s[k].Number++
	if k.HasAmount() {
		s[k].Amount = plus(s[k].Amount, amount)
	}
}

// Plus adds all of another row.
func (s *Sums) Plus(o *Sums) {
	for k := range s {
		s[k].Number = plus(s[k].Number, o[k].Number)
		s[k].Amount = plus(s[k].Amount, o[k].Amount)
	}
}

// plus stays at the greatest number rather than begin anew at zero. Sixteen digits of a message
// (DE 86 to 89) hold less.
func plus(a, b uint64) uint64 {
	sum, over := bits.Add64(a, b, 0)
	if over != 0 {
		return ^uint64(0)
	}
	return sum
}

// Net is credits and reversed debits less debits and reversed credits (DE 97). It doesn't depend
// on how reversals are put into their totals. Fees and chargebacks enter by agreement only.
func (s *Sums) Net() int64 {
	return int64(s[Credit].Amount) + int64(s[DebitReversal].Amount) -
		int64(s[Debit].Amount) - int64(s[CreditReversal].Amount)
}

// IsZero tells that nothing was counted.
func (s *Sums) IsZero() bool { return *s == Sums{} }

// Version is the first byte of the written sums.
const Version = 1

// Append writes what isn't zero: kind, number, amount.
func (s *Sums) Append(b []byte) []byte {
	b = append(b, Version)
	for k := range s {
		if s[k] == (Sum{}) {
			continue
		}
		b = append(b, byte(k))
		b = binary.AppendUvarint(b, s[k].Number)
		b = binary.AppendUvarint(b, s[k].Amount)
	}
	return b
}

// ErrDamaged is that of bytes that Append can't have written.
var ErrDamaged = errors.New("damaged totals")

// Parse reads what Append wrote.
func Parse(b []byte) (s Sums, err error) {
	if len(b) == 0 || b[0] != Version {
		return Sums{}, ErrDamaged
	}
	last := -1
	for b = b[1:]; len(b) > 0; {
		k := int(b[0])
		number, n := binary.Uvarint(b[1:])
		if k <= last || k >= int(Kinds) || n <= 0 {
			return Sums{}, ErrDamaged
		}
		b = b[1+n:]
		amount, n := binary.Uvarint(b)
		if n <= 0 || number == 0 && amount == 0 {
			return Sums{}, ErrDamaged
		}
		b = b[n:]
		s[k], last = Sum{number, amount}, k
	}
	return s, nil
}

// Package cardrange finds the ranges that a card number falls into, narrowest first.
//
// A card number is kept as a number of nineteen digits, filled with zeros on the right, so that
// ranges given by six, eight or nineteen digits compare as plain numbers.
package cardrange

import (
	"errors"
	"fmt"
	"strings"
)

// Digits is how many digits a card number has at most.
const Digits = 19

// MinDigits is how many digits a range must name at least: an issuer identification number was six
// digits long before it became eight, and a shorter range is a whole scheme.
const MinDigits = 6

// Range is an inclusive span of card numbers. From and To have nineteen digits: From is filled with
// zeros, To with nines. Digits says how many of them the range names.
type Range struct {
	From, To uint64
	Digits   uint8
}

// Any is the range that every card number falls into, and also the lack of one.
func Any() Range { return Range{To: powers[Digits] - 1} }

// Parse reads a range from its lowest and highest leading digits, as in 352800 and 358999.
func Parse(from, to string) (Range, error) {
	if len(from) != len(to) {
		return Range{}, fmt.Errorf("from has %d digits, to has %d", len(from), len(to))
	}
	low, err := number(from)
	if err != nil {
		return Range{}, err
	}
	high, err := number(to)
	if err != nil {
		return Range{}, err
	}
	if low > high {
		return Range{}, errors.New("from is above to")
	}
	fill := powers[Digits-len(from)]
	return Range{From: low * fill, To: high*fill + fill - 1, Digits: uint8(len(from))}, nil
}

// Prefix reads a range from the leading digits that all its card numbers share.
func Prefix(digits string) (Range, error) { return Parse(digits, digits) }

func number(digits string) (uint64, error) {
	if len(digits) < MinDigits || len(digits) > Digits {
		return 0, fmt.Errorf("%d digits, must be %d to %d", len(digits), MinDigits, Digits)
	}
	var n uint64
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, errors.New("must be digits only")
		}
		n = n*10 + uint64(c-'0')
	}
	return n, nil
}

// Has says whether a card number falls into r. A number of fewer digits than the range names isn't
// known well enough to fall into it.
func (r Range) Has(pan uint64, length uint8) bool {
	return length >= r.Digits && pan >= r.From && pan <= r.To
}

// Width is how many card numbers of nineteen digits r holds.
func (r Range) Width() uint64 { return r.To - r.From + 1 }

// Overlaps says whether some card number falls into both.
func (r Range) Overlaps(o Range) bool { return r.From <= o.To && o.From <= r.To }

// Clashes says whether r and o overlap without one being narrower, nor being the same range: then
// neither goes before the other.
func (r Range) Clashes(o Range) bool {
	return r.Width() == o.Width() && r.From != o.From && r.Overlaps(o)
}

// String gives the digits that the range names, as 352800-358999, or 45391234 for a prefix. So many
// digits that they could be a whole card number are masked.
func (r Range) String() string {
	if r.Digits == 0 {
		return "any"
	}
	fill := powers[Digits-int(r.Digits)]
	low, high := r.From/fill, r.To/fill
	if low == high {
		return digits(low, int(r.Digits))
	}
	return digits(low, int(r.Digits)) + "-" + digits(high, int(r.Digits))
}

func digits(n uint64, count int) string {
	text := fmt.Sprint(n)
	return Mask(strings.Repeat("0", count-len(text)) + text)
}

// Mask hides the middle of digits that could be a whole card number, and gives fewer as they are.
func Mask(digits string) string {
	switch n := len(digits); {
	case n <= 8:
		return digits
	case n <= 12:
		return digits[:6] + strings.Repeat("*", n-6)
	default:
		return digits[:6] + strings.Repeat("*", n-10) + digits[n-4:]
	}
}

// Align fills a card number of length digits with zeros to nineteen.
func Align(pan uint64, length int) uint64 {
	if length < 0 || length > Digits {
		return 0
	}
	return pan * powers[Digits-length]
}

// Luhn says whether the check digit of an aligned card number of length digits is right.
func Luhn(pan uint64, length uint8) bool {
	if length == 0 || length > Digits {
		return false
	}
	pan /= powers[Digits-length]
	var sum uint64
	for pan > 0 {
		doubled := pan / 10 % 10 * 2
		sum += pan%10 + doubled/10 + doubled%10
		pan /= 100
	}
	return sum%10 == 0
}

// powers are the powers of ten that fit into 64 bits.
var powers = [Digits + 1]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// PAN is a primary account number. Whatever prints, marshals or logs it shows the first six and
// the last four digits only; Reveal is the one door to the rest. PANs may be compared with ==.
//
// What prints a structure around a PAN reaches unexported fields without asking any method. So the
// digits are kept veiled: such a print, too, shows nothing.
type PAN struct {
	veiled [19]byte
	n      uint8
}

// veil hides a character from what prints memory; it's no encryption.
const veil = 0xA5

var errPAN = errors.New("a card number has 1 to 19 digits")

// ParsePAN reads 1 to 19 digits.
func ParsePAN(s string) (PAN, error) {
	var p PAN
	if len(s) == 0 || len(s) > len(p.veiled) {
		return PAN{}, errPAN
	}
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return PAN{}, errPAN
		}
		p.veiled[i] = s[i] ^ veil
	}
	p.n = uint8(len(s))
	return p, nil
}

// IsZero tells that there is no number.
func (p PAN) IsZero() bool { return p.n == 0 }

// Len is the number of digits.
func (p PAN) Len() int { return int(p.n) }

// Reveal is the whole number. Keep the result out of logs, errors and files.
func (p PAN) Reveal() string {
	digits := p.plain()
	return string(digits[:p.n])
}

// AppendReveal appends the whole number. The same care is due as with Reveal.
func (p PAN) AppendReveal(dst []byte) []byte {
	digits := p.plain()
	return append(dst, digits[:p.n]...)
}

// plain is the digits, of which n count.
func (p *PAN) plain() (digits [19]byte) {
	for i, c := range p.veiled {
		digits[i] = c ^ veil
	}
	return digits
}

// Number is the digits as a number, and how many there are.
func (p PAN) Number() (v uint64, length int) {
	for _, c := range p.veiled[:p.n] {
		v = v*10 + uint64(c^veil-'0')
	}
	return v, int(p.n)
}

// ShownIn tells whether a text has the number's digits in a row, or is itself so many of them that
// it shows more than a masked number may.
func (p PAN) ShownIn(text []byte) bool {
	digits := p.plain()
	own := digits[:p.n]
	return p.n >= shortestPAN &&
		(bytes.Contains(text, own) || len(text) > 10 && bytes.Contains(own, text))
}

// Last4 is the last four digits, less of a number too short to show any.
func (p PAN) Last4() string {
	if p.n < 8 {
		return ""
	}
	digits := p.plain()
	return string(digits[p.n-4 : p.n])
}

// Luhn tells whether the check digit is right.
func (p PAN) Luhn() bool {
	sum, double := 0, false
	for i := int(p.n) - 1; i >= 0; i-- {
		d := int(p.veiled[i] ^ veil - '0')
		if double {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum, double = sum+d, !double
	}
	return p.n > 1 && sum%10 == 0
}

// String is the masked number.
func (p PAN) String() string { return string(p.appendMasked(nil)) }

// GoString is the masked number.
func (p PAN) GoString() string { return p.String() }

// Format writes the masked number, whatever the verb.
func (p PAN) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// MarshalText is the masked number.
func (p PAN) MarshalText() ([]byte, error) { return p.appendMasked(nil), nil }

// MarshalJSON is the masked number.
func (p PAN) MarshalJSON() ([]byte, error) {
	return append(p.appendMasked([]byte{'"'}), '"'), nil
}

// LogValue is the masked number.
func (p PAN) LogValue() slog.Value { return slog.StringValue(p.String()) }

// appendMasked shows six and four digits of a number long enough that the rest protects it.
func (p PAN) appendMasked(dst []byte) []byte {
	first, last := 6, 4
	if p.n < 13 {
		first = 0
	}
	if p.n < 8 {
		last = 0
	}
	digits := p.plain()
	for i, c := range digits[:p.n] {
		if i >= first && i < int(p.n)-last {
			c = '*'
		}
		dst = append(dst, c)
	}
	return dst
}

package pinblock

import "cardswitch/spec"

// shortestPAN is the fewest digits of a card number, of ISO/IEC 7812: six for the issuer, one for
// the account, one to check. Without that floor a missing number would bind a PIN to nothing.
const shortestPAN = 8

// shortPAN is how many digits both kinds of PAN field have at least. A shorter number is filled up
// with zeros on the left.
const shortPAN = 12

// panField12 writes the PAN field of formats 0 and 3: two bytes of zero, then the twelve rightmost
// digits before the check digit.
func panField12(field []byte, pan spec.PAN) bool {
	var room [19]byte
	digits := pan.AppendReveal(room[:0])
	defer clear(room[:])
	clear(field)
	if len(digits) < shortestPAN {
		return false
	}
	digits = digits[:len(digits)-1]
	for i := range min(shortPAN, len(digits)) {
		setNibble(field, 15-i, digits[len(digits)-1-i]-'0')
	}
	return true
}

// panField4 writes the PAN field of format 4: a nibble with the number of digits beyond twelve, the
// whole number with its check digit, zeros.
func panField4(field []byte, pan spec.PAN) bool {
	var room [19]byte
	digits := pan.AppendReveal(room[:0])
	defer clear(room[:])
	clear(field)
	if len(digits) < shortestPAN {
		return false
	}
	setNibble(field, 0, byte(max(len(digits)-shortPAN, 0)))
	first := 1 + max(shortPAN-len(digits), 0)
	for i, c := range digits {
		setNibble(field, first+i, c-'0')
	}
	return true
}

// nibble is the half of a byte at place i of a field, the left one first.
func nibble(field []byte, i int) byte { return field[i/2] >> (4 * (1 - i%2)) & 0x0F }

// setNibble sets a nibble that was zero.
func setNibble(field []byte, i int, v byte) { field[i/2] |= v << (4 * (1 - i%2)) }

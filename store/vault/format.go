package vault

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cardswitch/spec"
)

// Token stands for a card number. It is no card data and may be shown.
type Token string

// Format is how new tokens look. The zero value is of no use; see Opaque and Preserving. A format
// may change at any time: tokens that are there stay as they are.
type Format struct {
	prefix   string // of an opaque token
	from, to uint64 // the range that digits begin with
	width    int    // its digits; 0: opaque
	keepLast bool
}

// opaqueLetters give 131 bits.
const opaqueLetters = 28

// Opaque tokens are a prefix and 28 lower-case letters. They have no digits but for the prefix's,
// so nobody takes them for a card.
func Opaque(prefix string) (Format, error) {
	if len(prefix) == 0 || len(prefix) > 8 {
		return Format{}, errors.New("the prefix of tokens has 1 to 8 characters")
	}
	for _, c := range []byte(prefix) {
		if c <= ' ' || c > '~' {
			return Format{}, errors.New("the prefix of tokens is of printable ASCII characters")
		}
	}
	return Format{prefix: prefix}, nil
}

// leastRoom is how many format-preserving tokens there must be for numbers of a length, and of the
// same last four digits if those are kept. Nine in ten of them have a wrong check digit.
const leastRoom = 100_000

// Preserving tokens are digits, as many as the card number has. They begin with a number of a range
// such as "990000" to "990999", which must be no issuer's, and never have a right check digit, so
// no card is ever taken for one, nor one for a card. On demand they keep the last four digits.
func Preserving(from, to string, keepLastFour bool) (Format, error) {
	if len(from) != len(to) || len(from) < 1 || len(from) > 9 {
		return Format{}, errors.New("the range of tokens is given by two numbers of 1 to 9 digits")
	}
	low, errLow := strconv.ParseUint(from, 10, 64)
	high, errHigh := strconv.ParseUint(to, 10, 64)
	if errLow != nil || errHigh != nil || low > high {
		return Format{}, fmt.Errorf("%q to %q is no range of tokens", from, to)
	}
	return Format{from: low, to: high, width: len(from), keepLast: keepLastFour}, nil
}

// unique tells that no token of this format is ever drawn twice: 2^131 is too many for that.
func (f Format) unique() bool { return f.width == 0 }

// Has tells whether a text looks like a token of this format.
func (f Format) Has(text string) bool {
	if f.width == 0 {
		rest, ok := strings.CutPrefix(text, f.prefix)
		return ok && f.prefix != "" && len(rest) == opaqueLetters &&
			strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz") == ""
	}
	pan, err := spec.ParsePAN(text)
	return err == nil && f.holds(pan) && !pan.Luhn()
}

// holds tells whether a number begins as tokens do, which no card's may.
func (f Format) holds(pan spec.PAN) bool {
	number, digits := pan.Number()
	if f.width == 0 || digits < f.width {
		return false
	}
	for range digits - f.width {
		number /= 10
	}
	return number >= f.from && number <= f.to
}

// fits tells whether there are tokens for a card number.
func (f Format) fits(pan spec.PAN) error {
	last := 0
	if f.keepLast {
		last = 4
	}
	switch {
	case f.width == 0 && f.prefix == "":
		return errors.New("no format of tokens was given")
	case f.width == 0:
		return nil
	case f.room(pan.Len()-last) < leastRoom:
		return ErrNoFit
	case f.holds(pan):
		return ErrIsToken
	}
	return nil
}

// room is how many numbers of some digits begin with one of the range.
func (f Format) room(digits int) uint64 {
	if digits < f.width {
		return 0
	}
	room := f.to - f.from + 1
	for range min(digits-f.width, 9) {
		room *= 10
	}
	return room
}

// draw makes a token. It takes nothing from the number but its length and, where that is wanted,
// its last four digits.
func (f Format) draw(pan spec.PAN) Token {
	if f.width == 0 {
		text := []byte(f.prefix)
		for range opaqueLetters {
			text = append(text, 'a'+byte(below(26)))
		}
		return Token(text)
	}
	last := ""
	if f.keepLast {
		last = pan.Last4()
	}
	for {
		text := fmt.Appendf(nil, "%0*d", f.width, f.from+below(f.to-f.from+1))
		for len(text) < pan.Len()-len(last) {
			text = append(text, '0'+byte(below(10)))
		}
		token := string(append(text, last...))
		// Nine in ten pass.
		if drawn, err := spec.ParsePAN(token); err == nil && !drawn.Luhn() {
			return Token(token)
		}
	}
}

// below is a random number from 0 to n-1, each as likely as any other.
func below(n uint64) uint64 {
	var b [8]byte
	for {
		rand.Read(b[:]) // never fails
		v := binary.LittleEndian.Uint64(b[:])
		if v < ^uint64(0)-^uint64(0)%n { // a whole number of times n
			return v % n
		}
	}
}

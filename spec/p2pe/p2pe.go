// Package p2pe reads and writes the element with card data that a terminal encrypted.
//
// ISO 8583:1993 has no place for such data, and partners agree on one: a private element, 127 where
// nothing else is said. This is its layout, for who makes terminals or a merchant's center.
//
// The element is a text (ans, LLLVAR): the bytes below in capital hexadecimal digits. Text passes
// every center on the way, whatever its character set.
//
//	byte    0    version: 1
//	byte    1    bytes of the key serial number: 10 of TDES DUKPT, 12 of AES DUKPT; 0: it is the
//	             one in element 53 (package keying)
//	from    2    the key serial number (KSN)
//	then         the card data, encrypted: whole blocks of 8 bytes (TDES) or 16 (AES)
//
// The data are encrypted under the terminal's data key for requests of this KSN (ANSI X9.24-1: data
// key, request; X9.24-3: usage 3000), in CBC mode with an initial value of zeros: the key serves
// once. In clear they are a text of items, in rising order, each at most once:
//
//	02  card number (PAN), 12 to 19 digits with their check digit
//	14  expiry, YYMM
//	35  track 2, as in element 35: without sentinels, with = or D between number and expiry
//	45  track 1, as in element 45
//
// An item is its number and its length, two digits each, then its characters. 02 or 35 must be
// there, and what is there twice must be the same. A byte 80 and then zeros fill the text up to
// whole blocks; there is always the 80 (ISO/IEC 9797-1 padding method 2). The example of a card
// number with its expiry, before it is filled up: 0216411111111111111114042912.
//
// Nothing but this text proves the key: whoever alters a bit of what is encrypted garbles a block
// of it. So everything that isn't exactly so is refused, as one fault.
package p2pe

import (
	"errors"
	"fmt"
	"io"

	"cardswitch/spec"
)

// Element is where the data are when nothing else is agreed.
const Element = 127

// Limits of what is read.
const (
	version = 1
	most    = 160 // bytes that are encrypted: all items at their longest
)

// ErrElement is an element that can't hold encrypted card data.
var ErrElement = errors.New("the element isn't encrypted card data as agreed: version 1, a KSN " +
	"of 0, 10 or 12 bytes, whole blocks, all in capital hexadecimal digits")

// ErrCard is data that were opened and are no card's: another key, or altered.
var ErrCard = errors.New("what was encrypted is no card data")

// Sealed is what the element holds. It refers to the buffer that it was read into.
type Sealed struct {
	KSN  []byte // none: see element 53
	Data []byte
}

// Parse reads the element's value into buffer, which needs half its length.
func Parse(value, buffer []byte) (Sealed, error) {
	n := len(value) / 2
	if len(value)%2 != 0 || n < 2 || n > 2+12+most || n > cap(buffer) {
		return Sealed{}, ErrElement
	}
	b := buffer[:n]
	for i := range b {
		high, ok := digit(value[2*i])
		low, also := digit(value[2*i+1])
		if !ok || !also {
			return Sealed{}, ErrElement
		}
		b[i] = high<<4 | low
	}
	size := int(b[1])
	if b[0] != version || size != 0 && size != 10 && size != 12 || len(b) < 2+size {
		return Sealed{}, ErrElement
	}
	s := Sealed{KSN: b[2 : 2+size : 2+size], Data: b[2+size:]}
	if len(s.Data) == 0 || len(s.Data)%8 != 0 {
		return Sealed{}, ErrElement
	}
	return s, nil
}

func digit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// Append appends the value of the element.
func (s *Sealed) Append(dst []byte) []byte {
	return fmt.Appendf(dst, "%02X%02X%X%X", version, len(s.KSN), s.KSN, s.Data)
}

// Card is card data in clear. Its texts refer to the buffer that was opened, which whoever opened
// it wipes. It prints as nothing.
type Card struct {
	PAN                    spec.PAN
	Expiry, Track1, Track2 []byte // elements 14, 45 and 35; nil: there is none
}

// String shows nothing.
func (c Card) String() string { return "(card data)" }

// GoString shows nothing.
func (c Card) GoString() string { return c.String() }

// Format shows nothing, whatever the verb.
func (c Card) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// Open reads what was decrypted.
func Open(plain []byte) (Card, error) {
	var c Card
	text, ok := unfilled(plain)
	for last := 0; ok && len(text) > 0; {
		var n int
		var value []byte
		if n, value, text, ok = item(text); ok {
			ok = n > last && c.take(n, value)
			last = n
		}
	}
	if !ok || !c.whole() {
		return Card{}, ErrCard
	}
	return c, nil
}

// unfilled takes the filling off.
func unfilled(plain []byte) ([]byte, bool) {
	end := len(plain) - 1
	for end >= 0 && plain[end] == 0 {
		end--
	}
	if end < 0 || plain[end] != 0x80 || len(plain)-end > 16 {
		return nil, false
	}
	return plain[:end], true
}

// item cuts the first one off.
func item(text []byte) (n int, value, rest []byte, ok bool) {
	if len(text) < 4 {
		return 0, nil, nil, false
	}
	var head [4]int
	for i := range head {
		head[i] = int(text[i]) - '0'
		if head[i] < 0 || head[i] > 9 {
			return 0, nil, nil, false
		}
	}
	size := 10*head[2] + head[3]
	if size > len(text)-4 {
		return 0, nil, nil, false
	}
	return 10*head[0] + head[1], text[4 : 4+size : 4+size], text[4+size:], true
}

func (c *Card) take(n int, value []byte) bool {
	switch n {
	case 2:
		pan, err := spec.ParsePAN(string(value))
		c.PAN = pan
		return err == nil && pan.Len() >= 12 && pan.Luhn()
	case 14:
		c.Expiry = value
		return isExpiry(value)
	case 35:
		c.Track2 = value
		return c.readTrack2()
	case 45:
		c.Track1 = value
		return c.readTrack1()
	}
	return false
}

func isExpiry(v []byte) bool {
	if len(v) != 4 || !digits(v) {
		return false
	}
	month := 10*(v[2]-'0') + v[3] - '0'
	return month >= 1 && month <= 12
}

func digits(v []byte) bool {
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// readTrack2 checks the track, and that it is of the same card.
func (c *Card) readTrack2() bool {
	t := c.Track2
	at := 0
	for at < len(t) && t[at] >= '0' && t[at] <= '9' {
		at++
	}
	if len(t) > 37 || at == len(t) || t[at] != '=' && t[at] != 'D' || !digits(t[at+1:]) {
		return false
	}
	return c.same(t[:at], t[at+1:])
}

// readTrack1 does the same: format B, number, name, expiry and what follows, between carets.
func (c *Card) readTrack1() bool {
	t := c.Track1
	if len(t) > 76 || len(t) < 2 || t[0] != 'B' {
		return false
	}
	var carets []int
	for i, b := range t {
		if b < ' ' || b > '~' {
			return false
		}
		if b == '^' {
			carets = append(carets, i)
		}
	}
	return len(carets) == 2 && c.same(t[1:carets[0]], t[carets[1]+1:])
}

// same tells whether a number and the expiry that begins a text are the card's, and takes them over
// if the card has none yet.
func (c *Card) same(number, behind []byte) bool {
	pan, err := spec.ParsePAN(string(number))
	if err != nil || pan.Len() < 12 || !pan.Luhn() || len(behind) < 4 {
		return false
	}
	if c.PAN.IsZero() {
		c.PAN = pan
	}
	if c.PAN != pan || !isExpiry(behind[:4]) {
		return false
	}
	if c.Expiry == nil {
		c.Expiry = behind[:4:4]
	}
	return string(c.Expiry) == string(behind[:4])
}

func (c *Card) whole() bool { return !c.PAN.IsZero() }

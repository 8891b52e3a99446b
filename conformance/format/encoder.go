package format

import (
	"errors"

	"golang.org/x/text/encoding/charmap"
)

// packing writes two digits a byte, as moov's BCD and LBCD do, and besides the separator of a
// track (nibble D) and other filling than 0, which those don't know.
type packing struct {
	right bool // the filling of an odd number stands at the right
	pad   byte
}

var errDigits = errors.New("failed to encode digits")

// Encode writes digits.
func (p packing) Encode(text []byte) ([]byte, error) {
	var nibbles []byte
	odd := len(text)%2 == 1
	if odd && !p.right {
		nibbles = append(nibbles, p.pad)
	}
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			nibbles = append(nibbles, c-'0')
		case c == '=' || c == 'D':
			nibbles = append(nibbles, 0xd)
		default:
			return nil, errDigits
		}
	}
	if odd && p.right {
		nibbles = append(nibbles, p.pad)
	}
	var out []byte
	for i := 0; i < len(nibbles); i += 2 {
		out = append(out, nibbles[i]<<4|nibbles[i+1])
	}
	return out, nil
}

// Decode reads so many digits.
func (p packing) Decode(wire []byte, length int) ([]byte, int, error) {
	size := (length + 1) / 2
	if length < 0 || size > len(wire) {
		return nil, 0, errDigits
	}
	var out []byte
	for _, b := range wire[:size] {
		for _, nibble := range []byte{b >> 4, b & 15} {
			switch {
			case nibble <= 9:
				out = append(out, '0'+nibble)
			case nibble == 0xd:
				out = append(out, '=')
			default:
				out = append(out, '?') // the filling, or nothing that a class allows
			}
		}
	}
	if length%2 == 1 && !p.right {
		return out[1:], size, nil
	}
	return out[:length], size, nil
}

// codePage writes text in a code page that moov doesn't have.
type codePage struct{ *charmap.Charmap }

var errCharacter = errors.New("a character that the code page doesn't have")

// Encode writes characters.
func (c codePage) Encode(text []byte) ([]byte, error) {
	out := make([]byte, len(text))
	for i, ch := range text {
		b, ok := c.EncodeRune(rune(ch))
		if !ok || ch > 0x7e {
			return nil, errCharacter
		}
		out[i] = b
	}
	return out, nil
}

// Decode reads so many characters.
func (c codePage) Decode(wire []byte, length int) ([]byte, int, error) {
	if length < 0 || length > len(wire) {
		return nil, 0, errCharacter
	}
	out := make([]byte, length)
	for i, b := range wire[:length] {
		r := c.DecodeByte(b)
		if r > 0x7e {
			r = 0 // no character that any class allows
		}
		out[i] = byte(r)
	}
	return out, length, nil
}

package dialect

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

var (
	errCharacter = errors.New("a character that cannot be written in this form")
	errShort     = errors.New("not enough data")
)

// packed is a moov encoder for two digits a byte, with a track's separator as the nibble D, and an
// odd number filled at the left or at the right. moov's BCD and LBCD know neither the separator
// nor another filling than 0.
type packed struct {
	right bool
	pad   byte
}

// parsePacked reads packed-left or packed-right, with the filling behind it if it is not 0.
func parsePacked(form string) (packed, error) {
	side, pad, ok := strings.Cut(strings.TrimPrefix(form, "packed-"), "-")
	if !ok {
		pad = "0"
	}
	nibble, err := strconv.ParseUint(pad, 16, 4)
	if !strings.HasPrefix(form, "packed-") || side != "left" && side != "right" || err != nil {
		return packed{}, fmt.Errorf("form %q is none of text, packed-left, packed-right, bytes, "+
			"hex; packed ones may end in the nibble they are filled with, such as -f", form)
	}
	return packed{side == "right", byte(nibble)}, nil
}

// Encode writes digits.
func (p packed) Encode(text []byte) ([]byte, error) {
	nibbles := make([]byte, 0, len(text)+1)
	if len(text)%2 == 1 && !p.right {
		nibbles = append(nibbles, p.pad)
	}
	for _, ch := range text {
		switch {
		case ch >= '0' && ch <= '9':
			nibbles = append(nibbles, ch-'0')
		case ch == '=' || ch == 'D':
			nibbles = append(nibbles, 0xD)
		default:
			return nil, errCharacter
		}
	}
	if len(nibbles)%2 == 1 {
		nibbles = append(nibbles, p.pad)
	}
	out := make([]byte, len(nibbles)/2)
	for i := range out {
		out[i] = nibbles[2*i]<<4 | nibbles[2*i+1]
	}
	return out, nil
}

// Decode reads so many digits.
func (p packed) Decode(data []byte, length int) ([]byte, int, error) {
	if length < 0 || (length+1)/2 > len(data) {
		return nil, 0, errShort
	}
	var out []byte
	for _, b := range data[:(length+1)/2] {
		out = append(out, b>>4, b&15)
	}
	if p.right {
		out = out[:length]
	} else {
		out = out[len(out)-length:]
	}
	for i, nibble := range out {
		switch {
		case nibble <= 9:
			out[i] = '0' + nibble
		case nibble == 0xD:
			out[i] = '='
		default:
			return nil, 0, errCharacter
		}
	}
	return out, (length + 1) / 2, nil
}

// signed is a moov encoder for x+n: C or D in a byte of its own, then packed digits.
type signed struct {
	digits packed
	text   *charset
}

// Encode writes the letter and the digits.
func (s signed) Encode(text []byte) ([]byte, error) {
	if len(text) < 2 || text[0] != 'C' && text[0] != 'D' {
		return nil, errCharacter
	}
	letter, err := s.text.encoder().Encode(text[:1])
	if err != nil {
		return nil, err
	}
	digits, err := s.digits.Encode(text[1:])
	return append(letter, digits...), err
}

// Decode reads the letter and the digits, so many characters together.
func (s signed) Decode(data []byte, length int) ([]byte, int, error) {
	if length < 2 || len(data) == 0 {
		return nil, 0, errShort
	}
	letter, _, err := s.text.encoder().Decode(data[:1], 1)
	if err != nil {
		return nil, 0, err
	}
	digits, read, err := s.digits.Decode(data[1:], length-1)
	return append(letter, digits...), read + 1, err
}

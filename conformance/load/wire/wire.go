// Package wire finds, patches and answers the messages of a load test by code of its own.
//
// Why its own: a load generator or issuer that spoke through the switch's codec would share its
// bugs, and one that spoke through moov would be the limit of every measurement. It knows one
// format only, the strict 1993 table in ASCII with a binary bitmap behind a two-byte length, and
// trusts its peers no further than its own memory safety asks.
package wire

import "math/bits"

// HeaderLength is the size of the length in front of each message.
const HeaderLength = 2

// bodyStart is where the elements begin: after the MTI and the first bitmap.
const bodyStart = 12

// Message is one scanned message. It is reusable and keeps referring to the bytes it was given.
type Message struct {
	Raw    []byte
	Bitmap [2]uint64
	start  [129]uint16
	data   [129]uint16
	end    [129]uint16
}

// Scan notes where each element lies and says whether the message can be walked to its last byte.
func (m *Message) Scan(raw []byte) bool {
	if len(raw) < bodyStart || len(raw) > 0xffff {
		return false
	}
	m.Raw = raw
	m.Bitmap[0] = beUint64(raw[4:])
	m.Bitmap[1] = 0
	at := bodyStart
	if m.Bitmap[0]>>63 == 1 {
		if len(raw) < at+8 {
			return false
		}
		m.Bitmap[1] = beUint64(raw[at:])
		at += 8
	}
	m.Bitmap[0] &^= 1 << 63
	for word, left := range m.Bitmap {
		for left != 0 {
			zeros := bits.LeadingZeros64(left)
			left &^= 1 << (63 - zeros)
			if at = m.element(word*64+zeros+1, at); at < 0 {
				return false
			}
		}
	}
	return at == len(raw)
}

// element notes one element that starts at the offset and returns where the next one starts, or -1.
func (m *Message) element(n, at int) int {
	shape := shapes[n]
	length := int(shape.length)
	m.start[n] = uint16(at)
	if at+int(shape.prefix) > len(m.Raw) {
		return -1
	}
	if shape.prefix > 0 {
		length = 0
		for _, c := range m.Raw[at : at+int(shape.prefix)] {
			if c < '0' || c > '9' {
				return -1
			}
			length = length*10 + int(c-'0')
		}
		at += int(shape.prefix)
	}
	m.data[n] = uint16(at)
	at += length
	if length > int(shape.length) || at > len(m.Raw) {
		return -1
	}
	m.end[n] = uint16(at)
	return at
}

// Has says whether the element is in the message.
func (m *Message) Has(n int) bool {
	return m.Bitmap[(n-1)>>6]>>(63-(n-1)&63)&1 == 1
}

// Data is the element without its length prefix, nil if it is absent.
func (m *Message) Data(n int) []byte {
	if !m.Has(n) {
		return nil
	}
	return m.Raw[m.data[n]:m.end[n]]
}

// Offset is where the data of an element that is present begins in Raw.
func (m *Message) Offset(n int) int { return int(m.data[n]) }

// MTI is the message type as a number of four decimal digits, 1200 for a financial request.
func (m *Message) MTI() int {
	return int(Number(m.Raw[:4]))
}

// Number reads decimal digits.
func Number(digits []byte) uint64 {
	var v uint64
	for _, c := range digits {
		v = v*10 + uint64(c-'0')
	}
	return v
}

// PutNumber writes a number over all of dst, filled with zeros on the left.
func PutNumber(dst []byte, v uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
}

// Next cuts the first whole message out of what a socket gave. A nil message means more must be
// read.
func Next(buffered []byte) (message, rest []byte) {
	if len(buffered) < HeaderLength {
		return nil, buffered
	}
	length := int(buffered[0])<<8 | int(buffered[1])
	if len(buffered) < HeaderLength+length {
		return nil, buffered
	}
	return buffered[HeaderLength : HeaderLength+length], buffered[HeaderLength+length:]
}

func beUint64(b []byte) uint64 {
	_ = b[7]
	return uint64(b[0])<<56 | uint64(b[1])<<48 | uint64(b[2])<<40 | uint64(b[3])<<32 |
		uint64(b[4])<<24 | uint64(b[5])<<16 | uint64(b[6])<<8 | uint64(b[7])
}

func putUint64(b []byte, v uint64) {
	_ = b[7]
	for i := range 8 {
		b[i] = byte(v >> (56 - 8*i))
	}
}

package spec

import (
	"encoding/binary"
)

// search looks for the digits of one card number. Messages are so full of digits that bytes.Index
// stumbles at every step; this one looks at four bytes in every few only, one of which each
// occurrence must cover.
type search struct {
	text   needle    // the digits 0 to 9 in a byte each
	packed [2]needle // whole bytes of packed digits, the first from a high nibble or a low one
	length int       // digits
}

// needle is what is looked for, and which hashes its parts of four bytes have.
type needle struct {
	bytes  [19]byte
	length int
	hashes uint64
	others uint64
}

// shortestPAN is the number of digits from which an occurrence of them is no coincidence.
const shortestPAN = 10

// prepare tells whether it makes sense to look for the number. One of zeros is blank already.
func (s *search) prepare(pan *PAN) bool {
	zeros := true
	for i, c := range pan.veiled[:pan.n] {
		s.text.bytes[i] = c ^ veil - '0'
		zeros = zeros && s.text.bytes[i] == 0
	}
	if pan.n < shortestPAN || zeros {
		return false
	}
	s.length = int(pan.n)
	s.text.length = s.length
	s.text.hash()
	for first := range s.packed {
		p := &s.packed[first]
		p.length = (s.length - first) / 2
		for i := range p.length {
			p.bytes[i] = s.text.bytes[first+2*i]<<4 | s.text.bytes[first+2*i+1]
		}
		p.hash()
	}
	return true
}

func (n *needle) hash() {
	for i := range n.length - 3 {
		h := hashOf(binary.LittleEndian.Uint32(n.bytes[i:]))
		n.hashes |= 1 << (h & 63)
		n.others |= 1 << (h >> 6 & 63)
	}
}

func hashOf(v uint32) uint32 { return v * 0x9E3779B1 >> 20 }

// find is the next place, from a place on, that looks like the needle's; -1 if there is none. Where
// zero is not 0, it stands for the digit 0, the next byte for 1.
func (n *needle) find(value []byte, from int, zero byte) int {
	stride, zeros := n.length-3, uint32(zero)*(ones&0xFFFFFFFF)
	for at := from + stride - 1; at+4 <= len(value); at += stride {
		h := hashOf(binary.LittleEndian.Uint32(value[at:]) ^ zeros)
		if n.hashes>>(h&63)&(n.others>>(h>>6&63))&1 == 0 {
			continue
		}
		for i := max(at-stride+1, from); i <= at && i+n.length <= len(value); i++ {
			if n.stands(value[i:], zero) {
				return i
			}
		}
	}
	return -1
}

func (n *needle) stands(value []byte, zero byte) bool {
	for i, c := range n.bytes[:n.length] {
		if value[i]^zero != c {
			return false
		}
	}
	return true
}

// inBytes tells whether the digits stand there in any form.
func (s *search) inBytes(value []byte) bool {
	if s.text.find(value, 0, '0') >= 0 || s.text.find(value, 0, 0xF0) >= 0 {
		return true
	}
	for first := range s.packed {
		p := &s.packed[first]
		for at := p.find(value, 0, 0); at >= 0; at = p.find(value, at+1, 0) {
			if s.standsPacked(value, 2*at-first) {
				return true
			}
		}
	}
	return false
}

// covers tells whether the whole text is a stretch of the card number.
func (s *search) covers(text []byte, zero byte) bool {
	for from := 0; from+len(text) <= s.length; from++ {
		i := 0
		for i < len(text) && text[i]^zero == s.text.bytes[from+i] {
			i++
		}
		if i == len(text) {
			return true
		}
	}
	return false
}

// blankText blanks the digits where they stand as the bytes zero to zero+9.
func (s *search) blankText(value []byte, zero byte) (changed bool) {
	for at := s.text.find(value, 0, zero); at >= 0; at = s.text.find(value, at, zero) {
		overwrite(value[at:at+s.length], zero)
		changed = true
	}
	return changed
}

// blankPacked blanks the digits where they stand two a byte, from a high nibble or a low one.
func (s *search) blankPacked(value []byte) (changed bool) {
	for first := range s.packed {
		p := &s.packed[first]
		for at := p.find(value, 0, 0); at >= 0; at = p.find(value, at+1, 0) {
			if begin := 2*at - first; s.standsPacked(value, begin) {
				clearNibbles(value, begin, begin+s.length)
				changed = true
			}
		}
	}
	return changed
}

// standsPacked tells whether the digits stand in value from nibble begin on.
func (s *search) standsPacked(value []byte, begin int) bool {
	if begin < 0 || begin+s.length > 2*len(value) {
		return false
	}
	for i, digit := range s.text.bytes[:s.length] {
		if nibbleAt(value, begin+i) != digit {
			return false
		}
	}
	return true
}

func nibbleAt(value []byte, i int) byte { return value[i/2] >> (4 &^ (i << 2)) & 15 }

func clearNibbles(value []byte, begin, end int) {
	for i := begin; i < end; i++ {
		value[i/2] &= 0xF0 >> (4 &^ (i << 2))
	}
}

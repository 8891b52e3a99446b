package spec

import "encoding/binary"

// check is the kind of test that tells whether a value is made of what its class allows.
type check uint8

const (
	checkNothing   check = iota // bytes
	checkDigits                 // digits in text
	checkPrintable              // ASCII 20 to 7E
	checkTable                  // whatever the charset's table says
	checkAmount                 // C or D, then digits, in text
	checkPacked                 // packed digits
	checkTrack                  // packed digits and the separator
	checkSigned                 // C or D, then packed digits
	checkHex
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// valid tells whether the data of an element is what its class allows. Eight bytes are tested at
// a time where that is possible.
func (l *layout) valid(data []byte, characters int) bool {
	switch l.check {
	case checkNothing:
		return true
	case checkDigits:
		return digits(data, l.text.zero)
	case checkPrintable:
		return printable(data)
	case checkTable:
		return l.text.allows(data, l.class)
	case checkAmount:
		return l.signs(data[0]) && digits(data[1:], l.text.zero)
	case checkPacked:
		data, ok := l.withoutPad(data, characters)
		return ok && packed(data)
	case checkTrack:
		data, ok := l.withoutPad(data, characters)
		return ok && packedTrack(data)
	case checkSigned:
		digits, ok := l.withoutPad(data[1:], characters-1)
		return ok && l.signs(data[0]) && packed(digits)
	case checkHex:
		return l.text.hex(data)
	}
	return false
}

// digits tests for the bytes zero to zero+9, where zero is a multiple of 16. What is left behind
// the last eight bytes is tested together with some that were tested already.
func digits(data []byte, zero byte) bool {
	zeros, n := ones*uint64(zero), len(data)
	var bad uint64
	switch {
	case n >= 8:
		bad = notDigits(binary.LittleEndian.Uint64(data[n-8:]) ^ zeros)
		for ; len(data) >= 16; data = data[16:] {
			bad |= notDigits(binary.LittleEndian.Uint64(data)^zeros) |
				notDigits(binary.LittleEndian.Uint64(data[8:])^zeros)
		}
		if len(data) >= 8 {
			bad |= notDigits(binary.LittleEndian.Uint64(data) ^ zeros)
		}
	case n >= 4:
		head, tail := binary.LittleEndian.Uint32(data), binary.LittleEndian.Uint32(data[n-4:])
		bad = notDigits((uint64(head) | uint64(tail)<<32) ^ zeros)
	default:
		for _, c := range data {
			if c-zero > 9 {
				return false
			}
		}
	}
	return bad&highs == 0
}

// notDigits has the high bit of a byte set if it is more than 9, or one behind such a byte.
func notDigits(v uint64) uint64 { return v | (v + 0x76*ones) }

// printable tests for the bytes 20 to 7E.
func printable(data []byte) bool {
	n := len(data)
	if n < 8 {
		for _, c := range data {
			if c-0x20 > 0x7E-0x20 {
				return false
			}
		}
		return true
	}
	bad := notPrintable(binary.LittleEndian.Uint64(data[n-8:]))
	for ; len(data) >= 16; data = data[16:] {
		bad |= notPrintable(binary.LittleEndian.Uint64(data)) |
			notPrintable(binary.LittleEndian.Uint64(data[8:]))
	}
	if len(data) >= 8 {
		bad |= notPrintable(binary.LittleEndian.Uint64(data))
	}
	return bad&highs == 0
}

func notPrintable(v uint64) uint64 { return v | (v + ones) | ^(v + 0x60*ones) }

// packed tests for bytes whose nibbles are both 0 to 9.
func packed(data []byte) bool {
	var bad uint64
	for len(data) >= 8 {
		v := binary.LittleEndian.Uint64(data)
		low, high := v&(15*ones), v>>4&(15*ones)
		bad |= (low + 6*ones) | (high + 6*ones)
		data = data[8:]
	}
	for _, c := range data {
		bad |= uint64(c&15+6) | uint64(c>>4+6)
	}
	return bad&(0x10*ones) == 0
}

// allows tests every byte by the table.
func (c *charset) allows(data []byte, class Class) bool {
	all := ^uint16(0)
	for _, b := range data {
		all &= c.class[b]
	}
	return all>>class&1 != 0
}

func (l *layout) signs(c byte) bool { return c == l.text.wire['C'] || c == l.text.wire['D'] }

// withoutPad tests the byte that an odd number of digits shares with the nibble that fills it, and
// leaves the whole bytes. Were any nibble allowed, one value could be written in several ways.
func (l *layout) withoutPad(data []byte, characters int) ([]byte, bool) {
	if characters&1 == 0 {
		return data, true
	}
	if l.padRight {
		last := len(data) - 1
		c := data[last]
		return data[:last], c&15 == l.pad && c>>4 <= 9
	}
	c := data[0]
	return data[1:], c>>4 == l.pad && c&15 <= 9
}

// packedTrack is packed, with the nibble D, a track's separator, allowed as well.
func packedTrack(data []byte) bool {
	for _, c := range data {
		if low, high := c&15, c>>4; low > 9 && low != 0xD || high > 9 && high != 0xD {
			return false
		}
	}
	return true
}

func (c *charset) hex(data []byte) bool {
	for _, b := range data {
		if unhex[c.canonical[b]] > 15 {
			return false
		}
	}
	return true
}

// unhex is the value of a hexadecimal digit of either case, 0xFF for what is none.
var unhex = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xFF
	}
	for i := range byte(16) {
		t["0123456789ABCDEF"[i]] = i
		t["0123456789abcdef"[i]] = i
	}
	return t
}()

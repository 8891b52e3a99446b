package spec

// charset is how characters stand on the wire, one byte each.
type charset struct {
	canonical [256]byte   // wire byte to ASCII (or JIS X 0201), 0 if it stands for nothing
	wire      [256]byte   // the way back
	class     [256]uint16 // wire byte to the classes that allow it, bit 1<<Class
	zero      byte        // wire byte of '0'; the other digits follow it
	ascii     bool        // wire bytes are the canonical ones
	katakana  bool        // half-width katakana, canonical bytes A1 to DF, count as ans
}

// newCharset builds a charset from its canonical table. Wire bytes that are not to be used are 0
// there; where two have the same meaning, wire names the one to be written.
func newCharset(canonical [256]byte, katakana bool) *charset {
	c := &charset{canonical: canonical, katakana: katakana, ascii: true}
	for b, ch := range canonical {
		if c.class[b] = classesOf(ch, katakana); c.class[b] == 0 {
			c.canonical[b] = 0
			continue
		}
		c.wire[ch] = byte(b)
		c.ascii = c.ascii && byte(b) == ch
	}
	c.zero = c.wire['0']
	return c
}

// sound tells whether every printable character has a byte, and the digits are a row that begins
// at a multiple of 16, which the indexer's arithmetic relies on.
func (c *charset) sound() bool {
	for d := range byte(10) {
		if c.wire['0'+d] != c.zero+d || c.zero&15 != 0 || c.zero == 0 {
			return false
		}
	}
	for ch := byte('A'); ch <= 'Z'; ch++ {
		if c.wire[ch] == 0 {
			return false
		}
	}
	return c.wire[' '] != 0 && c.wire['='] != 0
}

// classesOf is the set of classes that allow the canonical character.
func classesOf(ch byte, katakana bool) uint16 {
	var s uint16
	digit, letter := ch-'0' <= 9, ch|0x20 >= 'a' && ch|0x20 <= 'z' && ch < 0x80
	printable := ch >= ' ' && ch <= '~' || katakana && ch >= 0xA1 && ch <= 0xDF
	add := func(is bool, c Class) {
		if is {
			s |= 1 << c
		}
	}
	add(digit, ClassN)
	add(letter, ClassA)
	add(digit || letter, ClassAN)
	add(digit || letter || ch == ' ', ClassANP)
	add(printable, ClassANS)
	add(printable && !letter && ch < 0x80, ClassNS)
	add(digit || ch == '=' || ch == 'D', ClassZ)
	return s
}

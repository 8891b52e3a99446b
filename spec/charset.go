package spec

import "errors"

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
	for ch := byte(' '); ch <= '~'; ch++ {
		c.ascii = c.ascii && c.wire[ch] == ch
	}
	c.zero = c.wire['0']
	return c
}

// ascii is the charset that most centers use.
var ascii = func() *charset {
	var identity [256]byte
	for b := range identity {
		identity[b] = byte(b)
	}
	return newCharset(identity, false)
}()

// fault tells what an element cannot do without: the digits in a row that begins at a multiple of
// 16, which the indexer's arithmetic relies on, the letters, the space and the separator. A
// charset that is not ASCII has half-width katakana only if it is of the 290 family, where ア is
// 81: others would turn it into Latin letters without a word.
func (c *charset) fault() error {
	for d := range byte(10) {
		if c.wire['0'+d] != c.zero+d || c.zero&15 != 0 || c.zero == 0 {
			return errors.New("its encoding does not have the digits in a row")
		}
	}
	for _, ch := range []byte(" =ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		if c.wire[ch] == 0 {
			return errors.New("its encoding does not have every capital letter, space and =")
		}
	}
	if c.katakana && !c.ascii && c.wire[0xB1] != 0x81 {
		return errors.New("its encoding has no half-width katakana; use cp290")
	}
	if c.katakana && c.wire[0xB1] == 0 {
		return errors.New("its encoding has no half-width katakana; encode it as Binary")
	}
	return nil
}

// read is text as its canonical characters.
func (c *charset) read(wire []byte) string {
	text := make([]byte, len(wire))
	for i, b := range wire {
		text[i] = c.canonical[b]
	}
	return string(text)
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

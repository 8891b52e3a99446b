package spec

// layout is how one element stands on the wire in one dialect.
type layout struct {
	text     *charset // of the characters, and of the digits of a text or hex value
	length   uint16   // in characters, or bytes of a binary element; the largest if variable
	size     uint16   // bytes on the wire of a fixed element, or of the length prefix
	prefix   uint8    // bytes of the length prefix; 0: fixed
	zero     uint8    // what a digit of a text prefix is counted from
	counting counting
	form     form
	class    Class
	check    check
	padRight bool  // an odd number of packed digits is filled at the right, not the left
	pad      uint8 // the nibble it is filled with
}

// form is how a value's characters become bytes.
type form uint8

const (
	formNone   form = iota // the dialect does not have the element
	formText               // a byte each
	formPacked             // two digits a byte
	formSigned             // C or D in a byte, then packed digits
	formBytes              // the bytes themselves
	formHex                // two hexadecimal digits a byte
)

// counting is how a length prefix is written.
type counting uint8

const (
	countText counting = iota
	countPacked
	countBinary
)

// sizeOf is the number of bytes that a value of so many characters takes on the wire.
func (l *layout) sizeOf(characters int) int {
	switch l.form {
	case formPacked:
		return (characters + 1) / 2
	case formSigned:
		return 1 + characters/2
	case formHex:
		return 2 * characters
	}
	return characters
}

// count reads a length prefix; -1 if it is not one.
func (l *layout) count(prefix []byte) int {
	n := 0
	switch l.counting {
	case countText:
		for _, c := range prefix {
			d := c - l.zero
			if d > 9 {
				return -1
			}
			n = n*10 + int(d)
		}
	case countPacked:
		for _, c := range prefix {
			if c&15 > 9 || c > 0x99 {
				return -1
			}
			n = n*100 + int(c>>4)*10 + int(c&15)
		}
	case countBinary:
		for _, c := range prefix {
			n = n<<8 | int(c)
		}
	}
	return n
}

// appendCount writes a length prefix.
func (l *layout) appendCount(dst []byte, n int) []byte {
	var b [8]byte
	for i := int(l.prefix) - 1; i >= 0; i-- {
		switch l.counting {
		case countText:
			b[i] = l.zero + byte(n%10)
			n /= 10
		case countPacked:
			b[i] = byte(n/10%10<<4 | n%10)
			n /= 100
		case countBinary:
			b[i] = byte(n)
			n >>= 8
		}
	}
	return append(dst, b[:l.prefix]...)
}

// characters is the number of characters of an element that has been indexed.
func (l *layout) characters(wire []byte) int {
	if l.prefix == 0 {
		return int(l.length)
	}
	return l.count(wire[:l.prefix])
}

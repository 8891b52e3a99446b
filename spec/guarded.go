package spec

// AppendGuarded appends the message as AppendSafe does, and blanks besides whatever looks like a
// card number in its texts: it is for a message that is never sent again, of which it isn't known
// whose card it may name. A network management message or a refused one has no element 2 that
// would say what to look for, and shows a card in a remark all the same.
func (m *Message) AppendGuarded(dst []byte) []byte {
	start := len(dst)
	dst = m.AppendSafe(dst)
	var image Message
	if len(dst) == start || !m.dialect.Index(&image, dst[start:]).OK() {
		return dst
	}
	for n := image.sound.Next(0); n != 0; n = image.sound.Next(n) {
		l := &m.dialect.elements[n]
		if l.class == ClassN || l.class == ClassB {
			continue // a card number has its own elements among these, which are blank
		}
		var scratch [1024]byte
		wire := image.wireOf(n)
		value := l.appendCanonical(scratch[:0], wire)
		if n == 48 && blankItemNumbers(value) || n != 48 && blankNumbers(value) {
			l.appendData(wire[l.prefix:l.prefix], value)
		}
	}
	return dst
}

// blankItemNumbers looks into the items of element 48, whose heads are digits as well.
func blankItemNumbers(value []byte) (changed bool) {
	items := ParseItems(value)
	for items.Next() {
		changed = blankNumbers(items.Value()) || changed
	}
	return !items.OK() && blankNumbers(value) || changed
}

const (
	leastCard = 13 // digits
	mostCard  = 19
)

// blankNumbers blanks the digits in a row that could be a card number with its check digit, and
// rows so long that one could stand anywhere in them.
func blankNumbers(value []byte) (changed bool) {
	for at := 0; at < len(value); at++ {
		end := at
		for end < len(value) && value[end]-'0' <= 9 {
			end++
		}
		row := value[at:end]
		if len(row) > mostCard || len(row) >= leastCard && checks(row) {
			overwrite(row, '0')
			changed = true
		}
		at = end
	}
	return changed
}

// checks tells whether the last digit is the right check digit of those before it.
func checks(digits []byte) bool {
	pan, err := ParsePAN(string(digits))
	return err == nil && pan.Luhn()
}

package spec

// appendCanonical appends the canonical value of an element that has been indexed.
func (l *layout) appendCanonical(dst, wire []byte) []byte {
	data := wire[l.prefix:]
	switch l.form {
	case formText:
		if l.text.ascii {
			return append(dst, data...)
		}
		for _, b := range data {
			dst = append(dst, l.text.canonical[b])
		}
		return dst
	case formPacked:
		return l.unpack(dst, data, l.characters(wire))
	case formSigned:
		dst = append(dst, l.text.canonical[data[0]])
		return l.unpack(dst, data[1:], l.characters(wire)-1)
	case formHex:
		for i := 0; i+1 < len(data); i += 2 {
			high, low := l.text.canonical[data[i]], l.text.canonical[data[i+1]]
			dst = append(dst, unhex[high]<<4|unhex[low])
		}
		return dst
	}
	return append(dst, data...)
}

// unpack appends so many packed digits; the nibble D is a track's separator.
func (l *layout) unpack(dst, data []byte, characters int) []byte {
	skip := 0
	if characters&1 == 1 && !l.padRight {
		skip = 1
	}
	for i := skip; i < skip+characters; i++ {
		nibble := nibbleAt(data, i)
		if nibble == 0xD {
			nibble = '=' - '0'
		}
		dst = append(dst, '0'+nibble)
	}
	return dst
}

// appendWire appends a canonical value as it stands on the wire, length prefix and all. It holds
// values to the same rules as the indexer, so that what it writes can be read.
func (l *layout) appendWire(dst, value []byte) ([]byte, FaultKind) {
	n := len(value)
	switch {
	case l.form == formNone:
		return dst, FaultUnknown
	case n == 0 || n > int(l.length) || l.prefix == 0 && n != int(l.length):
		return dst, FaultLength
	case !l.writable(value):
		return dst, FaultClass
	}
	return l.appendData(l.appendCount(dst, n), value), FaultNone
}

// appendData appends a canonical value that has been tested, without its length prefix.
func (l *layout) appendData(dst, value []byte) []byte {
	switch l.form {
	case formText:
		if l.text.ascii {
			return append(dst, value...)
		}
		for _, ch := range value {
			dst = append(dst, l.text.wire[ch])
		}
	case formPacked:
		dst = l.pack(dst, value)
	case formSigned:
		dst = l.pack(append(dst, l.text.wire[value[0]]), value[1:])
	case formBytes:
		dst = append(dst, value...)
	case formHex:
		for _, b := range value {
			dst = append(dst, l.text.wire[hexDigits[b>>4]], l.text.wire[hexDigits[b&15]])
		}
	}
	return dst
}

const hexDigits = "0123456789ABCDEF"

// writable tells whether a canonical value is what the class allows and the charset can write.
func (l *layout) writable(value []byte) bool {
	switch l.class {
	case ClassB:
		return true
	case ClassN:
		return digits(value, '0')
	case ClassXN:
		return (value[0] == 'C' || value[0] == 'D') && digits(value[1:], '0')
	}
	all := ^uint16(0)
	for _, ch := range value {
		all &= l.text.class[l.text.wire[ch]]
	}
	if all>>l.class&1 == 0 {
		return false
	}
	return l.form != formPacked || len(value)&1 == 0 || l.padLeaves(value)
}

// padLeaves tells whether the digit that shares its byte with the nibble that fills an odd number
// of them is a digit: a separator could not be told from the filling there.
func (l *layout) padLeaves(value []byte) bool {
	if l.padRight {
		return value[len(value)-1] <= '9'
	}
	return value[0] <= '9'
}

// pack appends digits two a byte, and a track's separator as the nibble D.
func (l *layout) pack(dst, value []byte) []byte {
	if len(value)&1 == 1 && !l.padRight {
		dst = append(dst, l.pad<<4|nibbleOf(value[0]))
		value = value[1:]
	}
	for ; len(value) >= 2; value = value[2:] {
		dst = append(dst, nibbleOf(value[0])<<4|nibbleOf(value[1]))
	}
	if len(value) == 1 {
		dst = append(dst, nibbleOf(value[0])<<4|l.pad)
	}
	return dst
}

func nibbleOf(ch byte) byte {
	if ch > '9' {
		return 0xD
	}
	return ch & 15
}

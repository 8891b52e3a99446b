package spec

// CutTLV cuts the first BER-TLV object off data, as ICC data in element 55 has them. Zero bytes
// before it are filling and skipped. The value is a part of data; a constructed one holds further
// objects. ok is false at the end of data, and where it is not BER-TLV: then rest is what is left.
func CutTLV(data []byte) (tag uint32, value, rest []byte, ok bool) {
	for len(data) > 0 && data[0] == 0 {
		data = data[1:]
	}
	tag, at := tagOf(data)
	length, width := lengthOf(data[at:])
	at += width
	if at == 0 || width == 0 || length > len(data)-at {
		return 0, nil, data, false
	}
	return tag, data[at : at+length : at+length], data[at+length:], true
}

// ConstructedTLV tells whether the value of the tag holds further objects.
func ConstructedTLV(tag uint32) bool {
	for tag > 0xFF {
		tag >>= 8
	}
	return tag&0x20 != 0
}

// tagOf reads a tag of at most four bytes; its width is 0 if there is none.
func tagOf(data []byte) (tag uint32, width int) {
	for width < len(data) && width < 4 {
		c := data[width]
		tag, width = tag<<8|uint32(c), width+1
		if width == 1 && c&0x1F != 0x1F || width > 1 && c&0x80 == 0 {
			return tag, width
		}
	}
	return 0, 0
}

// lengthOf reads a length of at most two bytes behind its first; its width is 0 if there is none.
func lengthOf(data []byte) (length, width int) {
	switch {
	case len(data) >= 1 && data[0] < 0x80:
		return int(data[0]), 1
	case len(data) >= 2 && data[0] == 0x81:
		return int(data[1]), 2
	case len(data) >= 3 && data[0] == 0x82:
		return int(data[1])<<8 | int(data[2]), 3
	}
	return 0, 0
}

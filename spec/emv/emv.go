// Package emv reads what a chip card and a terminal tell each other, element 55.
//
// It's a row of BER-TLV objects: a tag of one to four bytes, a length, a value; a constructed one
// holds further objects. Nothing here allocates but what is made for people to read.
package emv

// Cut cuts the first object off data. Zero bytes before it are filling and skipped. The value is a
// part of data. ok is false at the end of data, and where it isn't BER-TLV: then rest is what is
// left.
func Cut(data []byte) (tag uint32, value, rest []byte, ok bool) {
	for len(data) > 0 && data[0] == 0 {
		data = data[1:]
	}
	tag, at := tagOf(data)
	length, width := lengthOf(data[at:])
	at += width
	if at == width || width == 0 || length > len(data)-at {
		return 0, nil, data, false
	}
	return tag, data[at : at+length : at+length], data[at+length:], true
}

// Constructed tells whether the value of the tag holds further objects.
func Constructed(tag uint32) bool {
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

// maxDepth is how deep objects may lie in each other. EMV nests two or three levels.
const maxDepth = 8

// Objects walks through all objects, those inside of constructed ones too, in the order in which
// they stand:
//
//	objects := emv.Parse(data)
//	for objects.Next() {
//		… objects.Tag(), objects.Value() …
//	}
//	if !objects.OK() { … } // the rest isn't BER-TLV
type Objects struct {
	rest  [maxDepth][]byte // what is left on each level
	value []byte
	tag   uint32
	depth int // level of the object at hand
	next  int // level to go on with
	bad   bool
}

// Parse begins to walk through data.
func Parse(data []byte) Objects { return Objects{rest: [maxDepth][]byte{data}} }

// Next goes on to the next object; false at the end, or where what follows isn't one.
func (o *Objects) Next() bool {
	for !o.bad && o.next >= 0 {
		tag, value, rest, ok := Cut(o.rest[o.next])
		if !ok {
			o.bad = len(rest) > 0
			o.next--
			continue
		}
		o.tag, o.value, o.depth = tag, value, o.next
		o.rest[o.next] = rest
		if Constructed(tag) {
			if o.next+1 == maxDepth {
				o.bad = true
				return true
			}
			o.next++
			o.rest[o.next] = value
		}
		return true
	}
	return false
}

// OK tells that everything up to here was BER-TLV.
func (o *Objects) OK() bool { return !o.bad }

// Tag is the tag of the object at hand, as 0x9F26.
func (o *Objects) Tag() uint32 { return o.tag }

// Value is the value of the object at hand, a part of what Parse got.
func (o *Objects) Value() []byte { return o.value }

// Depth is how many objects the one at hand lies in.
func (o *Objects) Depth() int { return o.depth }

// Find gives the value of the first object with a tag, on whatever level; nil if there is none.
func Find(data []byte, tag uint32) []byte {
	objects := Parse(data)
	for objects.Next() {
		if objects.Tag() == tag {
			return objects.Value()
		}
	}
	return nil
}

// Sensitive tells whether a tag holds a card number, track data, a card verification value or a
// PIN, which may be neither shown nor kept.
func Sensitive(tag uint32) bool {
	switch tag {
	case 0x56, 0x57, 0x5A, 0x99, 0x9F1F, 0x9F20, 0x9F60, 0x9F61, 0x9F6B:
		return true
	}
	return false
}

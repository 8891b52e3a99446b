package spec

import "math/bits"

// step is what the quick walk must know of an element, in eight bytes, so that all that a message
// has lie in a few lines of cache.
type step struct {
	size    uint16 // bytes of an element of a fixed size
	most    uint16 // the most bytes of one with a length prefix
	reading reading
	zero    uint8 // what a digit of the prefix is counted from
	run     uint8 // the run of characters that the element may stand in, in Dialect.runs
}

// reading is how the quick walk finds the end of an element.
type reading uint8

const (
	readFixed  reading = iota // it has a fixed size
	readTwo                   // two digits of text count its bytes
	readThree                 // three digits of text do
	readLayout                // as the layout says: it is tested alone
)

// run is what neighbouring elements of the same characters have in common: they are tested as one,
// with the length prefixes between them, which are digits of the same text.
type run struct {
	check check
	class Class
	text  *charset
}

// mostRuns bounds the different runs of a dialect; elements of any more are tested alone.
const mostRuns = 16

// compileSteps makes the quick walk of the elements. An element that the dialect doesn't have is
// larger than any message.
func (d *Dialect) compileSteps() {
	used := 1 // the first is of bytes, of which any will do
	for n := range d.elements {
		l, s := &d.elements[n], &d.steps[n]
		*s = step{size: l.size, most: l.length, zero: l.zero, reading: l.readingOf()}
		if l.form == formNone {
			s.size = maxMessage
		}
		if s.reading == readLayout || l.form == formBytes || l.form == formNone {
			continue
		}
		r := run{l.check, l.class, l.text}
		at := 1
		for at < used && d.runs[at] != r {
			at++
		}
		if at == mostRuns {
			s.reading = readLayout
			continue
		}
		d.runs[at], s.run, used = r, uint8(at), max(used, at+1)
	}
}

func (l *layout) readingOf() reading {
	text := l.form == formText && l.check != checkAmount
	even := l.form == formPacked && l.check == checkPacked && l.length&1 == 0
	switch {
	case l.prefix == 0 && (text || even || l.form == formBytes || l.form == formNone):
		return readFixed
	case l.counting != countText || l.form != formText && l.form != formBytes ||
		text && l.zero != l.text.zero || l.check == checkAmount:
		return readLayout
	case l.prefix == 2:
		return readTwo
	case l.prefix == 3:
		return readThree
	}
	return readLayout
}

// accept is the quick walk: it notes where the elements begin, and is true only of a message with
// no fault. Which fault a message has is left to walk.
func (d *Dialect) accept(m *Message, present Bitmap, pos int) bool {
	raw, at, from := m.raw, uint8(0), pos
	for half, word := range present {
		for word != 0 {
			top := bits.Len64(word)
			word &^= 1 << ((top - 1) & 63)
			n := half<<6 + 65 - top
			s := &d.steps[n]
			if s.run != at {
				if !d.runs[at%mostRuns].allow(raw[from:pos]) {
					return false
				}
				at, from = s.run, pos
			}
			m.offsets[n] = uint16(pos)
			if s.reading == readFixed {
				pos += int(s.size)
			} else {
				size := d.counted(s, n, raw[pos:])
				if size == 0 {
					return false
				}
				pos += size
			}
			if pos > len(raw) {
				return false
			}
		}
	}
	m.offsets[0] = uint16(pos)
	m.wire, m.sound = present, present
	return pos == len(raw) && d.runs[at%mostRuns].allow(raw[from:pos])
}

// counted is how many bytes of rest element n takes with its length prefix; 0 if it has a fault.
func (d *Dialect) counted(s *step, n int, rest []byte) int {
	var size, prefix int
	switch {
	case s.reading == readTwo && len(rest) >= 2:
		tens, units := rest[0]-s.zero, rest[1]-s.zero
		if tens > 9 || units > 9 {
			return 0
		}
		size, prefix = int(tens)*10+int(units), 2
	case s.reading == readThree && len(rest) >= 3:
		hundreds, tens, units := rest[0]-s.zero, rest[1]-s.zero, rest[2]-s.zero
		if hundreds > 9 || tens > 9 || units > 9 {
			return 0
		}
		size, prefix = int(hundreds)*100+int(tens)*10+int(units), 3
	default:
		return d.elements[n].alone(rest)
	}
	if uint(size-1) >= uint(s.most) {
		return 0
	}
	return prefix + size
}

// alone is how many bytes of rest an element takes that is tested by itself; 0 if it has a fault.
func (l *layout) alone(rest []byte) int {
	prefix, characters, size := int(l.prefix), int(l.length), int(l.size)
	if len(rest) < prefix {
		return 0
	}
	if prefix != 0 {
		characters = l.count(rest[:prefix])
		size = prefix + l.sizeOf(characters)
	}
	if uint(characters-1) >= uint(l.length) || size > len(rest) ||
		!l.valid(rest[prefix:size], characters) {
		return 0
	}
	return size
}

// allow tells whether data is made of nothing but characters of the run.
func (r *run) allow(data []byte) bool {
	switch r.check {
	case checkNothing:
		return true
	case checkDigits:
		return digits(data, r.text.zero)
	case checkPrintable:
		return printable(data)
	case checkPacked:
		return packed(data)
	}
	return r.text.allows(data, r.class)
}

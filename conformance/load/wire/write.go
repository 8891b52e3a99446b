package wire

import (
	"fmt"
	"math/bits"
)

// Element is a value for Build: text as it stands between the prefix and the next element.
type Element struct {
	Number int
	Value  string
}

// Build makes one framed message; the elements come in rising order. It is for templates and the
// few messages that aren't counted in millions.
func Build(mti string, elements ...Element) ([]byte, error) {
	var bitmap [2]uint64
	var body []byte
	last := 1
	for _, e := range elements {
		if e.Number <= last || e.Number > 128 {
			return nil, fmt.Errorf("build %s: element %d after %d", mti, e.Number, last)
		}
		last = e.Number
		bitmap[(e.Number-1)>>6] |= 1 << (63 - (e.Number-1)&63)
		prefix, length := Shape(e.Number)
		if len(e.Value) > length || prefix == 0 && len(e.Value) != length {
			return nil, fmt.Errorf("build %s: element %d has %d characters, the table says %d",
				mti, e.Number, len(e.Value), length)
		}
		if prefix > 0 {
			body = fmt.Appendf(body, "%0*d", prefix, len(e.Value))
		}
		body = append(body, e.Value...)
	}
	frame := appendHead(make([]byte, HeaderLength), mti, bitmap)
	frame = append(frame, body...)
	putLength(frame)
	return frame, nil
}

// Echo is what one kind of response copies from its request, as the presence matrix has it.
type Echo struct {
	mti    string
	keep   [2]uint64
	action string
}

// NewEcho prepares responses of one type with one action code.
func NewEcho(mti, action string, elements ...int) Echo {
	e := Echo{mti: mti, action: action}
	for _, n := range elements {
		e.keep[(n-1)>>6] |= 1 << (63 - (n-1)&63)
	}
	return e
}

// AppendAnswer appends the framed response to a scanned request: kept elements byte for byte,
// between them DE 38 if an approval code is given, and DE 39.
func (e *Echo) AppendAnswer(dst []byte, m *Message, approval []byte) []byte {
	begin := len(dst)
	bitmap := [2]uint64{m.Bitmap[0] & e.keep[0], m.Bitmap[1] & e.keep[1]}
	kept := bitmap
	bitmap[0] |= 1 << (64 - 39)
	if approval != nil {
		bitmap[0] |= 1 << (64 - 38)
	}
	dst = appendHead(append(dst, 0, 0), e.mti, bitmap)
	const before = ^uint64(1<<(64-37) - 1) // elements 1 to 37
	dst = m.appendElements(dst, kept[0]&before, 0)
	dst = append(dst, approval...)
	dst = append(dst, e.action...)
	dst = m.appendElements(dst, kept[0]&^before, 0)
	dst = m.appendElements(dst, kept[1], 64)
	putLength(dst[begin:])
	return dst
}

// appendElements copies the elements of one bitmap word; neighbours go in one piece.
func (m *Message) appendElements(dst []byte, word uint64, base int) []byte {
	from, to := uint16(0), uint16(0)
	for word != 0 {
		zeros := bits.LeadingZeros64(word)
		word &^= 1 << (63 - zeros)
		n := base + zeros + 1
		if m.start[n] != to {
			dst = append(dst, m.Raw[from:to]...)
			from = m.start[n]
		}
		to = m.end[n]
	}
	return append(dst, m.Raw[from:to]...)
}

func appendHead(dst []byte, mti string, bitmap [2]uint64) []byte {
	var words [16]byte
	size := 8
	if bitmap[1] != 0 {
		bitmap[0] |= 1 << 63
		size = 16
	}
	putUint64(words[:8], bitmap[0])
	putUint64(words[8:], bitmap[1])
	return append(append(dst, mti...), words[:size]...)
}

func putLength(frame []byte) {
	length := len(frame) - HeaderLength
	frame[0], frame[1] = byte(length>>8), byte(length)
}

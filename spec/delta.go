package spec

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// A delta is a version byte, the MTI in two, a bit for each element of the base (1: it is the
// same here) in whole bytes, and each element that is not the same, in order: its number in a byte,
// and the element as on the wire.
const deltaVersion = 1

var errDelta = errors.New("a message kept as a change is damaged, or its base is another message")

// AppendDelta appends what m changes against base, blanked as AppendKept does it, with the cuts.
// base and m are as they were received; an element that is the same in both costs one bit, even if
// they are of different dialects. Of messages with a fault only what is sound counts.
func AppendDelta(dst, cuts []byte, base, m *Message) (delta, cut []byte) {
	start, c := len(dst), cutter{cuts: cuts, keep: true}
	dst = append(dst, deltaVersion, byte(m.mti>>8), byte(m.mti))
	shared := base.sound.And(m.sound)
	if own := m.PAN(); !own.IsZero() && !(shared.Has(2) && equal(base, m, 2)) && own != base.PAN() {
		// The base was kept without regard to this number, which may stand in what is the same.
		shared = Bitmap{}
	}
	same, bits, used := Bitmap{}, byte(0), 0
	for n := base.sound.Next(0); n != 0; n = base.sound.Next(n) {
		bits <<= 1
		if shared.Has(n) && equal(base, m, n) {
			same.Set(n)
			bits |= 1
		}
		if used++; used&7 == 0 {
			dst, bits = append(dst, bits), 0
		}
	}
	if used&7 != 0 {
		dst = append(dst, bits<<(8-used&7))
	}
	var found search
	var card *search
	other := m.sound.AndNot(same)
	if m.hasRoom(other) {
		card = found.of(base, m)
	}
	for n := other.Next(0); n != 0; n = other.Next(n) {
		dst = m.appendBlanked(append(dst, byte(n)), n, card, start, &c)
	}
	return dst, c.cuts
}

// hasRoom tells whether the digits of any card number, or a stretch of them, may stand in one of
// the elements.
func (m *Message) hasRoom(elements Bitmap) bool {
	if !elements.And(reference).IsZero() {
		return true
	}
	for n := elements.Next(0); n != 0; n = elements.Next(n) {
		if m.dialect.elements[n].room(m.wireOf(n)) >= shortestPAN {
			return true
		}
	}
	return false
}

// of prepares the search for the card number of m, or else of what it changes; nil: there is none.
func (s *search) of(base, m *Message) *search {
	pan := m.PAN()
	if pan.IsZero() {
		pan = base.PAN()
	}
	if !s.prepare(&pan) {
		return nil
	}
	return s
}

// equal tells whether element n of base, written in m's dialect, is what m has.
func equal(base, m *Message, n int) bool {
	if base.dialect.elements[n] == m.dialect.elements[n] {
		return bytes.Equal(base.wireOf(n), m.wireOf(n))
	}
	var scratch [1024]byte
	wire, kind := m.dialect.appendTranslated(scratch[:0], base, n)
	return kind == FaultNone && bytes.Equal(wire, m.wireOf(n))
}

// appendBlanked appends element n as it may be kept, to a delta that begins at start.
func (m *Message) appendBlanked(dst []byte, n int, card *search, start int, c *cutter) []byte {
	l, begin := &m.dialect.elements[n], len(dst)
	dst = append(dst, m.wireOf(n)...)
	text := c.texts(m.dialect).Has(n)
	if sensitive.Has(n) {
		text = l.blank(dst[begin:], blankingOf(n), nil) && text
	}
	l.hide(dst[begin:], n, card, text, begin-start, c)
	return dst
}

// ApplyDelta appends the image that AppendDelta saw as m, as it may be kept. base is the kept image
// of what was the base then, d the dialect of m.
func ApplyDelta(dst []byte, base *Message, d *Dialect, delta []byte) ([]byte, error) {
	p, err := readDelta(base, d, delta)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	out := p.same.Or(p.other)
	dst = d.appendHead(dst, p.mti, out)
	rest := p.rest
	for n := out.Next(0); n != 0; n = out.Next(n) {
		if p.other.Has(n) {
			size := d.elements[n].wireSize(rest[1:])
			dst, rest = append(dst, rest[1:1+size]...), rest[1+size:]
			continue
		}
		var kind FaultKind
		if dst, kind = d.appendTranslated(dst, base, n); kind != FaultNone {
			return dst[:start], errDelta
		}
	}
	return dst, nil
}

// parsedDelta is a delta that has been found whole.
type parsedDelta struct {
	mti         MTI
	same, other Bitmap
	rest        []byte // the elements of other
}

func readDelta(base *Message, d *Dialect, delta []byte) (p parsedDelta, err error) {
	bits := (base.sound.Count() + 7) / 8
	if len(delta) < 3+bits || delta[0] != deltaVersion {
		return p, errDelta
	}
	if p.mti = MTI(binary.BigEndian.Uint16(delta[1:])); p.mti.Version() != 1 {
		return p, errDelta
	}
	i := 0
	for n := base.sound.Next(0); n != 0; n = base.sound.Next(n) {
		if delta[3+i/8]<<(i&7)&0x80 != 0 {
			p.same.Set(n)
		}
		i++
	}
	p.rest = delta[3+bits:]
	last := 1
	for rest := p.rest; len(rest) != 0; {
		n := int(rest[0])
		if n <= last || !d.known.Has(n) || p.same.Has(n) {
			return p, errDelta
		}
		size := d.elements[n].wireSize(rest[1:])
		if size < 0 {
			return p, errDelta
		}
		p.other.Set(n)
		last, rest = n, rest[1+size:]
	}
	if !p.same.AndNot(d.known).IsZero() {
		return p, errDelta
	}
	return p, nil
}

// wireSize is the size of the element that wire begins with, -1 if there is none.
func (l *layout) wireSize(wire []byte) int {
	size, prefix := int(l.size), int(l.prefix)
	if prefix != 0 {
		if prefix > len(wire) {
			return -1
		}
		characters := l.count(wire[:prefix])
		if characters < 1 || characters > int(l.length) {
			return -1
		}
		size = prefix + l.sizeOf(characters)
	}
	if size > len(wire) {
		return -1
	}
	return size
}

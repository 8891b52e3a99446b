package spec

import (
	"encoding/binary"
	"math/bits"
)

// Index reads where each element of raw begins and tests that all is as the format asks: the
// version, the bitmap, elements that the dialect has, lengths, characters, and no byte too many.
// It returns the first fault. The MTI and the elements that are sound can be read even then, so
// that an answer can name the fault. m refers to raw from here on.
func (d *Dialect) Index(m *Message, raw []byte) Fault {
	present, pos, fault := d.open(m, raw)
	if !fault.OK() {
		return fault
	}
	if !d.accept(m, present, pos) {
		fault = d.walk(m, present, pos)
	}
	m.broken = !fault.OK()
	return fault
}

// open reads the MTI and the bitmap of raw, and where the elements begin.
func (d *Dialect) open(m *Message, raw []byte) (present Bitmap, pos int, fault Fault) {
	m.raw, m.dialect, m.broken = raw, d, true
	m.mti, m.wire, m.sound, m.offsets[0] = 0, Bitmap{}, Bitmap{}, 0
	if len(raw) > maxMessage {
		return present, 0, Fault{0, FaultLength}
	}
	pos = int(d.mti.size)
	if len(raw) < pos {
		return present, 0, Fault{0, FaultShort}
	}
	if m.mti = d.readMTI(raw[:pos]); m.mti == 0 {
		return present, 0, Fault{0, FaultMTI}
	}
	present, size, kind := d.readBitmap(raw[pos:])
	if kind != FaultNone {
		return present, 0, Fault{1, kind}
	}
	return present, pos + size, Fault{}
}

// maxMessage is what the offsets of a Message can count.
const maxMessage = 0xFFFF

// walk notes where the elements begin, and which fault comes first. After a wrong character it goes
// on, since it still knows where it is; after a wrong length it cannot.
func (d *Dialect) walk(m *Message, present Bitmap, pos int) (fault Fault) {
	raw, wrong := m.raw, Bitmap{}
	for half, word := range present {
		for word != 0 {
			bit := bits.LeadingZeros64(word)
			word &^= 1 << 63 >> bit
			n := half<<6 + bit + 1
			l := &d.elements[n]
			prefix, characters, size := int(l.prefix), int(l.length), int(l.size)
			if prefix != 0 && pos+prefix <= len(raw) {
				characters = l.count(raw[pos : pos+prefix])
				size = prefix + l.sizeOf(characters)
			}
			end := pos + size
			if uint(characters-1) >= uint(l.length) || end > len(raw) {
				m.stop(present, n, pos, wrong)
				return first(fault, Fault{uint8(n), l.broken(characters)})
			}
			m.offsets[n] = uint16(pos)
			if !l.valid(raw[pos+prefix:end], characters) {
				wrong.Set(n)
				fault = first(fault, Fault{uint8(n), FaultClass})
			}
			pos = end
		}
	}
	m.offsets[0] = uint16(pos)
	m.wire, m.sound = present, present.AndNot(wrong)
	if pos != len(raw) {
		fault = first(fault, Fault{0, FaultTrailing})
	}
	return fault
}

// broken tells why an element of so many characters cannot be walked over.
func (l *layout) broken(characters int) FaultKind {
	switch {
	case l.form == formNone:
		return FaultUnknown
	case characters <= 0 || characters > int(l.length):
		return FaultLength
	}
	return FaultShort
}

// stop ends the walk before element n.
func (m *Message) stop(present Bitmap, n, pos int, wrong Bitmap) {
	m.offsets[0] = uint16(pos)
	m.wire = present.And(below(n))
	m.sound = m.wire.AndNot(wrong)
}

func first(f, later Fault) Fault {
	if f.OK() {
		return later
	}
	return f
}

// readMTI is 0 if there is none, or not one of the 1993 edition.
func (d *Dialect) readMTI(raw []byte) MTI {
	var m MTI
	if d.mti.form == formPacked {
		if packed(raw) {
			m = MTI(binary.BigEndian.Uint16(raw))
		}
	} else if digits(raw, d.mti.text.zero) {
		v := binary.BigEndian.Uint32(raw)
		m = MTI(v>>12&0xF000 | v>>8&0xF00 | v>>4&0xF0 | v&0xF)
	}
	if m.Version() != 1 {
		return 0
	}
	return m
}

// readBitmap reads one or two bitmaps. A second one that is announced has something to say:
// otherwise one message could be written in two ways.
func (d *Dialect) readBitmap(raw []byte) (b Bitmap, size int, kind FaultKind) {
	for half := range b {
		var ok bool
		b[half], ok = d.readWord(raw[min(size, len(raw)):])
		size += int(d.bitmap.size)
		if size > len(raw) {
			return b, size, FaultShort
		}
		if !ok {
			return b, size, FaultBitmap
		}
		if b[0]&topBit(0) == 0 {
			return b, size, FaultNone
		}
	}
	b.Clear(1)
	if b[1] == 0 {
		return b, size, FaultBitmap
	}
	return b, size, FaultNone
}

func (d *Dialect) readWord(raw []byte) (w uint64, ok bool) {
	if len(raw) < int(d.bitmap.size) {
		return 0, false
	}
	if d.bitmap.form == formBytes {
		return binary.BigEndian.Uint64(raw), true
	}
	for _, c := range raw[:16] {
		v := unhex[d.bitmap.text.canonical[c]]
		if v > 15 {
			return 0, false
		}
		w = w<<4 | uint64(v)
	}
	return w, true
}

// appendHead appends the MTI and the bitmap.
func (d *Dialect) appendHead(dst []byte, mti MTI, b Bitmap) []byte {
	if d.mti.form == formPacked {
		dst = append(dst, byte(mti>>8), byte(mti))
	} else {
		for _, c := range mti.digits() {
			dst = append(dst, d.mti.text.wire[c])
		}
	}
	if b[1] == 0 {
		return d.appendWord(dst, b[0]&^topBit(0))
	}
	return d.appendWord(d.appendWord(dst, b[0]|topBit(0)), b[1])
}

func (d *Dialect) appendWord(dst []byte, w uint64) []byte {
	if d.bitmap.form == formBytes {
		return binary.BigEndian.AppendUint64(dst, w)
	}
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, d.bitmap.text.wire[hexDigits[w>>shift&15]])
	}
	return dst
}

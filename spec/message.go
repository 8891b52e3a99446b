package spec

// Message is a received message that was indexed in place: where each element begins, and nothing
// else. It refers to the bytes it was indexed from and is good for as long as they are. It may be
// indexed again and again, copied, and kept in arrays.
type Message struct {
	raw     []byte
	dialect *Dialect
	wire    Bitmap // elements whose place is known
	sound   Bitmap // those of them whose content is as its format asks
	mti     MTI
	broken  bool
	offsets [129]uint16 // where each element begins; [0] is where the last one ends
}

// MTI is the message type.
func (m *Message) MTI() MTI { return m.mti }

// Raw is the message as it came.
func (m *Message) Raw() []byte { return m.raw }

// CopyTo makes to the same message over raw, a copy of its bytes: what was read of them need not be
// read again.
func (m *Message) CopyTo(to *Message, raw []byte) {
	*to = *m
	to.raw = raw
}

// Dialect is the wire format it was indexed with.
func (m *Message) Dialect() *Dialect { return m.dialect }

// Elements is the set of elements that the message has; the bitmap itself, element 1, is not one.
// Of a message with a fault these are the ones that are sound, so that an answer can name it.
func (m *Message) Elements() Bitmap { return m.sound }

// Has tells whether element n is there.
func (m *Message) Has(n int) bool { return m.sound.Has(n) }

// Wire is element n as on the wire, length prefix and all; nil if absent.
func (m *Message) Wire(n int) []byte {
	if !m.sound.Has(n) {
		return nil
	}
	return m.wireOf(n)
}

// Head is the MTI, for 0, or the bitmap, for 1, as on the wire; nil if the message was broken
// there.
func (m *Message) Head(n int) []byte {
	if m.mti == 0 || m.dialect == nil {
		return nil
	}
	first, from := int(m.offsets[m.wire.Next(0)]), int(m.dialect.mti.size)
	switch {
	case n == 0:
		return m.raw[:from:from]
	case n == 1 && first > from:
		return m.raw[from:first:first]
	}
	return nil
}

// Data is element n as on the wire, without its length prefix; nil if absent.
func (m *Message) Data(n int) []byte {
	if !m.sound.Has(n) {
		return nil
	}
	return m.wireOf(n)[m.dialect.elements[n].prefix:]
}

func (m *Message) wireOf(n int) []byte {
	begin, end := m.offsets[n], m.offsets[m.wire.Next(n)]
	return m.raw[begin:end:end]
}

// Append appends the canonical value of element n: ASCII characters, whatever the wire format, and
// bytes for a binary element. Zeros and spaces that fill a fixed length are part of the value.
func (m *Message) Append(dst []byte, n int) []byte {
	if !m.sound.Has(n) {
		return dst
	}
	return m.dialect.elements[n].appendCanonical(dst, m.wireOf(n))
}

// Number is the value of a numeric element of at most 19 digits.
func (m *Message) Number(n int) (v uint64, ok bool) {
	if !m.sound.Has(n) {
		return 0, false
	}
	l := &m.dialect.elements[n]
	wire := m.wireOf(n)
	if l.form != formText || len(wire)-int(l.prefix) > 19 {
		return numberOf(l, wire)
	}
	for _, c := range wire[l.prefix:] {
		digit := c - l.text.zero
		if digit > 9 {
			return numberOf(l, wire)
		}
		v = v*10 + uint64(digit)
	}
	return v, true
}

// numberOf is Number by way of the canonical value, for everything but digits in text.
func numberOf(l *layout, wire []byte) (v uint64, ok bool) {
	if l.class == ClassB || l.characters(wire) > 19 {
		return 0, false
	}
	var scratch [20]byte
	for _, c := range l.appendCanonical(scratch[:0], wire) {
		if c-'0' > 9 {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return v, true
}

// PAN is the card number: of element 2, else 34, else of track 2; zero if none of them has one.
func (m *Message) PAN() PAN {
	if m.sound.Has(2) {
		return m.panOf(2)
	}
	if m.sound.Has(34) {
		return m.panOf(34)
	}
	if m.sound.Has(35) {
		return m.panOf(35)
	}
	return PAN{}
}

// panOf reads the leading digits of element n, which in a track end at the separator.
func (m *Message) panOf(n int) PAN {
	l := &m.dialect.elements[n]
	var scratch [128]byte
	var p PAN
	wire := m.wireOf(n)
	digits, zero := wire[l.prefix:], l.text.zero
	if l.form != formText {
		digits, zero = l.appendCanonical(scratch[:0], wire), '0'
	}
	for _, c := range digits {
		c -= zero
		if c > 9 {
			break
		}
		if int(p.n) == len(p.veiled) {
			return PAN{}
		}
		p.veiled[p.n] = c + '0' ^ veil
		p.n++
	}
	return p
}

// ActionCode is element 39, or -1 if it is absent.
func (m *Message) ActionCode() int {
	v, ok := m.Number(39)
	if !ok {
		return -1
	}
	return int(v)
}

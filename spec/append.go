package spec

// Append appends m, changed as e says, as a message of d. If m is of the same dialect, elements
// that e does not touch are copied byte for byte; else each is translated. m may be nil, for a
// message that is wholly from e, and e may be nil, for no change. After a fault, which names the
// element that d cannot write, dst is as it was.
func (d *Dialect) Append(dst []byte, m *Message, e *Edit) ([]byte, Fault) {
	var (
		mti       MTI
		from, set Bitmap
	)
	if m != nil {
		mti, from = m.mti, m.sound
	}
	if e != nil {
		if e.mti != 0 {
			mti = e.mti
		}
		if e.narrow {
			from = from.And(e.keep)
		}
		set = e.set
		from = from.AndNot(set)
	}
	if mti.Version() != 1 {
		return dst, Fault{0, FaultMTI}
	}
	start := len(dst)
	dst = d.appendHead(dst, mti, from.Or(set))
	var fault Fault
	if m == nil || d.Same(m.dialect) {
		dst, fault = d.splice(dst, m, e, from, set)
	} else {
		dst, fault = d.translate(dst, m, e, from, set)
	}
	if fault.OK() && len(dst)-start > maxMessage {
		fault = Fault{0, FaultLength}
	}
	if !fault.OK() {
		return dst[:start], fault
	}
	return dst, fault
}

// splice copies what m has in runs as long as they go, between the elements of e.
func (d *Dialect) splice(dst []byte, m *Message, e *Edit, from, set Bitmap) ([]byte, Fault) {
	out := from.Or(set)
	var ends Bitmap // what a run must not go over
	if m != nil {
		ends = m.wire.AndNot(from).Or(set)
	}
	for n := out.Next(0); n != 0; {
		if set.Has(n) {
			var kind FaultKind
			if dst, kind = e.appendWire(dst, n, &d.elements[n]); kind != FaultNone {
				return dst, Fault{uint8(n), kind}
			}
			n = out.Next(n)
			continue
		}
		end := ends.Next(n)
		if end == 0 {
			return append(dst, m.raw[m.offsets[n]:m.offsets[0]]...), Fault{}
		}
		dst = append(dst, m.raw[m.offsets[n]:m.offsets[m.wire.Next(end-1)]]...)
		n = out.Next(end - 1)
	}
	return dst, Fault{}
}

// translate writes every element anew.
func (d *Dialect) translate(dst []byte, m *Message, e *Edit, from, set Bitmap) ([]byte, Fault) {
	out := from.Or(set)
	for n := out.Next(0); n != 0; n = out.Next(n) {
		var kind FaultKind
		if set.Has(n) {
			dst, kind = e.appendWire(dst, n, &d.elements[n])
		} else {
			dst, kind = d.appendTranslated(dst, m, n)
		}
		if kind != FaultNone {
			return dst, Fault{uint8(n), kind}
		}
	}
	return dst, Fault{}
}

// appendTranslated appends element n of m as it stands in d.
func (d *Dialect) appendTranslated(dst []byte, m *Message, n int) ([]byte, FaultKind) {
	from, to, wire := &m.dialect.elements[n], &d.elements[n], m.wireOf(n)
	if *from == *to {
		return append(dst, wire...), FaultNone
	}
	var scratch [1024]byte
	return to.appendWire(dst, from.appendCanonical(scratch[:0], wire))
}

// appendWire appends what was set for element n. A number is filled with zeros to a fixed length.
func (e *Edit) appendWire(dst []byte, n int, l *layout) ([]byte, FaultKind) {
	value := e.value(n)
	missing := int(l.length) - len(value)
	if !e.numbers.Has(n) || l.prefix != 0 || missing <= 0 {
		return l.appendWire(dst, value)
	}
	const zeros = "00000000000000000000000000000000"
	var filled [2 * len(zeros)]byte
	if missing > len(zeros) {
		return dst, FaultLength
	}
	return l.appendWire(dst, append(append(filled[:0], zeros[:missing]...), value...))
}

// AppendElement appends element n alone, as it stands on the wire with its length prefix, with a
// canonical value.
func (d *Dialect) AppendElement(dst []byte, n int, canonical []byte) ([]byte, Fault) {
	if n < 2 || n > 128 {
		return dst, Fault{0, FaultUnknown}
	}
	out, kind := d.elements[n].appendWire(dst, canonical)
	if kind != FaultNone {
		return dst, Fault{uint8(n), kind}
	}
	return out, Fault{}
}

// Fixed is how many characters, or bytes of a binary element, element n always has, and how many
// bytes they take on the wire; zeros if its length varies or the dialect doesn't have it.
func (d *Dialect) Fixed(n int) (length, size int) {
	if n < 2 || n > 128 || d.elements[n].form == formNone || d.elements[n].prefix != 0 {
		return 0, 0
	}
	return int(d.elements[n].length), int(d.elements[n].size)
}

package spec

// AppendDelta appends what e changes of base, as AppendDelta does it for the message that
// base's own dialect would write. It looks at nothing that e doesn't touch, so it costs little; but
// the values in e are the switch's own: they are not searched for base's card number.
func (e *Edit) AppendDelta(dst []byte, base *Message) []byte {
	mti := base.mti
	if e.mti != 0 {
		mti = e.mti
	}
	dst = append(dst, deltaVersion, byte(mti>>8), byte(mti))
	same := base.sound.AndNot(e.set)
	if e.narrow {
		same = same.And(e.keep)
	}
	bits, used := byte(0), 0
	for n := base.sound.Next(0); n != 0; n = base.sound.Next(n) {
		bits <<= 1
		if same.Has(n) {
			bits |= 1
		}
		if used++; used&7 == 0 {
			dst, bits = append(dst, bits), 0
		}
	}
	if used&7 != 0 {
		dst = append(dst, bits<<(8-used&7))
	}
	for n := e.set.Next(0); n != 0; n = e.set.Next(n) {
		l, begin := &base.dialect.elements[n], len(dst)+1
		dst, _ = e.appendWire(append(dst, byte(n)), n, l)
		if sensitive.Has(n) {
			l.blank(dst[begin:], blankingOf(n), nil)
		}
	}
	return dst
}

package spec

import (
	"bytes"

	"cardswitch/spec/emv"
)

// blanking is what is to be blanked in an element.
type blanking uint8

const (
	blankAll   blanking = iota
	blankItems          // the sensitive items of element 48
	blankTags           // the sensitive tags of element 55
	blankPAN            // wherever the digits of a card number stand
)

// blankingOf is what element n asks for, whatever the card number.
func blankingOf(n int) blanking {
	switch n {
	case 48:
		return blankItems
	case 55:
		return blankTags
	}
	return blankAll
}

// blank blanks an element in place. Where the wire is not the value itself, the value is blanked
// and written over it.
func (l *layout) blank(wire []byte, what blanking, pan *PAN) {
	if what == blankPAN && l.tooShort(wire, pan) {
		return
	}
	data := wire[l.prefix:]
	if l.form == formBytes || l.form == formText && l.text.ascii {
		blankValue(data, l.class, what, pan)
		return
	}
	var scratch [1024]byte
	value := l.appendCanonical(scratch[:0], wire)
	if blankValue(value, l.class, what, pan) {
		l.appendData(data[:0], value)
	}
}

// tooShort tells whether the element has no room for the digits, packed or not.
func (l *layout) tooShort(wire []byte, pan *PAN) bool {
	room := l.characters(wire)
	if l.class == ClassB {
		room *= 2
	}
	return room < int(pan.n)
}

// blankValue tells whether it changed anything.
func blankValue(value []byte, class Class, what blanking, pan *PAN) bool {
	switch {
	case what == blankItems:
		return blankSensitiveItems(value)
	case what == blankTags:
		return blankSensitiveTags(value)
	case what == blankPAN && class == ClassB:
		text := blankDigits(value, pan, '0')
		ebcdic := blankDigits(value, pan, 0xF0)
		packed := blankPacked(value, pan)
		return text || ebcdic || packed
	case what == blankPAN:
		return blankDigits(value, pan, '0')
	case class == ClassB:
		clear(value)
	case class == ClassA:
		overwrite(value, 'A')
	default:
		overwrite(value, '0')
	}
	return true
}

func overwrite(value []byte, c byte) {
	for i := range value {
		value[i] = c
	}
}

// blankDigits blanks the digits where they stand as the bytes zero to zero+9.
func blankDigits(value []byte, pan *PAN, zero byte) (changed bool) {
	var needle [19]byte
	for i, c := range pan.veiled[:pan.n] {
		needle[i] = zero + (c ^ veil - '0')
	}
	for {
		at := bytes.Index(value, needle[:pan.n])
		if at < 0 {
			return changed
		}
		overwrite(value[at:at+int(pan.n)], zero)
		value, changed = value[at+1:], true
	}
}

// blankPacked blanks the digits where they stand two a byte, from a high nibble or a low one.
func blankPacked(value []byte, pan *PAN) (changed bool) {
	digits := pan.plain()
	for first := range 2 {
		var needle [10]byte
		pairs := (int(pan.n) - first) / 2
		for i := range pairs {
			j := first + 2*i
			needle[i] = digits[j]<<4 | digits[j+1]&15
		}
		for at := 0; ; at++ {
			i := bytes.Index(value[at:], needle[:pairs])
			if i < 0 {
				break
			}
			at += i
			if begin := 2*at - first; pan.at(value, begin) {
				clearNibbles(value, begin, begin+int(pan.n))
				changed = true
			}
		}
	}
	return changed
}

// at tells whether the digits stand in value from nibble begin on.
func (p *PAN) at(value []byte, begin int) bool {
	if begin < 0 || begin+int(p.n) > 2*len(value) {
		return false
	}
	for i, c := range p.veiled[:p.n] {
		if nibbleAt(value, begin+i) != (c^veil)&15 {
			return false
		}
	}
	return true
}

func nibbleAt(value []byte, i int) byte { return value[i/2] >> (4 &^ (i << 2)) & 15 }

func clearNibbles(value []byte, begin, end int) {
	for i := begin; i < end; i++ {
		value[i/2] &= 0xF0 >> (4 &^ (i << 2))
	}
}

// blankSensitiveItems blanks what may not be kept of element 48. What follows behind a sound item
// and is none itself could hide anything, and goes as well.
func blankSensitiveItems(value []byte) (changed bool) {
	items := ParseItems(value)
	end := 0
	for items.Next() {
		if items.Tag().Sensitive() {
			overwrite(items.Value(), '0')
			changed = true
		}
		end = items.Offset() + len(items.Value())
	}
	if !items.OK() && end > 0 {
		overwrite(value[end:], '0')
		changed = true
	}
	return changed
}

// blankSensitiveTags blanks what may not be kept of element 55. What is not BER-TLV could hide
// anything, and goes as well.
func blankSensitiveTags(value []byte) (changed bool) {
	for len(value) > 0 {
		tag, content, rest, ok := emv.Cut(value)
		switch {
		case !ok:
			clear(rest)
			return changed || len(rest) > 0
		case emv.Sensitive(tag):
			clear(content)
			changed = true
		case emv.Constructed(tag):
			changed = blankSensitiveTags(content) || changed
		}
		value = rest
	}
	return changed
}

package spec

import (
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
// and written over it. numbers: an item of element 48 may hold the number of a card, see numbers.
func (l *layout) blank(wire []byte, what blanking, card *search) (numbers bool) {
	if what == blankPAN && l.tooShort(wire, card) {
		return false
	}
	data := wire[l.prefix:]
	if what == blankPAN && l.form == formText {
		card.blankText(data, l.text.zero)
		return false
	}
	if l.form == formBytes || l.form == formText && l.text.ascii {
		_, numbers = blankValue(data, l.class, what, card)
		return numbers
	}
	var scratch [1024]byte
	value := l.appendCanonical(scratch[:0], wire)
	changed, numbers := blankValue(value, l.class, what, card)
	if changed {
		l.appendData(data[:0], value)
	}
	return numbers
}

// tooShort tells whether the element has no room for the digits, packed or not.
func (l *layout) tooShort(wire []byte, card *search) bool { return l.room(wire) < card.length }

// room is how many digits can stand in the element, packed or not.
func (l *layout) room(wire []byte) int {
	if l.class == ClassB {
		return 2 * l.characters(wire)
	}
	return l.characters(wire)
}

// holds tells whether the digits of the card stand in the element.
func (l *layout) holds(wire []byte, card *search) bool {
	if l.tooShort(wire, card) {
		return false
	}
	data := wire[l.prefix:]
	if l.form == formText {
		return card.text.find(data, 0, l.text.zero) >= 0
	}
	if l.form == formBytes {
		return card.inBytes(data)
	}
	return l.holdsEncoded(wire, card)
}

func (l *layout) holdsEncoded(wire []byte, card *search) bool {
	var scratch [1024]byte
	value := l.appendCanonical(scratch[:0], wire)
	if l.class == ClassB {
		return card.inBytes(value)
	}
	return card.text.find(value, 0, '0') >= 0
}

// blankValue tells whether it changed anything, and whether an item may hold the number of a card.
func blankValue(value []byte, class Class, what blanking, card *search) (changed, numbers bool) {
	switch {
	case what == blankItems:
		return blankSensitiveItems(value)
	case what == blankTags:
		return blankSensitiveTags(value), false
	case what == blankPAN && class == ClassB:
		text := card.blankText(value, '0')
		ebcdic := card.blankText(value, 0xF0)
		packed := card.blankPacked(value)
		return text || ebcdic || packed, false
	case what == blankPAN:
		return card.blankText(value, '0'), false
	case class == ClassB:
		clear(value)
	case class == ClassA:
		overwrite(value, 'A')
	default:
		overwrite(value, '0')
	}
	return true, false
}

func overwrite(value []byte, c byte) {
	for i := range value {
		value[i] = c
	}
}

// blankSensitiveItems blanks what may not be kept of element 48. What follows behind a sound item
// and is none itself could hide anything, and goes as well.
func blankSensitiveItems(value []byte) (changed, numbers bool) {
	items := ParseItems(value)
	end := 0
	for items.Next() {
		if items.Tag().Sensitive() {
			overwrite(items.Value(), '0')
			changed = true
		} else {
			numbers = numbers || itemHoldsNumber(items.Tag(), items.Value())
		}
		end = items.Offset() + len(items.Value())
	}
	if !items.OK() && end > 0 {
		overwrite(value[end:], '0')
		return true, numbers
	}
	return changed, numbers || end == 0 && numbersIn(value, '0', false)
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

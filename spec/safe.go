package spec

import (
	"errors"
	"fmt"
)

// AppendKept appends the message as it may be kept: card numbers, tracks, PIN blocks and security
// codes are zeros of the same length, all else is as it came. The image is a message of the same
// dialect and has the same elements. Of a message with a fault it has those that are sound; if
// there was not even an MTI, nothing is appended.
//
// A card number is blanked wherever it stands: the message's own in any element, in any form; in
// texts also whatever else looks like one. What was blanked besides element 2, 34 and what may
// never be kept is appended to cuts, for PutBack: it must be kept as secret as the card number.
func (m *Message) AppendKept(dst, cuts []byte) (image, cut []byte) {
	c := cutter{cuts: cuts, keep: true}
	return m.appendKept(dst, &c), c.cuts
}

// AppendSafe is AppendKept for a message that is never sent again: nothing is to be put back.
func (m *Message) AppendSafe(dst []byte) []byte { return m.appendKept(dst, &cutter{}) }

func (m *Message) appendKept(dst []byte, c *cutter) []byte {
	if m.broken {
		return m.appendSound(dst, c)
	}
	start := len(dst)
	dst = append(dst, m.raw...)
	m.blank(dst[start:], m.PAN(), c)
	return dst
}

// appendSound makes a whole message of what is sound of a broken one.
func (m *Message) appendSound(dst []byte, c *cutter) []byte {
	if m.mti == 0 {
		return dst
	}
	image, fault := m.dialect.Append(nil, m, nil)
	if !fault.OK() {
		return dst
	}
	var whole Message
	if fault := m.dialect.Index(&whole, image); !fault.OK() {
		return dst
	}
	whole.blank(image, m.PAN(), c)
	return append(dst, image...)
}

// blank blanks image, a copy of m's bytes.
func (m *Message) blank(image []byte, pan PAN, c *cutter) {
	d := m.dialect
	hidden, texts := m.sound.And(sensitive), c.texts(d)
	for n := hidden.Next(0); n != 0; n = hidden.Next(n) {
		wire := image[m.offsets[n]:m.offsets[m.wire.Next(n)]]
		if !d.elements[n].blank(wire, blankingOf(n), nil) {
			texts.Clear(n)
		}
	}
	var card search
	var own Bitmap // where the message's own number may stand
	if card.prepare(&pan) {
		own = m.sound
		if card.text.find(image, 0, d.zero) < 0 {
			own = own.AndNot(d.plain).Or(reference.And(own))
		}
	}
	suspect := texts.And(m.sound).Or(own)
	for n := suspect.Next(0); n != 0; n = suspect.Next(n) {
		at, wanted := int(m.offsets[n]), &card
		if !own.Has(n) {
			wanted = nil
		}
		d.elements[n].hide(image[at:m.offsets[m.wire.Next(n)]], n, wanted, texts.Has(n), at, c)
	}
}

// sensitive are the elements that are blanked whatever they hold, in whole or in part.
var sensitive = neverKept.With(2, 34, 48, 55)

// reference is the retrieval reference number, which some terminals fill with a part of the card's.
var reference = Elements(37)

// neverKept are the elements that no journal may hold, not even encrypted: the tracks and the PIN.
var neverKept = Elements(35, 36, 45, 52)

// errNoPlace is that of a card number that does not fit the image it is given for.
var errNoPlace = errors.New("the message has no element 2 or 34 of the card number's length")

// RestorePAN appends a kept image as it can be sent: with the card number in its place again, and
// without the tracks, the PIN block and the items and tags that are blank: they can't be had back.
func (d *Dialect) RestorePAN(dst []byte, safe *Message, pan PAN) ([]byte, error) {
	var e Edit
	e.KeepOnly(safe.sound.AndNot(neverKept))
	e.strip(safe, 48, stripItems)
	e.strip(safe, 55, stripTags)
	return d.putPAN(dst, safe, pan, &e)
}

// PutPAN appends a kept image with the card number in its place again and every element of it,
// those that are blank too: the message that later changes are noted against (AppendDelta). It
// can't be sent.
func (d *Dialect) PutPAN(dst []byte, safe *Message, pan PAN) ([]byte, error) {
	var e Edit
	return d.putPAN(dst, safe, pan, &e)
}

func (d *Dialect) putPAN(dst []byte, safe *Message, pan PAN, e *Edit) ([]byte, error) {
	var scratch [64]byte
	digits := pan.plain()
	switch {
	case pan.IsZero():
	case safe.sound.Has(2):
		if d.elements[2].characters(safe.wireOf(2)) != pan.Len() {
			return dst, errNoPlace
		}
		e.Set(2, digits[:pan.n])
	case safe.sound.Has(34):
		value := safe.Append(scratch[:0], 34)
		if len(value) < pan.Len() {
			return dst, errNoPlace
		}
		copy(value, digits[:pan.n])
		e.Set(34, value)
	default:
		return dst, errNoPlace
	}
	out, fault := d.Append(dst, safe, e)
	if !fault.OK() {
		return dst, fmt.Errorf("the card number cannot be put back: %w", fault.Err())
	}
	return out, nil
}

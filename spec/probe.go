package spec

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
)

// setPrefix reads what a moov prefixer says of itself, such as ASCII.LL or BCD.Fixed.
func (l *layout) setPrefix(name string) error {
	kind, digits, _ := strings.Cut(name, ".")
	width := strings.Count(digits, "L")
	if kind == "None" || digits != "Fixed" && (width == 0 || width != len(digits)) {
		return fmt.Errorf("the length prefix %q is not supported", name)
	}
	if digits == "Fixed" {
		return nil
	}
	l.prefix = uint8(width)
	switch kind {
	case "ASCII":
		l.counting, l.zero = countText, '0'
	case "EBCDIC", "EBCDIC1047":
		l.counting, l.zero = countText, 0xF0
	case "BCD":
		l.counting, l.prefix = countPacked, uint8(width+1)/2
	case "Binary":
		l.counting = countBinary
	default:
		return fmt.Errorf("the length prefix %q is not supported", name)
	}
	most, base := 1, 10
	if l.counting == countBinary {
		base = 256
	}
	for range min(width, 4) {
		most *= base
	}
	if int(l.length) >= most {
		return fmt.Errorf("the length prefix %q does not count up to %d", name, l.length)
	}
	return nil
}

// encoderOf is the encoder of a field. The parts of a composite must share one, because the
// element is walked over as a whole.
func encoderOf(f field.Field) (encoding.Encoder, error) {
	composite, ok := f.(*field.Composite)
	if !ok {
		return f.Spec().Enc, nil
	}
	var shared encoding.Encoder
	for _, tag := range slices.Sorted(maps.Keys(composite.Spec().Subfields)) {
		part := composite.Spec().Subfields[tag]
		enc, err := encoderOf(part)
		if err != nil {
			return nil, err
		}
		if shared != nil && enc != shared {
			return nil, errors.New("its parts have different encodings; define it as one String")
		}
		if len(bytesOf(enc, "12")) == 1 && part.Spec().Length%2 != 0 {
			return nil, fmt.Errorf("part %s has an odd number of packed digits; define the "+
				"element as one String", tag)
		}
		shared = enc
	}
	return shared, nil
}

// probe learns from an encoder what it does with a value of the layout's class.
func (c *compiler) probe(l *layout, enc encoding.Encoder) error {
	if enc == nil {
		return errors.New("it has no encoding")
	}
	if l.class == ClassB {
		return c.probeBytes(l, enc)
	}
	switch {
	case l.class == ClassXN && len(bytesOf(enc, "C1234")) == 3:
		l.form = formSigned
		return c.probeSigned(l, enc)
	case len(bytesOf(enc, "1234")) == 4:
		l.form = formText
		return c.probeText(l, enc)
	case len(bytesOf(enc, "1234")) == 2:
		return c.probeDigits(l, enc)
	}
	return errors.New("its encoding is neither a byte a character nor two digits a byte")
}

// bytesOf is nil where the encoder refuses, or cannot read what it wrote.
func bytesOf(enc encoding.Encoder, s string) []byte {
	if enc == nil {
		return nil
	}
	out, err := enc.Encode([]byte(s))
	if err != nil {
		return nil
	}
	back, read, err := enc.Decode(out, len(s))
	if err != nil || read != len(out) || string(back) != s {
		return nil
	}
	return out
}

func (c *compiler) probeBytes(l *layout, enc encoding.Encoder) error {
	const sample = "\x00\x1F\xA5\xFF"
	switch out := bytesOf(enc, sample); {
	case string(out) == sample:
		l.form = formBytes
		return nil
	case string(out) == "001FA5FF":
		l.form, l.text = formHex, ascii
		return nil
	case len(out) == 8:
		l.form, l.text = formHex, c.charsetOf(out[0])
		if l.text != nil && l.text.read(out) == "001FA5FF" {
			return nil
		}
	}
	return errors.New("its encoding is neither bytes nor two hexadecimal digits a byte")
}

// probeText asks the encoder about every character.
func (c *compiler) probeText(l *layout, enc encoding.Encoder) error {
	var canonical [256]byte
	for b := range canonical {
		out, read, err := enc.Decode([]byte{byte(b)}, 1)
		if err != nil || read != 1 || len(out) != 1 {
			continue
		}
		if back, err := enc.Encode(out); err == nil && len(back) == 1 && back[0] == byte(b) {
			canonical[b] = out[0]
		}
	}
	text := newCharset(canonical, c.Katakana)
	if err := text.fault(); err != nil {
		return err
	}
	l.text = c.share(text)
	return nil
}

// share makes equal charsets one.
func (c *compiler) share(text *charset) *charset {
	if text.canonical == ascii.canonical && !text.katakana {
		text = ascii
	}
	for _, t := range c.text {
		if *t == *text {
			return t
		}
	}
	c.text = append(c.text, text)
	return text
}

// charsetOf is the charset of a character that stands beside packed digits or bytes: the ASCII one
// or, if the byte cannot be ASCII, that of the dialect's text.
func (c *compiler) charsetOf(b byte) *charset {
	if b < 0x80 {
		return ascii
	}
	for _, t := range c.text {
		if !t.ascii {
			return t
		}
	}
	return nil
}

// probePacked learns where an odd number of digits is filled, and with what.
func (l *layout) probePacked(even, odd []byte) error {
	switch {
	case string(even) != "\x12\x34" || len(odd) != 2:
	case odd[0]&15 == 1 && odd[1] == 0x23:
		l.pad = odd[0] >> 4
		return nil
	case odd[0] == 0x12 && odd[1]>>4 == 3:
		l.padRight, l.pad = true, odd[1]&15
		return nil
	}
	return errors.New("its encoding has two bytes for four digits, but not as packed digits")
}

func (c *compiler) probeDigits(l *layout, enc encoding.Encoder) error {
	l.form, l.text = formPacked, ascii // of the canonical digits
	switch l.class {
	case ClassZ:
		if string(bytesOf(enc, "1=23")) != "\x1D\x23" {
			return errors.New("its encoding packs digits, but not a track's separator as D")
		}
	case ClassXN:
		return errors.New("its encoding packs digits, but not the C or D in front of them")
	default:
		l.class = ClassN // whatever the table allows besides cannot be packed
	}
	return l.probePacked(bytesOf(enc, "1234"), bytesOf(enc, "123"))
}

func (c *compiler) probeSigned(l *layout, enc encoding.Encoder) error {
	even, odd := bytesOf(enc, "C1234"), bytesOf(enc, "C123")
	if l.text = c.charsetOf(even[0]); l.text == nil || l.text.wire['C'] != even[0] || odd == nil {
		return errors.New("its encoding writes C or D in no charset of this dialect")
	}
	return l.probePacked(even[1:], odd[1:])
}

package spec

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
)

// Definition is what a dialect is compiled from: a moov-io/iso8583 specification, and what that
// cannot say.
type Definition struct {
	Name     string
	Spec     *iso8583.MessageSpec
	Classes  map[int]Class // where they differ from the standard's table
	Katakana bool          // half-width katakana, JIS X 0201 bytes A1 to DF, belong to ans
}

// Compile makes a Dialect of a moov-io/iso8583 specification, with the character classes of the
// standard's table.
func Compile(name string, s *iso8583.MessageSpec) (*Dialect, error) {
	return Definition{Name: name, Spec: s}.Compile()
}

// Compile makes the Dialect. Its error names every element that cannot be had, and why.
func (def Definition) Compile() (*Dialect, error) {
	if def.Spec == nil {
		return nil, fmt.Errorf("dialect %s: there is no specification", def.Name)
	}
	if err := def.Spec.Validate(); err != nil {
		return nil, fmt.Errorf("dialect %s: %w", def.Name, err)
	}
	c := compiler{Definition: def, dialect: &Dialect{name: def.Name}}
	c.compile()
	if len(c.faults) != 0 {
		return nil, fmt.Errorf("dialect %s: %w", def.Name, errors.Join(c.faults...))
	}
	d := c.dialect
	d.source = d.describe(def.Katakana)
	sum := sha256.Sum256(d.source)
	d.fingerprint = [8]byte(sum[:])
	return d, nil
}

type compiler struct {
	Definition
	dialect *Dialect
	text    []*charset // those met so far
	faults  []error
}

func (c *compiler) compile() {
	d := c.dialect
	c.findText()
	d.mti = c.layout(0, c.Spec.Fields[0], ClassN)
	if d.mti.form != formNone && (d.mti.length != 4 || d.mti.prefix != 0) {
		c.refuse(0, "the message type indicator has four digits and no length prefix")
	}
	d.bitmap = c.layoutOfBitmap(c.Spec.Fields[1].(*field.Bitmap).Spec())
	for n := 2; n <= 128; n++ {
		f, ok := c.Spec.Fields[n]
		if !ok {
			continue
		}
		class, ok := c.Classes[n]
		if !ok {
			class = classOf(n, f)
		}
		d.elements[n] = c.layout(n, f, class)
		d.known.Set(n)
	}
	for n := range c.Spec.Fields {
		if n < 0 || n > 128 {
			c.refuse(n, "a message has the elements 2 to 128")
		}
	}
	d.zero = d.mainText().zero
	for n := d.known.Next(0); n != 0; n = d.known.Next(n) {
		if l := &d.elements[n]; l.form == formText && l.text.zero == d.zero {
			d.plain.Set(n)
		}
		if d.elements[n].mayName() && !sensitive.AndNot(Elements(48)).Has(n) {
			d.texts.Set(n)
		}
	}
	d.compileSteps()
	c.edition()
}

// findText meets the charsets of all text first, as others lean on them.
func (c *compiler) findText() {
	for n := 0; n <= 128; n++ {
		f, ok := c.Spec.Fields[n]
		if !ok || n == 1 || f.Spec() == nil {
			continue
		}
		if enc, err := encoderOf(f); err == nil && len(bytesOf(enc, "1234")) == 4 &&
			classOf(n, f) != ClassB {
			_ = c.probeText(&layout{}, enc) // reported where the element is compiled
		}
	}
}

// edition refuses a table of 1987: its sizes would be taken for those of 1993 without a word.
func (c *compiler) edition() {
	for _, n := range []int{3, 4, 11, 12, 24, 39} {
		l, e := c.dialect.elements[n], ElementOf(n)
		if l.form != formNone && (int(l.length) != e.Length || l.class != e.Class) {
			c.refuse(n, fmt.Sprintf("it is %s %d in the 1993 edition; is this a table of 1987?",
				e.Class, e.Length))
		}
	}
}

// classOf is the class of the standard's table, unless the field's type says that it is bytes.
func classOf(n int, f field.Field) Class {
	switch f.(type) {
	case *field.Binary, *field.Hex:
		return ClassB
	}
	return ElementOf(n).Class
}

func (c *compiler) refuse(n int, why string) {
	c.faults = append(c.faults, fmt.Errorf("element %d (%s): %s", n, elementName(n), why))
}

func elementName(n int) string {
	if n == 0 {
		return "message type indicator"
	}
	return ElementOf(n).Name
}

// layout finds out how moov would write a field, by asking its encoder and its prefixer.
func (c *compiler) layout(n int, f field.Field, class Class) layout {
	s := f.Spec()
	if s == nil || s.Pref == nil {
		c.refuse(n, "it has no specification or no prefix")
		return layout{}
	}
	l := layout{length: uint16(s.Length), class: class}
	if s.Length < 1 || s.Length > maxElement {
		c.refuse(n, fmt.Sprintf("its length must be 1 to %d", maxElement))
	}
	if s.Packer != nil || s.Unpacker != nil {
		c.refuse(n, "it has a packer of its own, which cannot be compiled; use an encoder")
	}
	if err := l.setPrefix(s.Pref.Inspect()); err != nil {
		c.refuse(n, err.Error())
	}
	if l.prefix != 0 && s.Pad != nil && s.Pad != padding.None {
		c.refuse(n, "it has a length prefix and is padded; one of them must go")
	}
	enc, err := encoderOf(f)
	if err == nil {
		err = c.probe(&l, enc)
	}
	if err != nil {
		c.refuse(n, err.Error())
		return layout{}
	}
	if l.size = uint16(l.prefix); l.prefix == 0 {
		l.size = uint16(l.sizeOf(s.Length))
	}
	l.check = l.checkOf()
	return l
}

// maxElement bounds the length of one element.
const maxElement = 9999

func (c *compiler) layoutOfBitmap(s *field.Spec) layout {
	l := layout{length: 8, class: ClassB}
	if s.Length != 0 && s.Length != 8 || s.DisableAutoExpand {
		c.refuse(1, "a bitmap is 8 bytes, and a second one follows when its first bit is set")
	}
	if err := c.probe(&l, s.Enc); err != nil {
		c.refuse(1, err.Error())
	}
	l.size = uint16(l.sizeOf(8))
	return l
}

// checkOf is the quickest test for what the class allows.
func (l *layout) checkOf() check {
	switch {
	case l.form == formBytes:
		return checkNothing
	case l.form == formHex:
		return checkHex
	case l.form == formSigned:
		return checkSigned
	case l.form == formPacked && l.class == ClassZ:
		return checkTrack
	case l.form == formPacked:
		return checkPacked
	case l.class == ClassN:
		return checkDigits
	case l.class == ClassXN:
		return checkAmount
	case l.class == ClassANS && l.text.ascii && !l.text.katakana:
		return checkPrintable
	}
	return checkTable
}

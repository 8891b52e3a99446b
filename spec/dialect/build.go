package dialect

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"

	"cardswitch/spec"
)

// build makes the specification of a definition whose bases are laid in.
func (d *definition) build(name string) (spec.Definition, error) {
	def := spec.Definition{
		Name:     name,
		Spec:     &iso8583.MessageSpec{Name: name, Fields: map[int]field.Field{}},
		Classes:  map[int]spec.Class{},
		Katakana: d.Katakana != nil && *d.Katakana,
	}
	var faults []error
	add := func(n int, row spec.Element, e *element) {
		f, class, err := d.field(row, e, def.Katakana)
		if err != nil {
			faults = append(faults, fmt.Errorf("element %d: %w", n, err))
			return
		}
		def.Spec.Fields[n], def.Classes[n] = f, class
	}
	add(0, spec.Element{Name: "message type indicator", Class: spec.ClassN, Length: 4}, d.MTI)
	add(1, spec.ElementOf(1), d.Bitmap)
	for _, n := range slices.Sorted(maps.Keys(d.Elements)) {
		e := d.Elements[n]
		switch {
		case n < 2 || n > 128:
			faults = append(faults, fmt.Errorf("element %d: elements are 2 to 128", n))
		case e == nil || !e.Absent:
			add(n, spec.ElementOf(n), e)
		}
	}
	if len(faults) == 0 {
		def.Spec.Fields[1] = field.NewBitmap(def.Spec.Fields[1].Spec())
	}
	return def, errors.Join(faults...)
}

// field makes the moov field of a row of the table, as the definition changes it.
func (d *definition) field(row spec.Element, e *element, katakana bool) (field.Field, spec.Class,
	error) {
	if e == nil {
		e = &element{}
	}
	if e.Class != "" {
		class, ok := spec.ParseClass(e.Class)
		if !ok {
			return nil, 0, fmt.Errorf("class %q is none of n a an anp ans ns z x+n b", e.Class)
		}
		row.Class = class
	}
	if e.Length != 0 {
		row.Length = e.Length
	}
	if e.Prefix != nil {
		row.Prefix = *e.Prefix
	}
	text, err := charsetOf(first(e.Text, d.Text, "ascii"), katakana)
	if err != nil {
		return nil, 0, err
	}
	enc, err := encoder(d.formOf(e, row.Class), row.Class, text)
	if err != nil {
		return nil, 0, err
	}
	pref, err := prefixer(first(e.Lengths, d.Lengths, text.lengths()), row.Prefix)
	if err != nil {
		return nil, 0, err
	}
	s := &field.Spec{Length: row.Length, Description: row.Name, Enc: enc, Pref: pref}
	if row.Class == spec.ClassB {
		return field.NewBinary(s), row.Class, nil
	}
	return field.NewString(s), row.Class, nil
}

// formOf is the form that the class has in this definition. A form that is given for digits says
// nothing about letters.
func (d *definition) formOf(e *element, class spec.Class) string {
	switch {
	case e.Form != "":
		return e.Form
	case class == spec.ClassB:
		return first(d.Binary, "bytes")
	case class == spec.ClassN || class == spec.ClassZ || class == spec.ClassXN:
		return first(d.Digits, "text")
	}
	return "text"
}

func first(names ...string) string {
	for _, s := range names {
		if s != "" {
			return s
		}
	}
	return ""
}

// encoder is the moov encoder of a form: moov's own where it has one.
func encoder(form string, class spec.Class, text *charset) (encoding.Encoder, error) {
	switch form {
	case "text":
		return text.encoder(), nil
	case "bytes":
		if class == spec.ClassB {
			return encoding.Binary, nil
		}
		return nil, fmt.Errorf("form bytes is for class b, not %s; give the class as well", class)
	case "hex":
		if class == spec.ClassB && text.ascii {
			return encoding.BytesToASCIIHex, nil
		}
		if class == spec.ClassB {
			return hexText{text}, nil
		}
		return nil, fmt.Errorf("form hex is for class b, not %s; give the class as well", class)
	}
	p, err := parsePacked(form)
	switch {
	case err != nil:
		return nil, err
	case class == spec.ClassXN:
		return signed{p, text}, nil
	case class == spec.ClassB:
		return nil, errors.New("bytes cannot be packed; form is bytes or hex for class b")
	case class == spec.ClassN && p == packed{}:
		return encoding.BCD, nil
	case class == spec.ClassN && p == packed{right: true}:
		return encoding.LBCD, nil
	}
	return p, nil
}

// prefixer is the moov prefixer for so many digits.
func prefixer(lengths string, digits int) (prefix.Prefixer, error) {
	kinds := map[string]prefix.Prefixers{
		"ascii": prefix.ASCII, "ebcdic": prefix.EBCDIC,
		"packed": prefix.BCD, "binary": prefix.Binary,
	}
	kind, ok := kinds[lengths]
	if !ok {
		return nil, fmt.Errorf("lengths %q is none of ascii, ebcdic, packed, binary", lengths)
	}
	if lengths == "binary" {
		digits = (digits + 1) / 2 // a byte counts as far as two digits, and further
	}
	switch digits {
	case 0:
		return kind.Fixed, nil
	case 1:
		return kind.L, nil
	case 2:
		return kind.LL, nil
	case 3:
		return kind.LLL, nil
	case 4:
		return kind.LLLL, nil
	}
	return nil, fmt.Errorf("prefix %d: it has 0 to 4 digits", digits)
}

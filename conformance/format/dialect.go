package format

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"
)

// dialect is how one wire format writes the parts of a message.
type dialect struct {
	number, text, binary, bitmap encoding.Encoder
	count                        prefix.Prefixers // length prefixes
	odd                          byte             // packed digits: 0, 'l' or 'r' for the pad side
}

func dialects() map[string]dialect {
	plain := encoding.Binary // text bytes as they are: katakana is beyond moov's ASCII
	return map[string]dialect{
		"ascii-binary": {plain, plain, plain, plain, prefix.ASCII, 0},
		"ascii-hex": {plain, plain, encoding.BytesToASCIIHex, encoding.BytesToASCIIHex,
			prefix.ASCII, 0},
		"ebcdic":           {encoding.EBCDIC, encoding.EBCDIC, plain, plain, prefix.EBCDIC, 0},
		"bcd-left":         {encoding.BCD, plain, plain, plain, prefix.BCD, 'l'},
		"bcd-right":        {encoding.LBCD, plain, plain, plain, prefix.BCD, 'r'},
		"bcd-left-binary":  {encoding.BCD, plain, plain, plain, prefix.Binary, 'l'},
		"bcd-right-binary": {encoding.LBCD, plain, plain, plain, prefix.Binary, 'r'},
	}
}

// Names lists the dialects, sorted.
func Names() []string {
	var names []string
	for name := range dialects() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Named returns the format of one dialect.
func Named(name string) (*Format, error) {
	d, ok := dialects()[name]
	if !ok {
		return nil, fmt.Errorf("no dialect %q; choose one of %s", name,
			strings.Join(Names(), ", "))
	}
	f := &Format{name: name, forms: forms()}
	f.spec = &iso8583.MessageSpec{Name: name, Fields: map[int]field.Field{
		0: field.NewString(&field.Spec{Length: 4, Enc: d.number, Pref: d.count.Fixed}),
		1: field.NewBitmap(&field.Spec{Length: 8, Enc: d.bitmap, Pref: prefix.Binary.Fixed}),
	}}
	for n, fm := range f.forms {
		f.spec.Fields[n] = d.field(n, fm)
	}
	return f, nil
}

func (d dialect) field(n int, fm form) field.Field {
	s := &field.Spec{
		Length:      fm.length,
		Description: fmt.Sprintf("element %d", n),
		Pref:        d.prefix(fm.prefix),
	}
	switch fm.class {
	case binary:
		s.Enc = d.binary
		return field.NewBinary(s)
	case digits:
		s.Enc = d.number
	case signed:
		s.Enc = d.text
		if d.odd != 0 {
			s.Packer, s.Unpacker = field.PackerFunc(packSigned), field.UnpackerFunc(unpackSigned)
		}
	case track:
		s.Enc = d.text
	default:
		s.Enc = d.text
	}
	return field.NewString(s)
}

func (d dialect) prefix(width int) prefix.Prefixer {
	switch {
	case width == 0:
		return d.count.Fixed
	case d.odd != 0 && d.count == prefix.Binary:
		// Binary counts take one byte for two digits and two bytes for three.
		return []prefix.Prefixer{2: d.count.L, 3: d.count.LL}[width]
	case width == 2:
		return d.count.LL
	}
	return d.count.LLL
}

// packSigned writes x+n as packed-digit links do: the letter one character, the digits packed.
func packSigned(v []byte, s *field.Spec) ([]byte, error) {
	if len(v) != s.Length {
		return nil, fmt.Errorf("length is %d, must be %d", len(v), s.Length)
	}
	packed, err := encoding.BCD.Encode(v[1:])
	return append([]byte{v[0]}, packed...), err
}

func unpackSigned(wire []byte, s *field.Spec) ([]byte, int, error) {
	if len(wire) == 0 {
		return nil, 0, errors.New("no data")
	}
	v, n, err := encoding.BCD.Decode(wire[1:], s.Length-1)
	return append([]byte{wire[0]}, v...), n + 1, err
}

// raw is a field whose packed form is given by hand, for messages that are wrong on purpose.
func raw(wire string) field.Field {
	f := field.NewBinary(&field.Spec{
		Length: len(wire), Enc: encoding.Binary, Pref: prefix.Binary.Fixed, Pad: padding.None,
	})
	f.SetValue([]byte(wire))
	return f
}

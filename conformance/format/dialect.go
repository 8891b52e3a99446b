package format

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/prefix"
	"golang.org/x/text/encoding/charmap"
)

// dialect is how one wire format writes the parts of a message. The names are those that the
// switch gives to its own dialects; what they mean is written here a second time.
type dialect struct {
	number, text, binary, bitmap encoding.Encoder
	count                        prefix.Prefixers // length prefixes
	packed                       bool             // digits two a byte
	katakana                     bool             // bytes A1 to DF belong to text
}

func dialects() map[string]dialect {
	plain := encoding.Binary // text bytes as they are: katakana is beyond moov's ASCII
	hex := encoding.BytesToASCIIHex
	ascii := dialect{number: plain, text: plain, binary: plain, bitmap: plain,
		count: prefix.ASCII}
	with := func(d dialect, change func(*dialect)) dialect {
		change(&d)
		return d
	}
	ebcdic := func(e encoding.Encoder) dialect {
		return with(ascii, func(d *dialect) {
			d.number, d.text, d.count = e, e, prefix.EBCDIC
		})
	}
	packed := func(p packing, count prefix.Prefixers) dialect {
		return with(ascii, func(d *dialect) { d.number, d.count, d.packed = p, count, true })
	}
	left, right, rightF := packing{}, packing{right: true}, packing{right: true, pad: 0xf}
	return map[string]dialect{
		"ascii-binary":     ascii,
		"ascii-katakana":   with(ascii, func(d *dialect) { d.katakana = true }),
		"ascii-hex":        with(ascii, func(d *dialect) { d.bitmap, d.binary = hex, hex }),
		"ascii-hex-bitmap": with(ascii, func(d *dialect) { d.bitmap = hex }),
		"ebcdic":           ebcdic(codePage{charmap.CodePage037}),
		"ebcdic-500":       ebcdic(encoding.EBCDIC),
		"ebcdic-1047":      ebcdic(codePage{charmap.CodePage1047}),
		"bcd-left":         packed(left, prefix.BCD),
		"bcd-right":        packed(right, prefix.BCD),
		"bcd-right-f":      packed(rightF, prefix.BCD),
		"bcd-left-binary":  packed(left, prefix.Binary),
		"bcd-right-binary": packed(right, prefix.Binary),
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
	f := &Format{name: name, forms: forms(), katakana: d.katakana}
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
		Enc:         d.text,
	}
	switch fm.class {
	case binary:
		s.Enc = d.binary
		return field.NewBinary(s)
	case digits, track:
		s.Enc = d.number
	case signed:
		if d.packed {
			s.Packer, s.Unpacker = field.PackerFunc(packSigned), field.UnpackerFunc(unpackSigned)
		}
	}
	return field.NewString(s)
}

func (d dialect) prefix(width int) prefix.Prefixer {
	switch {
	case width == 0:
		return d.count.Fixed
	case d.count == prefix.Binary:
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
		Length: len(wire), Enc: encoding.Binary, Pref: prefix.Binary.Fixed,
	})
	f.SetValue([]byte(wire))
	return f
}

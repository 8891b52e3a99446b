package spec_test

import (
	"strings"
	"testing"

	"github.com/moov-io/iso8583"
	"github.com/moov-io/iso8583/encoding"
	"github.com/moov-io/iso8583/field"
	"github.com/moov-io/iso8583/padding"
	"github.com/moov-io/iso8583/prefix"
	"github.com/moov-io/iso8583/sort"

	"cardswitch/spec"
)

// partner is a specification as a moov user has it, with one field of the test's own.
func partner(n int, f field.Field) *iso8583.MessageSpec {
	s := &iso8583.MessageSpec{Name: "partner", Fields: map[int]field.Field{
		0: field.NewString(&field.Spec{Length: 4, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed}),
		1: field.NewBitmap(&field.Spec{Enc: encoding.Binary, Pref: prefix.Binary.Fixed}),
	}}
	s.Fields[n] = f
	return s
}

func text(length int, p prefix.Prefixer) *field.Spec {
	return &field.Spec{Length: length, Enc: encoding.ASCII, Pref: p}
}

// parts is a composite of positional parts.
func parts(length int, p prefix.Prefixer, fields map[string]field.Field) field.Field {
	return field.NewComposite(&field.Spec{
		Length: length, Pref: p, Tag: &field.TagSpec{Sort: sort.StringsByInt}, Subfields: fields,
	})
}

// TestCompileTakes: forms that moov users have are read as moov reads them.
func TestCompileTakes(t *testing.T) {
	part := func(length int, enc encoding.Encoder) field.Field {
		return field.NewString(&field.Spec{Length: length, Enc: enc, Pref: prefix.ASCII.Fixed})
	}
	padded := &field.Spec{Length: 15, Enc: encoding.ASCII, Pref: prefix.ASCII.Fixed,
		Pad: padding.Right(' ')}
	numeric := &field.Spec{Length: 12, Enc: encoding.BCD, Pref: prefix.BCD.Fixed,
		Pad: padding.Left('0')}
	tests := []struct {
		name  string
		n     int
		f     field.Field
		value string // as moov is given it
		canon string
	}{
		{"padded string", 42, field.NewString(padded), "SHOP", "SHOP           "},
		{"packed Numeric", 4, field.NewNumeric(numeric), "1250", "000000001250"},
		{"Hex", 52, field.NewHex(&field.Spec{Length: 8, Enc: encoding.Binary,
			Pref: prefix.Binary.Fixed}), "\x01\x23\x45\x67\x89\xAB\xCD\xEF",
			"\x01\x23\x45\x67\x89\xAB\xCD\xEF"},
		{"EBCDIC of moov", 43, field.NewString(&field.Spec{Length: 99, Enc: encoding.EBCDIC,
			Pref: prefix.EBCDIC.LL}), "SHOP [1]", "SHOP [1]"},
		{"EBCDIC 1047 of moov", 43, field.NewString(&field.Spec{Length: 99,
			Enc: encoding.EBCDIC1047, Pref: prefix.EBCDIC1047.LL}), "SHOP [1]", "SHOP [1]"},
		{"long length", 48, field.NewString(text(9999, prefix.ASCII.LLLL)), "x", "x"},
		{"composite", 3, parts(6, prefix.ASCII.Fixed, map[string]field.Field{
			"1": part(2, encoding.ASCII), "2": part(2, encoding.ASCII),
			"3": part(2, encoding.ASCII)}), "200030", "200030"},
		{"reserved element 65", 65, field.NewBinary(&field.Spec{Length: 8,
			Enc: encoding.Binary, Pref: prefix.Binary.Fixed}), "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := partner(test.n, test.f)
			d, err := spec.Compile("partner", s)
			if err != nil {
				t.Fatal(err)
			}
			if !d.Known().Has(test.n) {
				t.Fatal("the dialect does not have the element")
			}
			if test.n == 65 {
				return // moov takes it for a third bitmap and cannot write it
			}
			packed := iso8583.NewMessage(s)
			packed.MTI("1200")
			if err := packed.BinaryField(test.n, []byte(test.value)); err != nil {
				t.Fatal(err)
			}
			raw, err := packed.Pack()
			if err != nil {
				t.Fatal(err)
			}
			var m spec.Message
			if fault := d.Index(&m, raw); !fault.OK() {
				t.Fatal(fault)
			}
			if got := string(m.Append(nil, test.n)); got != test.canon {
				t.Errorf("value %q, not %q", got, test.canon)
			}
		})
	}
}

// packer is a packer of a partner's own, which may do anything.
type packer struct{}

func (packer) Pack(data []byte, _ *field.Spec) ([]byte, error) { return data, nil }

// TestCompileRefuses: what cannot be compiled is named with its element, and why.
func TestCompileRefuses(t *testing.T) {
	odd := &field.Spec{Length: 3, Enc: encoding.BCD, Pref: prefix.BCD.Fixed}
	own := text(6, prefix.ASCII.Fixed)
	own.Packer = packer{}
	padded := text(99, prefix.ASCII.LL)
	padded.Pad = padding.Right(' ')
	tests := []struct {
		name  string
		n     int
		f     field.Field
		wants string
	}{
		{"packer", 11, field.NewString(own),
			"element 11 (systems trace audit number): it has a packer"},
		{"padded and prefixed", 43, field.NewString(padded), "element 43"},
		{"BER-TLV length", 48, field.NewString(text(99, prefix.BerTLV)), `"BerTLV"`},
		{"no length", 48, field.NewString(text(999, prefix.None.Fixed)), `"None.Fixed"`},
		{"length 0", 48, field.NewString(text(0, prefix.ASCII.LLL)), "1 to 9999"},
		{"length that its prefix cannot count", 48, field.NewString(text(100, prefix.ASCII.LL)),
			"count up to 100"},
		{"1987 date", 12, field.NewString(text(6, prefix.ASCII.Fixed)), "1987"},
		{"1987 response code", 39, field.NewString(text(2, prefix.ASCII.Fixed)), "1987"},
		{"packed text", 48, field.NewString(&field.Spec{Length: 99, Enc: encoding.ASCIIHexToBytes,
			Pref: prefix.ASCII.LL}), "neither a byte a character"},
		{"packed separator", 35, field.NewString(&field.Spec{Length: 37, Enc: encoding.BCD,
			Pref: prefix.BCD.LL}), "separator"},
		{"packed sign", 97, field.NewString(&field.Spec{Length: 17, Enc: encoding.BCD,
			Pref: prefix.BCD.Fixed}), "C or D"},
		{"odd parts", 24, parts(2, prefix.ASCII.Fixed, map[string]field.Field{
			"1": field.NewString(odd)}), "odd"},
		{"mixed parts", 48, parts(99, prefix.ASCII.LL, map[string]field.Field{
			"1": field.NewString(text(2, prefix.ASCII.Fixed)), "2": field.NewString(odd)}),
			"different encodings"},
		{"element 129", 129, field.NewString(text(2, prefix.ASCII.Fixed)), "element 129"},
		{"fixed bitmap", 1, field.NewBitmap(&field.Spec{Length: 16, Enc: encoding.Binary,
			Pref: prefix.Binary.Fixed, DisableAutoExpand: true}), "bitmap is 8 bytes"},
		{"MTI", 0, field.NewString(text(3, prefix.ASCII.Fixed)), "four digits"},
		{"MTI missing", 0, nil, "MTI"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := partner(test.n, test.f)
			if test.f == nil {
				delete(s.Fields, test.n)
			}
			_, err := spec.Compile("partner", s)
			if err == nil || !strings.Contains(err.Error(), test.wants) {
				t.Errorf("error %v does not say %q", err, test.wants)
			}
		})
	}
	if _, err := spec.Compile("1987", iso8583.Spec87); err == nil {
		t.Error("moov's table of 1987 is taken for one of 1993")
	}
	if _, err := spec.Compile("none", nil); err == nil {
		t.Error("no specification makes a dialect")
	}
}

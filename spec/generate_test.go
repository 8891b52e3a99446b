package spec_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/moov-io/iso8583"
	"pgregory.net/rapid"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
)

// wireFormat is a dialect and the moov specification it was compiled from.
type wireFormat struct {
	*spec.Dialect
	def spec.Definition
}

// formats are all built-in dialects.
func formats(tb testing.TB) map[string]wireFormat {
	tb.Helper()
	all := map[string]wireFormat{}
	for _, name := range dialect.Names() {
		text := []byte("base: " + name)
		def, err := dialect.Define(name, text)
		if err != nil {
			tb.Fatal(err)
		}
		d, err := def.Compile()
		if err != nil {
			tb.Fatal(err)
		}
		all[name] = wireFormat{d, def}
	}
	return all
}

// characters are what a class is made of. A track begins and ends with a digit.
func characters(class spec.Class, katakana bool) string {
	const digits, letters = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	const special = " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
	switch class {
	case spec.ClassN, spec.ClassXN:
		return digits
	case spec.ClassZ:
		return digits + "="
	case spec.ClassA:
		return letters
	case spec.ClassAN:
		return digits + letters
	case spec.ClassANP:
		return digits + letters + " "
	case spec.ClassNS:
		return digits + special
	}
	if !katakana {
		return digits + letters + special
	}
	kana := make([]byte, 0, 63)
	for c := 0xA1; c <= 0xDF; c++ {
		kana = append(kana, byte(c))
	}
	return digits + letters + special + string(kana)
}

// value makes up a canonical value for element n.
func (f wireFormat) value(r *rand.Rand, n int) []byte {
	s, class := f.def.Spec.Fields[n].Spec(), f.def.Classes[n]
	length := s.Length
	if !strings.HasSuffix(s.Pref.Inspect(), ".Fixed") && r.IntN(8) != 0 {
		length = 1 + r.IntN(min(s.Length, 40))
	}
	v := make([]byte, length)
	if class == spec.ClassB {
		for i := range v {
			v[i] = byte(r.Uint32())
		}
		return v
	}
	alphabet := characters(class, f.def.Katakana)
	for i := range v {
		v[i] = alphabet[r.IntN(len(alphabet))]
	}
	switch class {
	case spec.ClassZ:
		v[0], v[length-1] = '4', '5'
	case spec.ClassXN:
		v[0] = "CD"[r.IntN(2)]
	}
	return v
}

// mtis are some of each class.
var mtis = []string{"1100", "1110", "1200", "1201", "1221", "1304", "1420", "1430", "1644", "1804"}

// content is what a message says, in canonical values.
type content struct {
	mti    string
	values map[int][]byte
}

// drawContent makes up a message of up to 128 elements.
func (f wireFormat) drawContent(t *rapid.T, label string) content {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, label+" seed"), 1))
	mask := spec.Bitmap{
		rapid.Uint64().Draw(t, label+" elements"), rapid.Uint64().Draw(t, label+" more elements"),
	}
	c := content{rapid.SampledFrom(mtis).Draw(t, label+" MTI"), map[int][]byte{}}
	for n := 2; n <= 128; n++ {
		if _, ok := f.def.Spec.Fields[n]; ok && mask.Has(n) {
			c.values[n] = f.value(r, n)
		}
	}
	return c
}

// pack writes the content with moov.
func (f wireFormat) pack(tb rapid.TB, c content) (*iso8583.Message, []byte) {
	tb.Helper()
	m := iso8583.NewMessage(f.def.Spec)
	m.MTI(c.mti)
	for n, v := range c.values {
		if err := m.BinaryField(n, bytes.Clone(v)); err != nil {
			tb.Fatal(err)
		}
	}
	raw, err := m.Pack()
	if err != nil {
		tb.Fatal(err)
	}
	return m, raw
}

// index indexes raw, which must be without a fault.
func (f wireFormat) index(tb rapid.TB, raw []byte) *spec.Message {
	tb.Helper()
	m := &spec.Message{}
	if fault := f.Index(m, raw); !fault.OK() {
		tb.Fatalf("%s: %v", f.Name(), fault)
	}
	return m
}

// eachFormat runs a property in every built-in dialect.
func eachFormat(t *testing.T, property func(t *rapid.T, f wireFormat)) {
	t.Helper()
	for name, f := range formats(t) {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { property(t, f) })
		})
	}
}

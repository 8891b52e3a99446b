package spec_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/spec/sample"
)

// TestQuickWalk: with any byte of a message changed to one at the edge of a class, cut anywhere, or
// with a byte too many, the quick walk takes exactly what the slow one has no fault with, and finds
// the elements where that does. It takes the sound messages: otherwise it would be of no use.
func TestQuickWalk(t *testing.T) {
	if testing.Short() {
		t.Skip("many cases, and nothing that runs side by side")
	}
	const edges = "\x00\x09\x0A\x1F\x20/09:@ADZa{~" +
		"\x7F\x80\x81\x9A\xA0\xC4\xF0\xF9\xFA\xFF"
	all := formats(t)
	for _, name := range dialect.Names() {
		d := all[name]
		raw, _ := d.Append(nil, nil, sample.Financial())
		messages := [][]byte{raw}
		for seed := range uint64(2) {
			r, c := rand.New(rand.NewPCG(seed, 5)), content{"1200", map[int][]byte{}}
			for n := range d.def.Spec.Fields {
				if n > 1 && r.IntN(8) == 0 {
					c.values[n] = d.value(r, n)
				}
			}
			_, raw = d.pack(t, c)
			messages = append(messages, raw)
		}
		for _, raw := range messages {
			if !d.Accepts(raw) {
				t.Errorf("%s: the quick walk takes no sound message", name)
			}
			sameWalks(t, d, append(bytes.Clone(raw), '0'))
			for at := range raw {
				sameWalks(t, d, raw[:at])
				changed := bytes.Clone(raw)
				for _, b := range []byte(edges) {
					changed[at] = b
					sameWalks(t, d, changed)
				}
			}
		}
	}
}

// TestQuickWalkLengths: so too with a length prefix that counts nothing, all that it may, and one
// more than that.
func TestQuickWalkLengths(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, d := range formats(t) {
		for n := d.Known().Next(0); n != 0; n = d.Known().Next(n) {
			if length, _ := d.Fixed(n); length != 0 {
				continue
			}
			s := d.def.Spec.Fields[n].Spec()
			_, raw := d.pack(t, content{"1200", map[int][]byte{n: d.value(r, n)}})
			var m spec.Message
			d.Index(&m, raw)
			head, data := raw[:len(raw)-len(m.Wire(n))], m.Data(n)
			data = bytes.Repeat(data[len(data)-1:], s.Length+1)
			for _, length := range []int{0, s.Length, s.Length + 1} {
				prefix, err := s.Pref.EncodeLength(s.Length+1, length)
				if err != nil {
					continue // it cannot count so far
				}
				sameWalks(t, d, slices.Concat(head, prefix, data[:length]))
			}
		}
	}
}

// sameWalks holds what Index finds against the slow walk.
func sameWalks(t *testing.T, d wireFormat, raw []byte) {
	t.Helper()
	var m, slow spec.Message
	fault, want := d.Index(&m, raw), d.IndexSlowly(&slow, raw)
	if fault != want || m.Elements() != slow.Elements() || d.Accepts(raw) != want.OK() {
		t.Fatalf("%s: %v with %v, the slow walk says %v with %v", d.Name(),
			fault, m.Elements(), want, slow.Elements())
	}
	for n := m.Elements().Next(0); n != 0; n = m.Elements().Next(n) {
		if !bytes.Equal(m.Wire(n), slow.Wire(n)) {
			t.Fatalf("%s: element %d is not where the slow walk finds it", d.Name(), n)
		}
	}
}

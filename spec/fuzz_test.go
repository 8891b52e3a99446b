package spec_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/moov-io/iso8583"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/spec/sample"
)

// seeds gives the fuzzer the sample message in every dialect.
func seeds(f *testing.F) (list []wireFormat) {
	f.Helper()
	all := formats(f)
	for i, name := range dialect.Names() {
		d := all[name]
		raw, fault := d.Append(nil, nil, sample.Financial())
		if !fault.OK() {
			f.Fatal(fault)
		}
		f.Add(byte(i), raw)
		f.Add(byte(i), append(raw, 0))
		whole := content{"1200", map[int][]byte{}}
		for n := range d.def.Spec.Fields {
			if n > 1 {
				whole.values[n] = d.value(rand.New(rand.NewPCG(uint64(n), 3)), n)
			}
		}
		_, raw = d.pack(f, whole)
		f.Add(byte(i), raw)
		list = append(list, d)
	}
	return list
}

// FuzzIndex holds the indexer against moov on any bytes: what the indexer takes, moov takes and
// reads alike; what only moov takes, the indexer has one of its known reasons to refuse.
func FuzzIndex(f *testing.F) {
	list := seeds(f)
	f.Fuzz(func(t *testing.T, which byte, raw []byte) {
		d := list[int(which)%len(list)]
		var m spec.Message
		fault := d.Index(&m, raw)
		sameWalks(t, d, raw)
		peer := iso8583.NewMessage(d.def.Spec)
		err := peer.Unpack(raw)
		checkReadable(t, d, &m)
		if !fault.OK() {
			if err == nil && !stricter(t, d, peer, &m, fault) {
				t.Fatalf("%s: %v, but moov reads it", d.Name(), fault)
			}
			return
		}
		if err != nil {
			t.Fatalf("%s: moov refuses what the indexer takes", d.Name())
		}
		for n := m.Elements().Next(0); n != 0; n = m.Elements().Next(n) {
			want, err := peer.GetBytes(n)
			if err != nil || !bytes.Equal(want, m.Append(nil, n)) {
				t.Fatalf("%s: element %d differs from moov's (%v)", d.Name(), n, err)
			}
		}
		if got := len(peer.GetFields()) - 2; got != m.Elements().Count() {
			t.Fatalf("%s: %d elements, moov has %d", d.Name(), m.Elements().Count(), got)
		}
	})
}

// stricter tells whether the fault is of a kind that moov does not look for: the edition, an empty
// second bitmap, a third one, character classes and the filling of packed digits, empty elements
// and signs in a length, and trailing bytes.
func stricter(
	tb testing.TB, d wireFormat, peer *iso8583.Message, m *spec.Message, fault spec.Fault,
) bool {
	tb.Helper()
	switch fault.Kind {
	case spec.FaultMTI, spec.FaultBitmap, spec.FaultClass, spec.FaultTrailing:
		return true
	case spec.FaultUnknown:
		return fault.Element == 65
	case spec.FaultLength:
		return fault.Element == 0 || looserLength(tb, d, peer, m, int(fault.Element))
	}
	return false
}

// looserLength tells whether moov, which has read the message, took a length that we refuse: of
// nothing at all, with a sign, or with a digit more in front than it has.
func looserLength(tb testing.TB, d wireFormat, peer *iso8583.Message, m *spec.Message, n int) bool {
	tb.Helper()
	at := 0
	for _, n := range []int{0, 1} {
		head, err := peer.GetField(n).Pack()
		if err != nil {
			tb.Fatal(err)
		}
		at += len(head)
	}
	for n := m.Elements().Next(0); n != 0; n = m.Elements().Next(n) {
		at += len(m.Wire(n))
	}
	s := d.def.Spec.Fields[n].Spec()
	length, _, err := s.Pref.DecodeLength(s.Length, m.Raw()[at:])
	if err != nil {
		tb.Fatal(err)
	}
	sign := bytes.IndexByte([]byte("+-\x4E\x60"), m.Raw()[at]) >= 0
	return length == 0 || sign || s.Pref.Inspect() == "BCD.LLL" && m.Raw()[at]>>4 != 0
}

// checkReadable reads all that a message offers, whether it has a fault or not.
func checkReadable(t *testing.T, d wireFormat, m *spec.Message) {
	t.Helper()
	size := 0
	for n := m.Elements().Next(0); n != 0; n = m.Elements().Next(n) {
		if !bytes.HasSuffix(m.Wire(n), m.Data(n)) || len(m.Data(n)) == 0 {
			t.Fatalf("element %d has no data", n)
		}
		size += len(m.Wire(n))
		m.Number(n)
	}
	if size > len(m.Raw()) {
		t.Fatal("more elements than bytes")
	}
	_, _ = m.PAN(), m.ActionCode()
	if image := m.AppendSafe(nil); len(image) != 0 {
		var safe spec.Message
		if fault := d.Index(&safe, image); !fault.OK() || safe.Elements() != m.Elements() {
			t.Fatalf("the safe image: %v", fault)
		}
	}
}

// FuzzTranslate: what one dialect reads, another either refuses to write, or writes so that it says
// the same, and the same again from there on.
func FuzzTranslate(f *testing.F) {
	list := seeds(f)
	f.Fuzz(func(t *testing.T, which byte, raw []byte) {
		a, b := list[int(which)%len(list)], list[int(which)/len(list)%len(list)]
		var m, there spec.Message
		if !a.Index(&m, raw).OK() {
			return
		}
		out, fault := b.Append(nil, &m, nil)
		if !fault.OK() {
			return
		}
		if fault := b.Index(&there, out); !fault.OK() {
			t.Fatalf("%s to %s: %v", a.Name(), b.Name(), fault)
		}
		back, fault := a.Append(nil, &there, nil)
		if !fault.OK() {
			t.Fatalf("%s to %s and back: %v", a.Name(), b.Name(), fault)
		}
		var again spec.Message
		a.Index(&again, back)
		for n := m.Elements().Next(0); n != 0; n = m.Elements().Next(n) {
			if !sameValue(a.def.Classes[n], m.Append(nil, n), again.Append(nil, n)) {
				t.Fatalf("%s to %s and back: element %d differs", a.Name(), b.Name(), n)
			}
		}
	})
}

// sameValue takes a track's two separators for one: packed digits have only one of them.
func sameValue(class spec.Class, a, b []byte) bool {
	if class == spec.ClassZ {
		a, b = bytes.ReplaceAll(a, []byte("D"), []byte("=")),
			bytes.ReplaceAll(b, []byte("D"), []byte("="))
	}
	return bytes.Equal(a, b)
}

// FuzzDelta: no delta makes ApplyDelta do worse than refuse it, and what it makes can be read.
func FuzzDelta(f *testing.F) {
	list := formats(f)
	d := list[dialect.Default]
	raw, _ := d.Append(nil, nil, sample.Financial())
	var base, answer spec.Message
	d.Index(&base, raw)
	e := &spec.Edit{}
	e.SetMTI(0x1210)
	e.KeepOnly(spec.Elements(2, 3, 4, 11, 12, 37))
	e.SetNumber(39, 100)
	out, _ := d.Append(nil, &base, e)
	d.Index(&answer, out)
	kept := base.AppendSafe(nil)
	d.Index(&base, kept)
	for i := range dialect.Names() {
		delta, _ := spec.AppendDelta(nil, nil, &base, &answer)
		f.Add(byte(i), delta)
	}
	f.Fuzz(func(t *testing.T, which byte, delta []byte) {
		to := list[dialect.Names()[int(which)%len(list)]]
		image, err := spec.ApplyDelta(nil, &base, to.Dialect, delta)
		if err != nil {
			return
		}
		var m spec.Message
		if fault := to.Index(&m, image); !fault.OK() && fault.Kind != spec.FaultClass &&
			fault.Kind != spec.FaultMTI {
			t.Fatalf("the image: %v", fault)
		}
	})
}

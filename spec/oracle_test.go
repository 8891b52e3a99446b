package spec_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
)

// TestIndexAgreesWithMoov: what moov packs, the indexer reads as moov does, byte for byte.
func TestIndexAgreesWithMoov(t *testing.T) {
	eachFormat(t, func(t *rapid.T, f wireFormat) {
		c := f.drawContent(t, "message")
		packed, raw := f.pack(t, c)
		m := f.index(t, raw)
		if m.MTI().String() != c.mti || m.Elements().Count() != len(c.values) {
			t.Fatalf("MTI %v with %d elements", m.MTI(), m.Elements().Count())
		}
		for n, v := range c.values {
			if diff := cmp.Diff(v, m.Append(nil, n)); diff != "" {
				t.Fatalf("element %d: canonical value (-moov +index):\n%s", n, diff)
			}
			wire, err := packed.GetField(n).Pack()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wire, m.Wire(n)); diff != "" {
				t.Fatalf("element %d: wire (-moov +index):\n%s", n, diff)
			}
			if !bytes.HasSuffix(wire, m.Data(n)) {
				t.Fatalf("element %d: data is not the end of the element", n)
			}
		}
	})
}

// TestAppendAgreesWithMoov: what Append writes, from nothing but values, is what moov packs.
func TestAppendAgreesWithMoov(t *testing.T) {
	eachFormat(t, func(t *rapid.T, f wireFormat) {
		c := f.drawContent(t, "message")
		_, want := f.pack(t, c)
		got, fault := f.Append([]byte("before"), nil, c.edit(t))
		if diff := cmp.Diff(append([]byte("before"), want...), got); diff != "" || !fault.OK() {
			t.Fatalf("%v (-moov +append):\n%s", fault, diff)
		}
	})
}

// edit is the content as changes to nothing.
func (c content) edit(tb rapid.TB) *spec.Edit {
	tb.Helper()
	e := &spec.Edit{}
	mti, err := spec.ParseMTI(c.mti)
	if err != nil {
		tb.Fatal(err)
	}
	e.SetMTI(mti)
	for n, v := range c.values {
		e.Set(n, v)
	}
	return e
}

// TestUntouchedStays: without a change every byte is as it came.
func TestUntouchedStays(t *testing.T) {
	eachFormat(t, func(t *rapid.T, f wireFormat) {
		_, raw := f.pack(t, f.drawContent(t, "message"))
		m := f.index(t, raw)
		got, fault := f.Append(nil, m, nil)
		if diff := cmp.Diff(raw, got); diff != "" || !fault.OK() {
			t.Fatalf("%v (-came +went):\n%s", fault, diff)
		}
	})
}

// TestEditIsSplice: a message with changes is what moov packs of the changed content.
func TestEditIsSplice(t *testing.T) {
	eachFormat(t, func(t *rapid.T, f wireFormat) {
		c, other := f.drawContent(t, "message"), f.drawContent(t, "changes")
		_, raw := f.pack(t, c)
		m := f.index(t, raw)
		keep := spec.Bitmap{rapid.Uint64().Draw(t, "keep"), rapid.Uint64().Draw(t, "keep more")}
		gone := rapid.IntRange(2, 128).Draw(t, "removed")

		e := other.edit(t)
		e.KeepOnly(keep)
		e.Remove(gone)
		want := content{other.mti, map[int][]byte{}}
		for n, v := range c.values {
			if keep.Has(n) {
				want.values[n] = v
			}
		}
		for n, v := range other.values {
			want.values[n] = v
		}
		delete(want.values, gone)

		_, packed := f.pack(t, want)
		got, fault := f.Append(nil, m, e)
		if diff := cmp.Diff(packed, got); diff != "" || !fault.OK() {
			t.Fatalf("%v (-moov +append):\n%s", fault, diff)
		}
	})
}

// TestTranslateAndBack: a message in another dialect and back is the same message.
func TestTranslateAndBack(t *testing.T) {
	all, names := formats(t), dialect.Names()
	rapid.Check(t, func(t *rapid.T) {
		a := all[rapid.SampledFrom(names).Draw(t, "from")]
		b := all[rapid.SampledFrom(names).Draw(t, "to")]
		if a.def.Katakana && !b.def.Katakana {
			t.Skip("TestKatakanaStaysOut")
		}
		c := a.drawContent(t, "message")
		_, raw := a.pack(t, c)
		_, want := b.pack(t, c)
		there, fault := b.Append(nil, a.index(t, raw), nil)
		if diff := cmp.Diff(want, there); diff != "" || !fault.OK() {
			t.Fatalf("%v (-moov +there):\n%s", fault, diff)
		}
		back, fault := a.Append(nil, b.index(t, there), nil)
		if diff := cmp.Diff(raw, back); diff != "" || !fault.OK() {
			t.Fatalf("%v (-came +back):\n%s", fault, diff)
		}
	})
}

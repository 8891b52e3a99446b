package spec_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"cardswitch/spec"
)

// TestBitmap holds the set against a plain list of numbers.
func TestBitmap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.SliceOf(rapid.IntRange(1, 128)).Draw(t, "elements")
		other := rapid.SliceOf(rapid.IntRange(1, 128)).Draw(t, "others")
		a, b := spec.Elements(ns...), spec.Elements(other...)
		for n := -1; n <= 200; n++ {
			has, more := slices.Contains(ns, n), slices.Contains(other, n)
			if a.Has(n) != has || a.And(b).Has(n) != (has && more) ||
				a.Or(b).Has(n) != (has || more) || a.AndNot(b).Has(n) != (has && !more) {
				t.Fatalf("element %d", n)
			}
		}
		slices.Sort(ns)
		ns = slices.Compact(ns)
		var walked []int
		for n := a.Next(0); n != 0; n = a.Next(n) {
			walked = append(walked, n)
		}
		if !slices.Equal(ns, walked) || a.Count() != len(ns) || a.IsZero() != (len(ns) == 0) {
			t.Fatalf("walked over %v, counted %d", walked, a.Count())
		}
		for _, n := range ns {
			a.Clear(n)
		}
		if !a.IsZero() {
			t.Fatal("not empty after all were taken out")
		}
	})
}

// TestBitmapBits: the bits are where they are on the wire.
func TestBitmapBits(t *testing.T) {
	want := spec.Bitmap{1<<63 | 1, 1<<63 | 1}
	if got := spec.Elements(1, 64, 65, 128, 0, 129, -5); got != want {
		t.Errorf("%x, not %x", got, want)
	}
}

package spec

import "math/bits"

// Bitmap is a set of elements 1 to 128. Element 1 is the top bit of word 0, element 65 that of
// word 1, as on the wire.
type Bitmap [2]uint64

// Elements builds the set of the given elements.
func Elements(ns ...int) Bitmap { return Bitmap{}.With(ns...) }

// Has tells whether element n is in the set. No set holds an n outside 1 to 128.
func (b Bitmap) Has(n int) bool {
	i := uint(n - 1)
	return i < 128 && b[i>>6]&topBit(i) != 0
}

// Set puts element n into the set.
func (b *Bitmap) Set(n int) {
	if i := uint(n - 1); i < 128 {
		b[i>>6] |= topBit(i)
	}
}

// Clear takes element n out of the set.
func (b *Bitmap) Clear(n int) {
	if i := uint(n - 1); i < 128 {
		b[i>>6] &^= topBit(i)
	}
}

// With is the set with the given elements added.
func (b Bitmap) With(ns ...int) Bitmap {
	for _, n := range ns {
		b.Set(n)
	}
	return b
}

// And is what both sets hold.
func (b Bitmap) And(o Bitmap) Bitmap { return Bitmap{b[0] & o[0], b[1] & o[1]} }

// Or is what either set holds.
func (b Bitmap) Or(o Bitmap) Bitmap { return Bitmap{b[0] | o[0], b[1] | o[1]} }

// AndNot is what b holds and o does not.
func (b Bitmap) AndNot(o Bitmap) Bitmap { return Bitmap{b[0] &^ o[0], b[1] &^ o[1]} }

// IsZero tells whether the set is empty.
func (b Bitmap) IsZero() bool { return b[0]|b[1] == 0 }

// Count is the number of elements in the set.
func (b Bitmap) Count() int { return bits.OnesCount64(b[0]) + bits.OnesCount64(b[1]) }

// Next is the smallest element of the set above n, or 0 if there is none. A walk starts at 0:
//
//	for n := b.Next(0); n != 0; n = b.Next(n) {}
func (b Bitmap) Next(n int) int {
	if n < 64 {
		if w := b[0] & (^uint64(0) >> uint(n)); w != 0 {
			return bits.LeadingZeros64(w) + 1
		}
		n = 64
	}
	if w := b[1] & (^uint64(0) >> uint(n-64)); w != 0 {
		return bits.LeadingZeros64(w) + 65
	}
	return 0
}

func topBit(i uint) uint64 { return 1 << (63 - i&63) }

// below is the set of all elements under n.
func below(n int) (b Bitmap) {
	b[0] = ^(^uint64(0) >> min(uint(n-1), 64))
	if n > 65 {
		b[1] = ^(^uint64(0) >> uint(n-65))
	}
	return b
}

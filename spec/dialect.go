package spec

import "bytes"

// Dialect is one wire format: how each element, the MTI and the bitmap stand in the bytes. It is
// compiled once, never changes, and may be used by any number of goroutines.
type Dialect struct {
	elements    [129]layout
	steps       [129]step
	runs        [mostRuns]run
	mti         layout
	bitmap      layout
	known       Bitmap
	plain       Bitmap // elements of text in which '0' is zero
	texts       Bitmap // elements of text that have room for a card number where none belongs
	zero        byte
	name        string
	source      []byte
	fingerprint [8]byte
}

// Name is what the dialect was compiled as.
func (d *Dialect) Name() string { return d.name }

// Fingerprint is the same for two dialects only if their wire formats are.
func (d *Dialect) Fingerprint() [8]byte { return d.fingerprint }

// Source is the whole definition as text, without reference to any other: what is kept where
// messages are kept, so that they can be read in years to come. Package dialect parses it.
func (d *Dialect) Source() []byte { return bytes.Clone(d.source) }

// Same tells whether a message of the one is a message of the other.
func (d *Dialect) Same(o *Dialect) bool { return d == o || d.fingerprint == o.fingerprint }

// Known is the set of elements that the dialect has.
func (d *Dialect) Known() Bitmap { return d.known }

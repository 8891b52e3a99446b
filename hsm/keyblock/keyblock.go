// Package keyblock binds a key to what it is for, under another key: TR-31 and X9.143 key blocks.
//
// A block is a header in clear text, the encrypted key, and a code over both. Versions A to E are
// read; B, D and E are written, as A and C (a key variant and a code of 4 bytes) are only there for
// old peers. Sources: ASC X9 TR-31:2018, ANSI X9.143:2021, ISO 20038:2017; for check values ANSI
// X9.24-1:2017.
//
// Why Unwrap must be told what is wanted: a right code only says that a partner made the block. A
// PIN key of that partner is no MAC key here, whatever it says, so what isn't wanted is refused
// with its reason, and the zero Want takes nothing.
//
// Why keys are handed out for the length of a call: Key.Use is the one door, so the places where a
// clear key is can be found, and a copy isn't made by accident. Unwrap and Wrap clear what they
// derived. The key schedules of the standard library can't be cleared, only dropped; what handles
// clear keys is in open, seal and derive, which start no goroutine and keep nothing, so that they
// can run inside runtime/secret.
package keyblock

import (
	"errors"
	"fmt"
)

// What can be wrong with a block. Errors of Parse and Unwrap wrap one of these.
var (
	// ErrMalformed is a block that no sound sender makes.
	ErrMalformed = errors.New("the key block is malformed")
	// ErrKBPK is a key block protection key that doesn't go with the block's version.
	ErrKBPK = errors.New("the block isn't for this KBPK")
	// ErrForged is a block whose code is wrong: altered, or under another key.
	ErrForged = errors.New("the code of the key block is wrong")
	// ErrUnwanted is a block of another version than wanted, or an authentic one with a key that
	// isn't to be taken here.
	ErrUnwanted = errors.New("the key isn't wanted here")
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

func unwanted(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnwanted, fmt.Sprintf(format, args...))
}

// Version is the method by which a block protects its key: "A" to "E".
type Version string

// The versions.
const (
	VersionA Version = "A" // TDES, key variants, a code of 4 bytes; TR-31:2005, deprecated
	VersionB Version = "B" // TDES, derived keys, a code of 8 bytes
	VersionC Version = "C" // as A, with the header of 2010
	VersionD Version = "D" // AES in CBC, derived keys, a code of 16 bytes
	VersionE Version = "E" // as D, with AES in CTR: the key has no padding to a block; ISO 20038
)

// form is how the blocks of a version are laid out. Sizes are in bytes, but for the header in
// characters.
type form struct {
	version Version
	cipher  Algorithm
	head    int // the header's length is a multiple of this
	data    int // the encrypted key's length is
	code    int // size of the code
}

// form gives the layout of a version; ok is false if there is no such version.
func (v Version) form() (f form, ok bool) {
	switch v {
	case VersionA, VersionC:
		return form{v, TDES, 8, 8, 4}, true
	case VersionB:
		return form{v, TDES, 8, 8, 8}, true
	case VersionD:
		return form{v, AES, 16, 16, 16}, true
	case VersionE:
		return form{v, AES, 16, 1, 16}, true
	}
	return form{}, false
}

// Algorithm is what a key is used with, X9.143 table 3.
type Algorithm string

// The algorithms.
const (
	AES  Algorithm = "A"
	DES  Algorithm = "D"
	EC   Algorithm = "E"
	HMAC Algorithm = "H"
	RSA  Algorithm = "R"
	DSA  Algorithm = "S"
	TDES Algorithm = "T"
)

// Text names the algorithm for people.
func (a Algorithm) Text() string {
	switch a {
	case AES:
		return "AES"
	case DES:
		return "DES"
	case EC:
		return "elliptic curve"
	case HMAC:
		return "HMAC"
	case RSA:
		return "RSA"
	case DSA:
		return "DSA"
	case TDES:
		return "TDES"
	}
	return "unknown algorithm"
}

// Mode is what may be done with a key, X9.143 table 4.
type Mode string

// The modes of use.
const (
	ModeB Mode = "B" // encrypt and decrypt, wrap and unwrap
	ModeC Mode = "C" // make and verify codes
	ModeD Mode = "D" // decrypt or unwrap only
	ModeE Mode = "E" // encrypt or wrap only
	ModeG Mode = "G" // make codes only
	ModeN Mode = "N" // what the usage allows
	ModeS Mode = "S" // sign only
	ModeV Mode = "V" // verify only
	ModeX Mode = "X" // derive keys
	ModeY Mode = "Y" // make key variants
)

// Export says under what a key may leave again, X9.143 table 6.
type Export string

// The kinds of exportability.
const (
	ExportE Export = "E" // in a key block, under a key of a trusted form
	ExportN Export = "N" // never
	ExportS Export = "S" // also in forms without a key block
)

// Context is where a block may be, X9.143 table 1.
type Context string

// The contexts.
const (
	ContextAny      Context = "0" // as the wrapping key says
	ContextStorage  Context = "1" // only in a key store
	ContextExchange Context = "2" // only between partners
)

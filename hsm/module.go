// Package hsm is what the switch asks of a security module: one interface, whoever keeps the keys.
//
// A module makes, imports and uses keys and gives out only key blocks (ANSI X9.143) under a key of
// its own, so that whoever steals the store's files has nothing. The drivers are soft (in this
// process), pkcs11 (a token) and payshield (a payment HSM on the network). Each says per operation
// whether clear material stays inside it, and a production profile refuses what may not be done in
// the open (reference crypto.md sections 0, 2 and 8).
//
// Why keys are loaded: a driver prepares what it can (key schedules, object handles) once, and the
// path of a message uses a Key without looking anything up.
package hsm

import (
	"context"
	"errors"
	"fmt"

	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
)

// What can go wrong, beside what keyblock and pinblock say. Errors of a Module wrap one of these
// where they fit.
var (
	// ErrAbsent is an operation that the module doesn't have; see Caps.
	ErrAbsent = errors.New("the security module can't do this")
	// ErrForbidden is an operation that the profile doesn't allow to this module.
	ErrForbidden = errors.New("security module not allowed")
	// ErrKey is a key that is not for this operation, not of this module, or unloaded.
	ErrKey = errors.New("the key is not for this")
	// ErrMAC is a code that is not the message's.
	ErrMAC = errors.New("the message authentication code is wrong")
	// ErrPIN is a PIN block that can't be translated, whatever is wrong with it: to say what would
	// help who guesses (ISO 9564-1).
	ErrPIN = errors.New("the PIN block can't be translated")
	// ErrUnavailable is a module that doesn't answer; the operation was perhaps done.
	ErrUnavailable = errors.New("the security module doesn't answer")
)

// Wrapped is a key as the switch stores it: a key block under the module's own key, which says what
// the key is for. It is of no use without the module.
type Wrapped struct {
	Spec  KeySpec
	Block string
	Check keyblock.CheckValue
}

// Key is a loaded key. It may be used by many goroutines. It prints as what it is for.
type Key interface {
	Spec() KeySpec
	Check() keyblock.CheckValue
	// Unload forgets it; from then on every use is an ErrKey.
	Unload()
}

// Module is one security module, or several that hold the same master key. All methods may be
// called by many goroutines at once. Those that may ask a machine on the network take a context,
// and return ErrUnavailable when it ends before the answer; if it has ended before, nothing is
// done. What each key may be used for is the same in all (KeySpec.Permit).
type Module interface {
	// Name is the driver's with its place, for operators: "soft", "pkcs11 slot 0".
	Name() string
	// Caps says what it can do, and where clear material is while it does.
	Caps() Caps
	// Random fills b.
	Random(ctx context.Context, b []byte) error

	// Generate makes a key.
	Generate(ctx context.Context, spec KeySpec) (Wrapped, error)
	// Form makes a key of its components, by XOR: 2 or more, each of the key's size, each entered
	// by another person. The caller clears them.
	Form(ctx context.Context, spec KeySpec, components [][]byte) (Wrapped, error)
	// Import takes a partner's key block under a key that both have (usage K1).
	Import(ctx context.Context, under Key, block string, want keyblock.Want) (Wrapped, error)
	// Export gives a key to a partner, as a key block under a key that both have. The header says
	// what the partner may do with it; its usage and algorithm are those of the key. A key whose
	// Export is N is an ErrKey.
	Export(ctx context.Context, under Key, key Wrapped, header keyblock.Header) (string, error)
	// Load makes a key ready. What isn't this module's, and a spec or check value that isn't the
	// block's, is an ErrKey.
	Load(ctx context.Context, w Wrapped) (Key, error)

	// TranslatePIN decrypts a PIN block and encrypts the PIN again, all in one operation.
	TranslatePIN(ctx context.Context, t PINTranslation) ([]byte, error)
	// MAC appends the code of the parts, taken as one message, to dst. The key's usage must be that
	// of the algorithm.
	MAC(ctx context.Context, key Key, how mac.Spec, dst []byte, parts ...[]byte) ([]byte, error)
	// VerifyMAC is nil, or ErrMAC, or says why it couldn't be told.
	VerifyMAC(ctx context.Context, key Key, how mac.Spec, code []byte, parts ...[]byte) error
	// PRF is AES-CMAC of a message under a key derivation key (usage B3, mode X): the secret of a
	// link's session comes from it (package envelope).
	PRF(ctx context.Context, key Key, message []byte) ([16]byte, error)
	// OpenP2PE appends the card data that a terminal encrypted under DUKPT to dst.
	OpenP2PE(ctx context.Context, p P2PE, dst []byte) ([]byte, error)
	// WrapData encrypts a data key of 32 bytes under a key encryption key (usage K0), UnwrapData
	// gives it back. Data keys live in the process; what they are for is in their use. The form is
	// AES key wrap (RFC 3394) where the module has it; what is altered or under another key is
	// refused.
	WrapData(ctx context.Context, under Key, data []byte) ([]byte, error)
	UnwrapData(ctx context.Context, under Key, wrapped []byte) ([]byte, error)

	// Close forgets all keys.
	Close() error
}

// PINTranslation is a PIN block on its way from one zone to the next.
type PINTranslation struct {
	From       Key // zone key (usage P0), or the base key (usage B0) of the terminal's DUKPT
	KSN        []byte
	KeyType    dukpt.KeyType // of the terminal's PIN key; for TDES DUKPT it is TDEA2
	FromFormat pinblock.Format
	To         Key // zone key (usage P0)
	ToFormat   pinblock.Format
	PAN        spec.PAN
	Block      []byte // 8 bytes, of format 4 16
}

// P2PE is card data that a terminal encrypted.
type P2PE struct {
	Base      Key           // usage B0
	KSN       []byte        // 10 bytes of TDES DUKPT, 12 of AES
	KeyType   dukpt.KeyType // of the data key; for TDES DUKPT it is TDEA2
	Direction Direction
	IV        []byte // nil is zeros
	Data      []byte // whole blocks
}

// Direction is which of the data keys of a DUKPT transaction is used.
type Direction uint8

// The directions. TDES DUKPT has the same key for both ways as for requests.
const (
	FromTerminal Direction = iota
	ToTerminal
	BothWays
)

// Usage is the usage of the data key, 0 if there is no such direction.
func (d Direction) Usage() dukpt.Usage {
	switch d {
	case FromTerminal:
		return dukpt.DataRequest
	case ToTerminal:
		return dukpt.DataResponse
	case BothWays:
		return dukpt.DataBoth
	}
	return 0
}

// Ended is an ErrUnavailable if the context has ended: what each method of a Module asks first.
func Ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
}

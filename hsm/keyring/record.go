package keyring

import (
	"fmt"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// State is how far a key is in its life.
type State string

// The states, in the order of a life. "Active" is in two steps because the partner must be able to
// open before we protect: a key is first accepted, then sent with.
const (
	Received  State = "received"  // made, formed or imported; nobody has compared check values
	Confirmed State = "confirmed" // both sides have the same key
	Accepting State = "accepting" // active (rx): opens what the partner protects with it
	Sending   State = "sending"   // active (tx): also protects
	Retiring  State = "retiring"  // opens what is still under way, until a date
	Destroyed State = "destroyed" // only the record is left, so that the key can't come back
)

// States lists them all, in order.
func States() []State {
	return []State{Received, Confirmed, Accepting, Sending, Retiring, Destroyed}
}

// rank orders the states; -1 is no state.
func (s State) rank() int {
	for i, known := range States() {
		if s == known {
			return i
		}
	}
	return -1
}

// Record is one generation of one key, with everything that is known of it. It has no clear key.
type Record struct {
	ID      ID
	Label   string // for people: who gave it, which ceremony; printable, at most 64 characters
	Maker   string // who made it, brought it in or asked for its ceremony; see approvable
	State   State
	Test    bool // of a test installation: production refuses it (PCI PIN requirement 19)
	Wrapped hsm.Wrapped

	Created     time.Time
	ActiveFrom  time.Time // since when it is accepted
	Expires     time.Time // end of the crypto-period: protects nothing from then on
	RetireUntil time.Time // of one that retires: opens until then
	Ended       time.Time // when it was destroyed
}

// Validate says what is wrong with a record that came from outside, as from a file.
func (r *Record) Validate() error {
	if err := r.ID.Slot.Validate(); err != nil {
		return err
	}
	live := r.State != Destroyed
	switch {
	case r.ID.Generation == 0:
		return fmt.Errorf("generations count from 1")
	case r.State.rank() < 0:
		return fmt.Errorf("%q is no state of a key", shown(string(r.State)))
	case len(r.Label) > 64 || !printable(r.Label):
		return fmt.Errorf("a label has at most 64 printable characters")
	case len(r.Maker) > 64 || !printable(r.Maker):
		return fmt.Errorf("who made it is of at most 64 printable characters")
	case r.Created.IsZero() || !r.Expires.After(r.Created):
		return fmt.Errorf("a key must expire after it was made")
	case r.State == Retiring && r.RetireUntil.IsZero():
		return fmt.Errorf("a key that retires needs a date")
	case live && r.Wrapped.Block == "":
		return fmt.Errorf("the key block is missing")
	case !live && r.Wrapped.Block != "":
		return fmt.Errorf("a destroyed key has a key block")
	}
	if err := r.Wrapped.Check.Validate(); err != nil {
		return err
	}
	return r.ID.Slot.Purpose.takes(r.Wrapped.Spec)
}

// printable holds for ASCII from space to tilde: what a terminal shows as it is.
func printable(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// usable tells whether a module must have the key ready.
func (r *Record) usable() bool {
	return r.State == Accepting || r.State == Sending || r.State == Retiring
}

// Check is the check value, for people and partners.
func (r *Record) Check() keyblock.CheckValue { return r.Wrapped.Check }

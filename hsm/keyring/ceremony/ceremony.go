// Package ceremony makes a key of components that several people enter, and one more approves.
//
// One person asks for it. Each custodian enters a component in a login of their own and sees its
// check value; after the last, the key is formed, the components are wiped and its check value is
// shown; the approver, who entered nothing and didn't ask, compares it with the paper and activates
// it. So at least three people act, and none alone, in whatever order, ever has a key or its parts
// (PCI PIN 6, 12 and 13, PCI DSS 3.7.6, reference crypto.md section 7).
//
// Who acted is remembered by name for the life of the ceremony: a change of roles in between opens
// no second way in. The one who asks may be one of the custodians, as asking shows nothing; never
// the approver.
//
// What may happen next is decided by pure functions of a State (state.go). A Room holds the
// components, in memory only, and wipes them at the latest when the time is up: one timer a
// ceremony, which ends with it.
package ceremony

import (
	"errors"
	"fmt"
	"time"

	"cardswitch/hsm/keyblock"
)

// Phase is how far a ceremony is.
type Phase string

// The phases.
const (
	Entering Phase = "entering" // components are awaited
	Formed   Phase = "formed"   // the check value is to be compared and approved
	Done     Phase = "done"     // the key is active
	Ended    Phase = "ended"    // cancelled, out of time, or failed
)

const (
	leastComponents = 2
	mostComponents  = 9
	// Within is how long a ceremony may take, with the walks to the safes.
	Within = 30 * time.Minute
)

// Person is who acts, by the name of the login, with what their roles allow at this moment.
type Person struct {
	Name      string
	Asks      bool // may ask for a ceremony: administrators and custodians
	Custodian bool
	Approver  bool
}

// Entry is a component that was entered. The component itself is not here.
type Entry struct {
	Who   string
	Check keyblock.CheckValue
	At    time.Time
}

// State is all of a ceremony that may be shown.
type State struct {
	ID       string // random, so that what was said for one doesn't count for another
	What     string // the key: "kbpk:sakura, AES of 256 bits"
	Label    string
	Count    int                  // components
	Method   keyblock.CheckMethod // of all check values
	AskedBy  string
	Started  time.Time
	Deadline time.Time
	Phase    Phase
	Entries  []Entry
	Check    keyblock.CheckValue // of the formed key
	Approver string
	Key      string // of one that is done: which key it became
	Why      string // of one that ended: why
}

// Refusal is something that may not be done in a ceremony, by this person or now.
type Refusal struct{ What, Hint string }

// Error tells why, and what to do.
func (r *Refusal) Error() string { return r.What + " (hint: " + r.Hint + ")" }

// ErrAbsent is a ceremony that isn't known, or no more.
var ErrAbsent = errors.New("there is no such ceremony (hint: key ceremony status lists them)")

func refuse(hint, what string, args ...any) error {
	return &Refusal{fmt.Sprintf(what, args...), hint}
}

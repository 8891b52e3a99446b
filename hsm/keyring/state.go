package keyring

import (
	"fmt"
	"time"
)

// Step is what is done to a key.
type Step string

// The steps.
const (
	Confirm  Step = "confirm"  // the check values were compared
	Activate Step = "activate" // open what the partner protects with it
	Send     Step = "send"     // protect with it from now on
	Retire   Step = "retire"   // only open, until the window ends
	Destroy  Step = "destroy"  // forget it
)

// Steps lists them all.
func Steps() []Step { return []Step{Confirm, Activate, Send, Retire, Destroy} }

// StepError is a step that a key's state, date or direction doesn't allow.
type StepError struct {
	ID   ID
	Step Step
	Why  string
	Hint string
}

// Error tells what was asked of which key, and why it can't be.
func (e *StepError) Error() string {
	return fmt.Sprintf("%s %s: %s (hint: %s)", e.Step, e.ID, e.Why, e.Hint)
}

// step gives the record after a step, or a StepError. Pure: now and the window, for which a
// retiring key still opens, come from outside.
func step(r Record, s Step, now time.Time, window time.Duration) (Record, error) {
	refuse := func(why, hint string) (Record, error) {
		return r, &StepError{r.ID, s, why, hint}
	}
	if r.State == Destroyed {
		return refuse("it is destroyed", "make a new generation")
	}
	expired := !now.Before(r.Expires)
	if expired && (s == Confirm || s == Activate || s == Send) {
		return refuse("its crypto-period has ended", "make a new generation")
	}
	wrong := func(from State) (Record, error) {
		return refuse("it is "+string(r.State), fmt.Sprintf("only a key that is %s can", from))
	}
	switch s {
	case Confirm:
		if r.State != Received {
			return wrong(Received)
		}
		r.State = Confirmed
	case Activate:
		if r.State != Confirmed {
			return wrong(Confirmed)
		}
		r.State, r.ActiveFrom = Accepting, now
	case Send:
		if r.State != Accepting {
			return wrong(Accepting)
		}
		if r.ID.Slot.Direction == In {
			return refuse("it is for what the partner protects", "we send with a key of direction out")
		}
		r.State = Sending
	case Retire:
		if r.State != Accepting && r.State != Sending {
			return refuse("it is "+string(r.State), "only an active key retires; destroy it instead")
		}
		r.State, r.RetireUntil = Retiring, now.Add(window)
	case Destroy:
		if r.State == Sending || r.State == Accepting {
			return refuse("it is active", "retire it first")
		}
		r.State, r.Ended, r.Wrapped.Block = Destroyed, now, ""
	default:
		return refuse("there is no such step", "confirm, activate, send, retire or destroy")
	}
	return r, nil
}

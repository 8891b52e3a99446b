package keyring

import (
	"errors"
	"fmt"
)

// In production nobody alone brings a key into service on which others depend (PCI PIN 13 and 18,
// PCI DSS 3.7.6). A KBPK comes of a ceremony only: one that a single person makes or brings in
// would let that person choose what the other keys travel under. A BDK may come in a partner's
// block and a KEK be made in the module, where nobody sees them; a second person puts them in
// service.

// ErrCeremony is a key that production takes from a ceremony only.
var ErrCeremony = errors.New("in production such a key is made by several people (hint: hold its " +
	"ceremony: cardswitch key ceremony start)")

// Dual tells whether it takes two people to bring a key of the purpose into service in production.
func (p Purpose) Dual() bool { return p == KBPK || p == BDK || p == KEK }

// alone says why one person may not make or bring in a key of a slot.
func (r *Ring) alone(slot Slot) error {
	if r.options.Production && slot.Purpose == KBPK {
		return fmt.Errorf("key %s: %w", slot, ErrCeremony)
	}
	return nil
}

// approvable says why a person may not do a step that brings a key nearer to its service: whoever
// made it may not, by whatever role. That a role is needed at all is the matter of the doors.
func (r *Ring) approvable(s Set, by By, id ID, what Step) error {
	if !r.options.Production || !id.Slot.Purpose.Dual() || !what.Advances() {
		return nil
	}
	if record, ok := s.Get(id); ok && (by.Who == "" || by.Who == record.Maker) {
		return &StepError{id, what, "whoever made it doesn't put it in service",
			"an approver does, who is another person"}
	}
	return nil
}

// Advances tells whether a step brings a key nearer to its service, and not to its end.
func (s Step) Advances() bool { return s != Retire && s != Destroy }

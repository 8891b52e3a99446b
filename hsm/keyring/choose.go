package keyring

import (
	"fmt"
	"time"
)

// RefusedError is a key that may not be used now.
type RefusedError struct {
	Slot       Slot
	Generation uint16 // 0: any
	Why        string
	Hint       string
}

// Error names the key and why it isn't used.
func (e *RefusedError) Error() string {
	name := e.Slot.String()
	if e.Generation != 0 {
		name = ID{e.Slot, e.Generation}.String()
	}
	return fmt.Sprintf("key %s: %s (hint: %s)", name, e.Why, e.Hint)
}

// Sender is the generation to protect with now. An expired key protects nothing more (PCI DSS
// 3.7.4); an older one doesn't stand in for it.
func (s Set) Sender(slot Slot, now time.Time) (Record, error) {
	generations := s.Generations(slot)
	for i := len(generations) - 1; i >= 0; i-- {
		r := generations[i]
		if r.State != Sending {
			continue
		}
		if !now.Before(r.Expires) {
			return Record{}, &RefusedError{slot, r.ID.Generation, "its crypto-period has ended",
				"change the key"}
		}
		return r, nil
	}
	return Record{}, &RefusedError{slot, 0, "no generation is active", "make or exchange a key"}
}

// Opener is the record of the generation that a message names, if that may be opened now. It is
// never found by trial: a message under a generation that isn't accepted is refused (917, 919).
func (s Set) Opener(slot Slot, generation uint16, now time.Time) (Record, error) {
	refuse := func(why, hint string) (Record, error) {
		return Record{}, &RefusedError{slot, generation, why, hint}
	}
	r, ok := s.Get(ID{slot, generation})
	if !ok {
		return refuse("there is no such generation", "exchange the key with the partner")
	}
	switch r.State {
	case Received, Confirmed:
		return refuse("it isn't active yet", "activate it")
	case Destroyed:
		return refuse("it is destroyed", "the partner must use a newer one")
	case Retiring:
		if !now.Before(r.RetireUntil) {
			return refuse("it has retired", "the partner must use a newer one")
		}
	}
	// A session under a link key protects both ways, so it is new protection.
	if slot.Purpose == ZEK && !now.Before(r.Expires) {
		return refuse("its crypto-period has ended", "exchange the key with the partner")
	}
	return r, nil
}

// Openers are the generations of a slot that are accepted now, the oldest first.
func (s Set) Openers(slot Slot, now time.Time) []Record {
	var open []Record
	for _, r := range s.Generations(slot) {
		if _, err := s.Opener(slot, r.ID.Generation, now); err == nil {
			open = append(open, r)
		}
	}
	return open
}

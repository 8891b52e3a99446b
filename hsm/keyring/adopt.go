package keyring

import (
	"context"
	"fmt"

	"cardswitch/hsm"
)

// adopter is a module in which a key is in two places, one of which has a console for components
// (package split).
type adopter interface {
	Adopt(ctx context.Context, w hsm.Wrapped, block string) (hsm.Wrapped, error)
}

// Adopt gives a KBPK that a ceremony formed here its place in a security module with a console:
// block is what the console gave for the same components. The check values must agree. In
// production it isn't who asked for the ceremony that does it.
func (r *Ring) Adopt(ctx context.Context, by By, id ID, block string) (Record, error) {
	e := Event{By: by, What: "adopt", Key: id.String()}
	fail := func(err error) (Record, error) {
		return Record{}, r.refused(ctx, e, fmt.Errorf("adopt %s: %w", id, err))
	}
	console, ok := r.options.Module.(adopter)
	if !ok {
		return fail(fmt.Errorf("%w: %s has no console (hint: hold a ceremony)", hsm.ErrAbsent,
			r.options.Module.Name()))
	}
	old, ok := r.Set().Get(id)
	if !ok || id.Slot.Purpose != KBPK || old.State == Destroyed {
		return fail(&RefusedError{id.Slot, id.Generation, "there is no such KBPK",
			"hold its ceremony here first"})
	}
	w, err := console.Adopt(ctx, old.Wrapped, block)
	if err != nil {
		return fail(err)
	}
	err = r.change(ctx, e, func(s Set) (Set, error) {
		if err := r.approvable(s, by, id, "adopt"); err != nil {
			return s, err
		}
		return s.rewrap(id, old.Wrapped, w)
	})
	record, _ := r.Set().Get(id)
	return record, err
}

// rewrap puts another form of the same key in the place of the one that is known.
func (s Set) rewrap(id ID, old, w hsm.Wrapped) (Set, error) {
	at, ok := s.find(id)
	if !ok || s.records[at].Wrapped != old || !w.Check.Matches(old.Check) || w.Spec != old.Spec {
		return s, fmt.Errorf("key %s has changed meanwhile (hint: try again)", id)
	}
	records := append([]Record(nil), s.records...)
	records[at].Wrapped = w
	return Set{records}, nil
}

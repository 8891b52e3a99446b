package keyring

import (
	"context"
	"errors"
	"fmt"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// Forming is a key that a ceremony makes (package ceremony): formed of its components in the
// module, and kept out of the ring until it is approved.
type Forming struct {
	ring    *Ring
	plan    Plan
	wrapped hsm.Wrapped
}

// Forming begins a key of components. The error says why such a key can't be.
func (r *Ring) Forming(p Plan) (*Forming, hsm.KeySpec, error) {
	if err := p.Slot.Validate(); err != nil {
		return nil, hsm.KeySpec{}, err
	}
	spec, err := p.Slot.Purpose.Spec(p.Algorithm, p.Size)
	if err == nil {
		_, err = r.Set().Next(p.Slot)
	}
	return &Forming{ring: r, plan: p}, spec, err
}

// Form makes the key. The caller clears the components.
func (f *Forming) Form(ctx context.Context, components [][]byte) (keyblock.CheckValue, error) {
	spec, err := f.plan.Slot.Purpose.Spec(f.plan.Algorithm, f.plan.Size)
	if err == nil {
		f.wrapped, err = f.ring.options.Module.Form(ctx, spec, components)
	}
	return f.wrapped.Check, err
}

// Activate puts the key in the ring and into service, by the approver.
func (f *Forming) Activate(ctx context.Context, asked, approver, id string) (string, error) {
	if f.wrapped.Block == "" {
		return "", errors.New("there is no key to activate (hint: start the ceremony again)")
	}
	by := By{approver, "approver", fmt.Sprintf("ceremony %s, asked for by %s", id, asked)}
	w, plan := f.wrapped, f.plan
	plan.maker = asked
	record, err := f.ring.create(ctx, Event{By: by, What: "form"}, plan,
		func(hsm.KeySpec) (hsm.Wrapped, error) { return w, nil })
	if err == nil {
		record, err = f.ring.Serve(ctx, by, record.ID)
	}
	f.Drop()
	return record.ID.String(), err
}

// Drop forgets a key that wasn't activated.
func (f *Forming) Drop() { f.wrapped = hsm.Wrapped{} }

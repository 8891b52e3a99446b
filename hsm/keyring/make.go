package keyring

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// Plan is a key that is to be.
type Plan struct {
	Slot      Slot
	Algorithm keyblock.Algorithm // "" is AES
	Size      int                // bytes; 0 is the longest
	Label     string
	// Generation is the one that the partner gave the key; 0: the next one.
	Generation uint16

	maker string // who counts as the maker; "" is who acts
}

// Generate makes a key in the module, as the next generation of its slot. It is received: Step
// brings it further.
func (r *Ring) Generate(ctx context.Context, by By, p Plan) (Record, error) {
	e := Event{By: by, What: "generate"}
	if err := r.alone(p.Slot); err != nil {
		e.Key = p.Slot.String()
		return Record{}, r.refused(ctx, e, err)
	}
	return r.create(ctx, e, p,
		func(spec hsm.KeySpec) (hsm.Wrapped, error) { return r.options.Module.Generate(ctx, spec) })
}

// Import takes a partner's key block under a KBPK of the same center, as the next generation of a
// slot. What the block says of the key must be what the slot is for; algorithm and size come from
// it, and if the plan names them they must be those.
func (r *Ring) Import(ctx context.Context, by By, p Plan, under uint16,
	block string) (Record, error) {
	e := Event{By: by, What: "import"}
	if err := r.alone(p.Slot); err != nil {
		e.Key = p.Slot.String()
		return Record{}, r.refused(ctx, e, err)
	}
	return r.create(ctx, e, p,
		func(hsm.KeySpec) (hsm.Wrapped, error) { return r.open(ctx, p, under, block) })
}

// open reads a partner's key block.
func (r *Ring) open(ctx context.Context, p Plan, under uint16, block string) (hsm.Wrapped, error) {
	kbpk, err := r.Opener(Slot{Purpose: KBPK, Center: p.Slot.Center}, under)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	want := p.Slot.Purpose.Want()
	if p.Algorithm != "" {
		want.Algorithms = []keyblock.Algorithm{p.Algorithm}
	}
	w, err := r.options.Module.Import(ctx, kbpk, block, want)
	if err == nil && p.Size != 0 && w.Spec.Size != p.Size {
		err = fmt.Errorf("the key has %d bits, not %d", 8*w.Spec.Size, 8*p.Size)
	}
	return w, err
}

// Same tells whether a partner's key block holds a key that we have, as when it comes again because
// our answer was lost.
func (r *Ring) Same(ctx context.Context, id ID, under uint16, block string) (bool, error) {
	record, ok := r.Set().Get(id)
	if !ok {
		return false, nil
	}
	w, err := r.open(ctx, Plan{Slot: id.Slot}, under, block)
	return err == nil && w.Check.Matches(record.Check()), err
}

// create asks for a key and keeps it. Changes are not held up while the module works; the key gets
// its generation afterwards.
func (r *Ring) create(ctx context.Context, e Event, p Plan,
	make func(hsm.KeySpec) (hsm.Wrapped, error)) (Record, error) {
	e.Key = p.Slot.String()
	if err := p.Slot.Validate(); err != nil {
		return Record{}, err
	}
	spec, err := p.Slot.Purpose.Spec(p.Algorithm, p.Size)
	if err == nil {
		_, err = r.Set().Next(p.Slot)
	}
	if err != nil {
		return Record{}, r.refused(ctx, e, err)
	}
	w, err := make(spec)
	if err != nil {
		return Record{}, r.refused(ctx, e, fmt.Errorf("%s %s: %w", e.What, p.Slot, err))
	}
	now := time.Now()
	record := Record{
		ID: ID{Slot: p.Slot}, Label: p.Label, Maker: cmp.Or(p.maker, e.Who), State: Received,
		Test:    !r.options.Production,
		Wrapped: w, Created: now, Expires: now.Add(r.Policy(p.Slot.Purpose).Period),
	}
	err = r.change(ctx, e, func(s Set) (Set, error) {
		next, err := s.Next(p.Slot)
		if err != nil {
			return s, err
		}
		record.ID.Generation = cmp.Or(p.Generation, next)
		return s.Add(record)
	})
	if err != nil {
		return Record{}, err
	}
	return record, nil
}

// Step does a step to a key.
func (r *Ring) Step(ctx context.Context, by By, id ID, what Step) (Record, error) {
	e := Event{By: by, What: string(what), Key: id.String()}
	err := r.change(ctx, e, func(s Set) (Set, error) {
		if err := r.approvable(s, by, id, what); err != nil {
			return s, err
		}
		return s.Step(id, what, time.Now(), r.Policy(id.Slot.Purpose).Window)
	})
	record, _ := r.Set().Get(id)
	return record, err
}

// Serve brings a key as far as its direction goes: confirmed, accepted and, if we protect with it,
// sent with. For keys that both sides are known to have, as after a ceremony.
func (r *Ring) Serve(ctx context.Context, by By, id ID) (Record, error) {
	e := Event{By: by, What: "serve", Key: id.String()}
	err := r.change(ctx, e, func(s Set) (Set, error) {
		window, now := r.Policy(id.Slot.Purpose).Window, time.Now()
		if _, ok := s.Get(id); !ok {
			return s, &StepError{id, Send, "there is no such key", "key list shows all"}
		}
		if err := r.approvable(s, by, id, Send); err != nil {
			return s, err
		}
		for _, what := range []Step{Confirm, Activate, Send} {
			record, _ := s.Get(id)
			skip := what == Confirm && record.State == Confirmed ||
				what != Send && record.State == Accepting ||
				what == Send && id.Slot.Direction == In
			if skip {
				continue
			}
			var err error
			if s, err = s.Step(id, what, now, window); err != nil {
				return s, err
			}
		}
		return s, nil
	})
	record, _ := r.Set().Get(id)
	return record, err
}

// Tend does what is due and needs nobody's decision: it retires and destroys. What remains, as
// rotations, it returns.
func (r *Ring) Tend(ctx context.Context, by By) ([]Task, error) {
	var left []Task
	for _, task := range r.Due() {
		what := Retire
		switch task.What {
		case RetireNow:
		case DestroyNow:
			what = Destroy
		default:
			left = append(left, task)
			continue
		}
		by.Why = task.Why
		if _, err := r.Step(ctx, by, task.ID, what); err != nil {
			return left, err
		}
	}
	return left, nil
}

// Export gives a key to a partner as a key block under the KBPK that we send with: version D under
// AES, B under TDES. The partner may not send it on.
func (r *Ring) Export(ctx context.Context, by By, id ID) (string, error) {
	e := Event{By: by, What: "export", Key: id.String()}
	block, err := r.export(ctx, id)
	if err != nil {
		return "", r.refused(ctx, e, fmt.Errorf("export %s: %w", id, err))
	}
	if err := r.tell(ctx, e, nil); err != nil {
		return "", err
	}
	return block, nil
}

func (r *Ring) export(ctx context.Context, id ID) (string, error) {
	record, ok := r.Set().Get(id)
	if !ok || record.State == Destroyed || record.State == Retiring {
		return "", &RefusedError{id.Slot, id.Generation, "it isn't there, or its time is over",
			"key list shows all"}
	}
	if id.Slot.Purpose == KBPK || id.Slot.Center == "" {
		return "", &RefusedError{id.Slot, id.Generation, "such a key isn't given to a partner",
			"a key block protection key is formed of components on both sides"}
	}
	kbpk, _, err := r.Sender(Slot{Purpose: KBPK, Center: id.Slot.Center})
	if err != nil {
		return "", err
	}
	spec := record.Wrapped.Spec
	header := keyblock.Header{Version: keyblock.VersionD, Usage: spec.Usage,
		Algorithm: spec.Algorithm, Mode: spec.Mode, Export: keyblock.ExportN,
		Context: keyblock.ContextExchange}
	if kbpk.Spec().Algorithm == keyblock.TDES {
		header.Version = keyblock.VersionB
	}
	return r.options.Module.Export(ctx, kbpk, record.Wrapped, header)
}

package soft

import (
	"context"
	"fmt"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// Generate makes a key.
func (m *Module) Generate(ctx context.Context, spec hsm.KeySpec) (hsm.Wrapped, error) {
	if err := m.start(ctx, hsm.Generate); err != nil {
		return hsm.Wrapped{}, err
	}
	if err := spec.Validate(); err != nil {
		return hsm.Wrapped{}, err
	}
	return m.wrap(spec, func() (keyblock.Key, error) {
		return keyblock.RandomKey(spec.Algorithm, spec.Size, nil)
	})
}

// Form makes a key of its components, as KeySpec.Combine does.
func (m *Module) Form(ctx context.Context, spec hsm.KeySpec, components [][]byte) (
	hsm.Wrapped, error) {
	if err := m.start(ctx, hsm.Form); err != nil {
		return hsm.Wrapped{}, err
	}
	if err := spec.Validate(); err != nil {
		return hsm.Wrapped{}, err
	}
	return m.wrap(spec, func() (keyblock.Key, error) { return spec.Combine(components) })
}

// wrap makes a key and puts it into a block under the master key.
func (m *Module) wrap(spec hsm.KeySpec, from func() (keyblock.Key, error)) (hsm.Wrapped, error) {
	w := hsm.Wrapped{Spec: spec}
	err := m.withMaster(func(master []byte) error {
		k, err := from()
		defer k.Wipe()
		if err != nil {
			return err
		}
		return seal(&w, master, k)
	})
	if err != nil {
		return hsm.Wrapped{}, err
	}
	return w, nil
}

// seal fills in the block and the check value.
func seal(w *hsm.Wrapped, master []byte, k keyblock.Key) error {
	var err error
	if w.Check, err = w.Spec.CheckValue(k); err != nil {
		return err
	}
	w.Block, err = keyblock.Wrap(master, w.Spec.Header(keyblock.VersionD, keyblock.ContextStorage),
		k, keyblock.Options{})
	return err
}

// open gives the key of a block that this module made. The caller wipes it.
func open(master []byte, w hsm.Wrapped) (keyblock.Key, error) {
	h, k, err := keyblock.Unwrap(master, w.Block, keyblock.Want{
		Versions:   []keyblock.Version{keyblock.VersionD},
		Usages:     []keyblock.Usage{w.Spec.Usage},
		Algorithms: []keyblock.Algorithm{w.Spec.Algorithm},
		Modes:      []keyblock.Mode{w.Spec.Mode},
		Exports:    []keyblock.Export{w.Spec.Export},
		Context:    keyblock.ContextStorage,
	})
	if err != nil {
		return k, fmt.Errorf("%w: %w", hsm.ErrKey, err)
	}
	check, err := w.Spec.CheckValue(k)
	switch {
	case err != nil:
	case h.Context != keyblock.ContextStorage:
		err = fmt.Errorf("%w: its block isn't for storage", hsm.ErrKey)
	case !check.Matches(w.Check):
		err = fmt.Errorf("%w: its check value isn't the one that is kept with it", hsm.ErrKey)
	}
	if err != nil {
		k.Wipe()
	}
	return k, err
}

// Load makes a key ready. A key that isn't this module's is an ErrKey, and so is one whose spec or
// check value isn't that of the block.
func (m *Module) Load(ctx context.Context, w hsm.Wrapped) (hsm.Key, error) {
	if err := hsm.Ended(ctx); err != nil {
		return nil, err
	}
	if err := w.Spec.Validate(); err != nil {
		return nil, err
	}
	k := &key{module: m, spec: w.Spec, check: w.Check}
	if err := m.withMaster(func(master []byte) (err error) {
		if k.raw, err = open(master, w); err != nil {
			return err
		}
		return k.prepare()
	}); err != nil {
		k.forget()
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.loaded == nil {
		k.forget()
		return nil, errClosed
	}
	m.loaded[k] = struct{}{}
	return k, nil
}

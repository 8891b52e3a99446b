package soft

import (
	"context"
	"fmt"
	"math/bits"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

const leastStrength = 80 // bits of security: two-key TDES, not single DES under another name

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

// Form makes a key of its components. Those of TDES may have any parity; the key gets odd parity.
func (m *Module) Form(ctx context.Context, spec hsm.KeySpec, components [][]byte) (
	hsm.Wrapped, error) {
	if err := m.start(ctx, hsm.Form); err != nil {
		return hsm.Wrapped{}, err
	}
	if err := spec.Validate(); err != nil {
		return hsm.Wrapped{}, err
	}
	for i, c := range components {
		if len(c) != spec.Size {
			return hsm.Wrapped{}, fmt.Errorf("component %d has %d bytes, the key %d", i+1, len(c),
				spec.Size)
		}
	}
	return m.wrap(spec, func() (keyblock.Key, error) { return combine(spec.Algorithm, components) })
}

// combine keeps no component.
func combine(algorithm keyblock.Algorithm, components [][]byte) (keyblock.Key, error) {
	keys := make([]keyblock.Key, 0, len(components))
	defer func() {
		for _, k := range keys {
			k.Wipe()
		}
	}()
	for _, c := range components {
		k, err := keyblock.NewKey(algorithm, c)
		if err != nil {
			return keyblock.Key{}, err
		}
		keys = append(keys, k)
	}
	sum, err := keyblock.Combine(false, keys...)
	if err != nil || algorithm != keyblock.TDES {
		return sum, err
	}
	return sum, sum.Use(func(raw []byte) error {
		for i, b := range raw {
			raw[i] = b ^ byte(bits.OnesCount8(b)&1^1)
		}
		return nil
	})
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
	if k.Strength() < leastStrength {
		return fmt.Errorf("%w: it has only %d bits of security (hint: its parts may be equal)",
			hsm.ErrKey, k.Strength())
	}
	method, size := w.Spec.CheckMethod()
	var err error
	if w.Check, err = k.CheckValue(method, size); err != nil {
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
	method, size := w.Spec.CheckMethod()
	check, err := k.CheckValue(method, size)
	switch {
	case err != nil:
	case h.Context != keyblock.ContextStorage:
		err = fmt.Errorf("%w: its block isn't for storage", hsm.ErrKey)
	case k.Size() != w.Spec.Size:
		err = fmt.Errorf("%w: it has %d bytes, not %d", hsm.ErrKey, k.Size(), w.Spec.Size)
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

package keyring

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// What is here gives one person a key in clear, for installations where only test keys are: a
// partner's simulator must get its keys somehow. Production refuses it.

// ErrProduction is what only a test installation does.
var ErrProduction = errors.New("production has no clear keys (hint: hold a ceremony, or use key " +
	"blocks under a KBPK)")

// FormInClear makes a key of components in hexadecimal digits that one person gives, without a
// ceremony.
func (r *Ring) FormInClear(ctx context.Context, by By, p Plan, digits []string) (Record, error) {
	e := Event{By: by, What: "form in clear", Key: p.Slot.String()}
	if r.options.Production {
		return Record{}, r.refused(ctx, e, ErrProduction)
	}
	parts := make([][]byte, 0, len(digits))
	for _, d := range digits {
		part, err := hex.DecodeString(d)
		if err != nil {
			return Record{}, errors.New("a component is of pairs of hexadecimal digits")
		}
		defer clear(part)
		parts = append(parts, part)
	}
	return r.create(ctx, e, p, func(spec hsm.KeySpec) (hsm.Wrapped, error) {
		return r.options.Module.Form(ctx, spec, parts)
	})
}

// Reveal gives two components of a traffic key. The module exports it, as to a partner, under a key
// that is made for this and forgotten.
func (r *Ring) Reveal(ctx context.Context, by By, id ID) ([]string, error) {
	e := Event{By: by, What: "reveal", Key: id.String()}
	if r.options.Production {
		return nil, r.refused(ctx, e, ErrProduction)
	}
	record, ok := r.Set().Get(id)
	if !ok || record.Wrapped.Block == "" {
		return nil, r.refused(ctx, e, &RefusedError{id.Slot, id.Generation, "it isn't there",
			"key list shows all"})
	}
	parts, err := r.reveal(ctx, record.Wrapped)
	if err != nil {
		return nil, r.refused(ctx, e, fmt.Errorf("reveal %s: %w", id, err))
	}
	if err := r.tell(ctx, e, nil); err != nil {
		return nil, err // nobody sees what isn't recorded
	}
	return parts, nil
}

func (r *Ring) reveal(ctx context.Context, w hsm.Wrapped) ([]string, error) {
	var one, two [32]byte
	defer clear(one[:])
	defer clear(two[:])
	for _, random := range [][]byte{one[:], two[:]} {
		if _, err := rand.Read(random); err != nil {
			return nil, err
		}
	}
	spec, err := KBPK.Spec(keyblock.AES, len(one))
	if err != nil {
		return nil, err
	}
	formed, err := r.options.Module.Form(ctx, spec, [][]byte{one[:], two[:]})
	if err != nil {
		return nil, err
	}
	under, err := r.options.Module.Load(ctx, formed)
	if err != nil {
		return nil, err
	}
	defer under.Unload()
	block, err := r.options.Module.Export(ctx, under, w, keyblock.Header{
		Version: keyblock.VersionD, Usage: w.Spec.Usage, Algorithm: w.Spec.Algorithm,
		Mode: w.Spec.Mode, Export: keyblock.ExportN, Context: keyblock.ContextExchange})
	if err != nil {
		return nil, err
	}
	for i := range one {
		one[i] ^= two[i]
	}
	_, key, err := keyblock.Unwrap(one[:], block, keyblock.Want{
		Versions: []keyblock.Version{keyblock.VersionD}, Usages: []keyblock.Usage{w.Spec.Usage},
		Algorithms: []keyblock.Algorithm{w.Spec.Algorithm}, Modes: []keyblock.Mode{w.Spec.Mode},
		Exports: []keyblock.Export{keyblock.ExportN}, Context: keyblock.ContextExchange})
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	return split(key)
}

// split gives two components of a key, as digits.
func split(key keyblock.Key) (parts []string, err error) {
	err = key.Use(func(raw []byte) error {
		random := make([]byte, len(raw))
		defer clear(random)
		if _, err := rand.Read(random); err != nil {
			return err
		}
		rest := make([]byte, len(raw))
		defer clear(rest)
		for i := range raw {
			rest[i] = raw[i] ^ random[i]
		}
		parts = []string{fmt.Sprintf("%X", random), fmt.Sprintf("%X", rest)}
		return nil
	})
	return parts, err
}

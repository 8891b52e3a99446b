package payshield

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// Generate makes a key by A0. If no answer comes, a key was perhaps made, but nobody has it.
func (m *Module) Generate(ctx context.Context, spec hsm.KeySpec) (hsm.Wrapped, error) {
	if err := m.start(ctx, hsm.Generate); err != nil {
		return hsm.Wrapped{}, err
	}
	if err := supports(spec); err != nil {
		return hsm.Wrapped{}, err
	}
	fields, err := askMakeKey(spec, m.config.LMK)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	return m.made(ctx, makeKey, fields, spec)
}

// made asks for a key and holds the answer against what was asked for.
func (m *Module) made(ctx context.Context, c command, fields []byte, spec hsm.KeySpec) (
	hsm.Wrapped, error) {
	rest, err := m.ask(ctx, c, fields)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	got, err := readKey(rest)
	if err != nil {
		return hsm.Wrapped{}, unreadable(c, err)
	}
	h, err := readHeader(got.block)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	if err := h.describes(spec); err != nil {
		return hsm.Wrapped{}, err
	}
	return hsm.Wrapped{Spec: spec, Block: got.block, Check: checkValue(spec, got.check)}, nil
}

// Form is absent: clear components are entered at a unit's console. See FormBlocks and Adopt.
func (m *Module) Form(ctx context.Context, _ hsm.KeySpec, _ [][]byte) (hsm.Wrapped, error) {
	return hsm.Wrapped{}, m.start(ctx, hsm.Form)
}

// FormBlocks makes a key of 2 to 9 components, each a key block under the LMK that one person had
// made at a unit's console. All say what the key is for.
func (m *Module) FormBlocks(ctx context.Context, spec hsm.KeySpec, components []string) (
	hsm.Wrapped, error) {
	if err := m.start(ctx, hsm.Generate); err != nil {
		return hsm.Wrapped{}, err
	}
	if err := supports(spec); err != nil {
		return hsm.Wrapped{}, err
	}
	if n := len(components); n < 2 || n > 9 {
		return hsm.Wrapped{}, fmt.Errorf("payshield: %w: a key has 2 to 9 components, not %d",
			hsm.ErrKey, n)
	}
	for i, c := range components {
		h, err := readHeader(c)
		if err == nil {
			err = h.describes(spec)
		}
		if err == nil && !h.component() {
			err = fmt.Errorf("%w: it is a whole key", hsm.ErrKey)
		}
		if err != nil {
			return hsm.Wrapped{}, fmt.Errorf("component %d: %w", i+1, err)
		}
	}
	return m.made(ctx, joinKey, askJoinKey(components, m.config.LMK), spec)
}

// Import takes a partner's key block by A6. The header is held against want here; whether the block
// is authentic, and no stronger than the key it is under, the unit tells. The length of the key is
// as certain as the lengths of both blocks are.
func (m *Module) Import(ctx context.Context, under hsm.Key, block string, want keyblock.Want) (
	hsm.Wrapped, error) {
	if err := m.start(ctx, hsm.Import); err != nil {
		return hsm.Wrapped{}, err
	}
	kbpk, err := m.mine(under, hsm.ToImport)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	h, err := keyblock.Parse(block)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	if err := admit(&h, &want, kbpk); err != nil {
		return hsm.Wrapped{}, err
	}
	rest, err := m.ask(ctx, importKey, askImportKey(kbpk.block, block, m.config.LMK))
	if err != nil {
		return hsm.Wrapped{}, notImported(err)
	}
	got, err := readKey(rest)
	if err != nil {
		return hsm.Wrapped{}, unreadable(importKey, err)
	}
	return imported(got, &h, &want)
}

// admit says why a block isn't sent to the unit at all.
func admit(h *keyblock.Header, want *keyblock.Want, under *key) error {
	if err := wanted(h, want); err != nil {
		return err
	}
	if cipher(h.Version) != under.spec.Algorithm {
		return fmt.Errorf("payshield: %w: it is of version %s", keyblock.ErrKBPK, h.Version)
	}
	if check, ok := h.CheckValue(keyblock.KP); ok && check.Method == under.check.Method &&
		!check.Matches(under.check) {
		return unwanted("its KBPK has another check value")
	}
	sizes := lengths(h.Algorithm)
	if len(sizes) == 0 {
		return fmt.Errorf("payshield: %w: it is a key of %s", hsm.ErrKey, h.Algorithm.Text())
	}
	return supports(hsm.SpecOf(*h, sizes[0]))
}

// cipher is the algorithm of the key that a block of that version is under.
func cipher(v keyblock.Version) keyblock.Algorithm {
	if v == keyblock.VersionD || v == keyblock.VersionE {
		return keyblock.AES
	}
	return keyblock.TDES
}

func unwanted(format string, args ...any) error {
	return fmt.Errorf("payshield: %w: %s", keyblock.ErrUnwanted, fmt.Sprintf(format, args...))
}

// wanted says why a key isn't wanted, as keyblock.Unwrap does with a key at hand.
func wanted(h *keyblock.Header, w *keyblock.Want) error {
	context := keyblock.ContextAny
	if h.Context != "" {
		context = h.Context
	}
	switch {
	case !slices.Contains(w.Versions, h.Version):
		return unwanted("it is in a block of version %s", h.Version)
	case !slices.Contains(w.Usages, h.Usage):
		return unwanted("its usage is %s (%s)", h.Usage, h.Usage.Text())
	case !slices.Contains(w.Algorithms, h.Algorithm):
		return unwanted("its algorithm is %s (%s)", h.Algorithm, h.Algorithm.Text())
	case !slices.Contains(w.Modes, h.Mode):
		return unwanted("its mode of use is %s", h.Mode)
	case !slices.Contains(w.Exports, h.Export):
		return unwanted("its exportability is %s", h.Export)
	case h.IsComponent():
		return unwanted("it is a component, not a whole key")
	case len(w.KeyVersions) > 0 && !slices.Contains(w.KeyVersions, h.KeyVersion):
		return unwanted("its version is %s", h.KeyVersion)
	case context != keyblock.ContextAny && context != w.Context:
		return unwanted("its block is for another context than this")
	}
	return nil
}

// notImported says with keyblock's errors why a unit took no key: it is the partner's block that is
// wrong, and not a key of this module.
func notImported(err error) error {
	var refused *Error
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Code {
	case "84", "A4":
		return fmt.Errorf("payshield: %w: %s", keyblock.ErrForged, refused.meaning())
	case "83":
		return fmt.Errorf("payshield: %w: %s", keyblock.ErrMalformed, refused.meaning())
	case "A5", "A6", "A7", "A8", "A9", "AA":
		return fmt.Errorf("payshield: %w: %s", keyblock.ErrUnwanted, refused.meaning())
	case "BB":
		return fmt.Errorf("payshield: %w: %s", keyblock.ErrKBPK, refused.meaning())
	}
	return err
}

// imported holds the unit's answer against the partner's header.
func imported(got made, h *keyblock.Header, want *keyblock.Want) (hsm.Wrapped, error) {
	own, err := readHeader(got.block)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	size := length(own.sizes, h.Algorithm, want)
	if size == 0 {
		return hsm.Wrapped{}, unwanted("no key of the wanted strength is in a block of that length")
	}
	w := hsm.Wrapped{Spec: hsm.SpecOf(*h, size), Block: got.block}
	if err := supports(w.Spec); err != nil {
		return hsm.Wrapped{}, err
	}
	if err := own.describes(w.Spec); err != nil {
		return hsm.Wrapped{}, err
	}
	w.Check = checkValue(w.Spec, got.check)
	if check, ok := h.CheckValue(keyblock.KC); ok && check.Method == w.Check.Method &&
		!check.Matches(w.Check) {
		return hsm.Wrapped{}, unwanted("it has another check value than its block says")
	}
	return w, nil
}

// length is the shortest length that the block's length allows and that is wanted; 0 if none is.
func length(fit []int, a keyblock.Algorithm, want *keyblock.Want) int {
	if fit == nil {
		fit = lengths(a)
	}
	const leastStrength = 80 // as keyblock.Want has it
	least := leastStrength
	if want.LeastStrength > 0 {
		least = want.LeastStrength
	}
	for _, size := range fit {
		bits := strength(a, size)
		if bits >= least && (want.MostStrength == 0 || bits <= want.MostStrength) {
			return size
		}
	}
	return 0
}

// Export gives a key to a partner by A8. Only the exportability and the version of the block are
// for the caller to choose: what else the header says must be what the key's own says. A unit
// writes no context; a block that is for exchange is one for any, which those who exchange take.
func (m *Module) Export(ctx context.Context, under hsm.Key, w hsm.Wrapped,
	header keyblock.Header) (string, error) {
	if err := m.start(ctx, hsm.Export); err != nil {
		return "", err
	}
	kbpk, err := m.mine(under, hsm.ToExport)
	if err != nil {
		return "", err
	}
	if err := permitExport(w, &header, kbpk); err != nil {
		return "", err
	}
	rest, err := m.ask(ctx, exportKey, askExportKey(kbpk.block, w.Block, header.Export,
		header.Version, m.config.LMK))
	if err != nil {
		return "", err
	}
	block, check, err := readExport(rest)
	if err != nil {
		return "", unreadable(exportKey, err)
	}
	if !checkValue(w.Spec, check).Matches(w.Check) {
		return "", fmt.Errorf("payshield: %w: its check value isn't the one that is kept with it",
			hsm.ErrKey)
	}
	return block, exported(block, &header)
}

func permitExport(w hsm.Wrapped, h *keyblock.Header, under *key) error {
	if err := w.Spec.PermitExport(*h); err != nil {
		return err
	}
	own, err := readHeader(w.Block)
	if err != nil {
		return err
	}
	if err := own.describes(w.Spec); err != nil {
		return err
	}
	plain := (h.KeyVersion == "" || h.KeyVersion == "00") && len(h.Optional) == 0
	switch {
	case h.Version != keyblock.VersionB && h.Version != keyblock.VersionD:
		return fmt.Errorf("payshield: %w: a key block of version %s", hsm.ErrAbsent, h.Version)
	case cipher(h.Version) != under.spec.Algorithm:
		return fmt.Errorf("payshield: %w: a block of version %s isn't made under %s",
			keyblock.ErrKBPK, h.Version, under.spec.Algorithm.Text())
	case h.Mode != w.Spec.Mode || !plain:
		return fmt.Errorf("payshield: %w: a header with more or another mode than the key's",
			hsm.ErrAbsent)
	}
	return nil
}

// exported says why a block that the unit made isn't what was asked for.
func exported(block string, want *keyblock.Header) error {
	h, err := keyblock.Parse(block)
	if err != nil {
		return fmt.Errorf("payshield: the unit made no sound key block: %w", err)
	}
	if h.Version != want.Version || h.Usage != want.Usage || h.Algorithm != want.Algorithm ||
		h.Mode != want.Mode || h.Export != want.Export {
		return fmt.Errorf("payshield: the unit made a key block of a %v", h)
	}
	return nil
}

// Package split makes one security module of two: what one can't do, the other does.
//
// A payment HSM (the first) has the keys that lead to PINs and card data, and those of codes:
// usages P0, B0, M0, M1, M3, M6. What it has no commands for, another module (the second) has: link
// keys (B3) and key encryption keys (K0). The usage alone decides, so nothing that belongs in the
// HSM is ever done beside it, and what the HSM lacks of its own usages is absent here too.
//
// A key block protection key (KBPK, K1) is in both, as keys for either come under it: its Wrapped
// is two blocks with "|" between, of one check value. Form makes it of the same components in both.
// One that can't form keys (a payShield, whose components are entered at its console) leaves its
// place empty until Adopt brings the block of the console; until then keys of the first can't be
// imported or exported under it, and that is said. Where both form keys, Generate makes a KBPK of
// two random components, which are in this process for a moment: production takes KBPKs of
// ceremonies only (package keyring). A KBPK is never imported or exported.
//
// How much two blocks prove to be one key: both modules confirm their check values, and those agree
// in the digits that both have, at least 24 bits. It finds mistakes. Against somebody who enters
// another key of the same check value stands the dual control at the console.
package split

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
)

// Adopter is a module that takes blocks of keys that were formed at its own console.
type Adopter interface {
	Adopt(ctx context.Context, s hsm.KeySpec, block string) (hsm.Wrapped, error)
}

// Module is two modules as one.
type Module struct{ first, second hsm.Module }

var _ hsm.Module = (*Module)(nil)

// New makes one of two. Close closes both.
func New(first, second hsm.Module) *Module { return &Module{first, second} }

// Name names both.
func (m *Module) Name() string { return m.first.Name() + " and " + m.second.Name() }

// String is the same as Name.
func (m *Module) String() string { return m.Name() }

// Caps is the first's, save what only the second's keys do. Of what both do with keys it is the
// place that is less safe.
func (m *Module) Caps() hsm.Caps {
	first, second := m.first.Caps(), m.second.Caps()
	c := first
	c[hsm.DeriveSecret], c[hsm.WrapDataKey] = second[hsm.DeriveSecret], second[hsm.WrapDataKey]
	for _, o := range []hsm.Operation{hsm.Generate, hsm.Form, hsm.Import, hsm.Export} {
		c[o] = max(first[o], second[o])
	}
	return c
}

// of is the module that has the keys of a usage other than K1.
func (m *Module) of(u keyblock.Usage) hsm.Module {
	if u == keyblock.UsageB3 || u == keyblock.UsageK0 {
		return m.second
	}
	return m.first
}

// Random is the second's, which is nearer.
func (m *Module) Random(ctx context.Context, b []byte) error { return m.second.Random(ctx, b) }

// Generate makes a key where it belongs.
func (m *Module) Generate(ctx context.Context, s hsm.KeySpec) (hsm.Wrapped, error) {
	if s.Usage != keyblock.UsageK1 {
		return m.of(s.Usage).Generate(ctx, s)
	}
	if err := cmp.Or(hsm.Ended(ctx), s.Validate()); err != nil {
		return hsm.Wrapped{}, err
	}
	if m.first.Caps()[hsm.Form] == hsm.Absent {
		return hsm.Wrapped{}, fmt.Errorf("%w: nobody could bring a key block protection key that is "+
			"made here into %s (hint: form it of components, here and at its console)", hsm.ErrAbsent,
			m.first.Name())
	}
	parts := [][]byte{make([]byte, s.Size), make([]byte, s.Size)}
	for _, p := range parts {
		defer clear(p)
		if err := m.Random(ctx, p); err != nil {
			return hsm.Wrapped{}, err
		}
	}
	return m.Form(ctx, s, parts)
}

// Form makes a key of components where it belongs.
func (m *Module) Form(ctx context.Context, s hsm.KeySpec, parts [][]byte) (hsm.Wrapped, error) {
	if s.Usage != keyblock.UsageK1 {
		return m.of(s.Usage).Form(ctx, s, parts)
	}
	first, err := m.first.Form(ctx, s, parts)
	if err != nil && !errors.Is(err, hsm.ErrAbsent) {
		return hsm.Wrapped{}, err
	}
	second, err := m.second.Form(ctx, s, parts)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	return join(first, second)
}

// Adopt gives a KBPK that was formed in the second module its place in the first: block is what the
// first's console gave for the same components. It is the first's even if it had one before.
func (m *Module) Adopt(ctx context.Context, w hsm.Wrapped, block string) (hsm.Wrapped, error) {
	console, ok := m.first.(Adopter)
	if !ok {
		return hsm.Wrapped{}, fmt.Errorf("%s: %w: it takes no blocks from a console", m.first.Name(),
			hsm.ErrAbsent)
	}
	if w.Spec.Usage != keyblock.UsageK1 {
		return hsm.Wrapped{}, fmt.Errorf("%w: only a key block protection key is in both modules",
			hsm.ErrKey)
	}
	_, second, err := parts(w)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	first, err := console.Adopt(ctx, w.Spec, block)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	return join(first, second)
}

const between = "|"

// join makes one Wrapped of those of both modules; the first may be missing.
func join(first, second hsm.Wrapped) (hsm.Wrapped, error) {
	if first.Block != "" && !first.Check.Matches(second.Check) {
		return hsm.Wrapped{}, fmt.Errorf("%w: its check value is %v in one module and %v in the other "+
			"(hint: enter the same components in both)", hsm.ErrKey, first.Check, second.Check)
	}
	return hsm.Wrapped{Spec: second.Spec, Check: second.Check,
		Block: first.Block + between + second.Block}, nil
}

// parts is what was joined. The check value of the first is at least as short as that of both.
func parts(w hsm.Wrapped) (first, second hsm.Wrapped, err error) {
	one, two, ok := strings.Cut(w.Block, between)
	if !ok || two == "" {
		return first, second, fmt.Errorf("%w: it isn't of two modules", hsm.ErrKey)
	}
	first, second = w, w
	first.Block, second.Block = one, two
	return first, second, nil
}

// Load makes a key ready where it is.
func (m *Module) Load(ctx context.Context, w hsm.Wrapped) (hsm.Key, error) {
	if w.Spec.Usage != keyblock.UsageK1 {
		return m.of(w.Spec.Usage).Load(ctx, w)
	}
	first, second, err := parts(w)
	if err != nil {
		return nil, cmp.Or(hsm.Ended(ctx), err)
	}
	p := &pair{module: m}
	if p.second, err = m.second.Load(ctx, second); err != nil || first.Block == "" {
		return p.orNil(err)
	}
	p.first, err = m.first.Load(ctx, first)
	return p.orNil(err)
}

// Import takes a partner's block into the module where its key belongs, by its header. That header
// is authentic only once the module has opened the block, and the module refuses another.
func (m *Module) Import(ctx context.Context, under hsm.Key, block string,
	want keyblock.Want) (hsm.Wrapped, error) {
	usage := keyblock.Usage("")
	if len(block) >= 7 { // version, length, usage: X9.143
		usage = keyblock.Usage(block[5:7])
	}
	if usage == keyblock.UsageK1 {
		return hsm.Wrapped{}, fmt.Errorf("%w: a key block protection key is formed in both modules, "+
			"not imported", hsm.ErrAbsent)
	}
	there := m.of(usage)
	kbpk, err := m.half(under, there)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	return there.Import(ctx, kbpk, block, want)
}

// Export gives a key to a partner from where it is.
func (m *Module) Export(ctx context.Context, under hsm.Key, w hsm.Wrapped,
	h keyblock.Header) (string, error) {
	there := m.of(w.Spec.Usage)
	kbpk, err := m.half(under, there)
	if err != nil {
		return "", err
	}
	if w.Spec.Usage == keyblock.UsageK1 {
		return "", fmt.Errorf("%w: a key block protection key isn't exported", hsm.ErrAbsent)
	}
	return there.Export(ctx, kbpk, w, h)
}

// TranslatePIN is the first's.
func (m *Module) TranslatePIN(ctx context.Context, t hsm.PINTranslation) ([]byte, error) {
	return m.first.TranslatePIN(ctx, t)
}

// MAC is the first's.
func (m *Module) MAC(ctx context.Context, k hsm.Key, how mac.Spec, dst []byte,
	parts ...[]byte) ([]byte, error) {
	return m.first.MAC(ctx, k, how, dst, parts...)
}

// VerifyMAC is the first's.
func (m *Module) VerifyMAC(ctx context.Context, k hsm.Key, how mac.Spec, code []byte,
	parts ...[]byte) error {
	return m.first.VerifyMAC(ctx, k, how, code, parts...)
}

// PRF is the second's.
func (m *Module) PRF(ctx context.Context, k hsm.Key, message []byte) ([16]byte, error) {
	return m.second.PRF(ctx, k, message)
}

// OpenP2PE is the first's.
func (m *Module) OpenP2PE(ctx context.Context, p hsm.P2PE, dst []byte) ([]byte, error) {
	return m.first.OpenP2PE(ctx, p, dst)
}

// WrapData is the second's.
func (m *Module) WrapData(ctx context.Context, under hsm.Key, data []byte) ([]byte, error) {
	return m.second.WrapData(ctx, under, data)
}

// UnwrapData is the second's.
func (m *Module) UnwrapData(ctx context.Context, under hsm.Key, wrapped []byte) ([]byte, error) {
	return m.second.UnwrapData(ctx, under, wrapped)
}

// Close closes both.
func (m *Module) Close() error { return errors.Join(m.first.Close(), m.second.Close()) }

package payshield

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// key is a loaded key: its block, which goes along with every command that uses it. The units hold
// none.
type key struct {
	module *Module
	spec   hsm.KeySpec
	check  keyblock.CheckValue
	block  string
	gone   atomic.Bool
}

// Spec is what the key is for.
func (k *key) Spec() hsm.KeySpec { return k.spec }

// Check is its check value.
func (k *key) Check() keyblock.CheckValue { return k.check }

// Unload forgets the key.
func (k *key) Unload() {
	k.gone.Store(true)
	k.module.mu.Lock()
	defer k.module.mu.Unlock()
	delete(k.module.loaded, k)
}

// String is what the key is for.
func (k *key) String() string { return k.spec.String() + ", check value " + k.check.String() }

// GoString is the same as String.
func (k *key) GoString() string { return k.String() }

// Format writes the same as String, whatever the verb.
func (k *key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText is the same as String.
func (k *key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue is the same as String.
func (k *key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// mine gives a key of this module that may be used so.
func (m *Module) mine(loaded hsm.Key, use hsm.Use) (*key, error) {
	k, err := m.own(loaded)
	if err != nil {
		return nil, err
	}
	return k, k.spec.Permit(use)
}

// own gives a loaded key of this module, whatever it is for.
func (m *Module) own(loaded hsm.Key) (*key, error) {
	k, ok := loaded.(*key)
	switch {
	case !ok || k == nil || k.module != m:
		return nil, fmt.Errorf("payshield: %w: it isn't loaded in this security module", hsm.ErrKey)
	case k.gone.Load():
		return nil, fmt.Errorf("payshield: %w: it was unloaded", hsm.ErrKey)
	}
	return k, nil
}

// supports says why nothing here uses such keys; see the package comment.
func supports(s hsm.KeySpec) error {
	if err := s.Validate(); err != nil {
		return err
	}
	absent := s.Usage == keyblock.UsageB3 || s.Usage == keyblock.UsageK0
	switch s.Algorithm {
	case keyblock.AES:
		absent = absent || s.Usage == keyblock.UsageB0 || s.Usage == keyblock.UsageP0
	case keyblock.TDES:
		absent = absent || s.Usage == keyblock.UsageM6
	}
	if absent {
		return fmt.Errorf("payshield: %w: nothing here uses a %v", hsm.ErrAbsent, s)
	}
	return nil
}

// Load makes a key ready. A unit says that the block is authentic and which check value its key
// has; a block that isn't of the spec and the check value kept with it is an ErrKey.
func (m *Module) Load(ctx context.Context, w hsm.Wrapped) (hsm.Key, error) {
	if err := hsm.Ended(ctx); err != nil {
		return nil, err
	}
	found, err := m.Adopt(ctx, w.Spec, w.Block)
	if err != nil {
		return nil, err
	}
	if !found.Check.Matches(w.Check) {
		return nil, fmt.Errorf("payshield: %w: its check value isn't the one that is kept with it",
			hsm.ErrKey)
	}
	k := &key{module: m, spec: w.Spec, check: w.Check, block: w.Block}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.loaded == nil {
		return nil, fmt.Errorf("payshield: %w: it is closed", hsm.ErrUnavailable)
	}
	m.loaded[k] = struct{}{}
	return k, nil
}

// Adopt takes a key block under the LMK that was made elsewhere, as at a unit's console by a key
// ceremony. A unit says that it is authentic and gives the check value, which the custodians
// compare. How long a key is is only as certain as the block's length says.
func (m *Module) Adopt(ctx context.Context, s hsm.KeySpec, block string) (hsm.Wrapped, error) {
	h, err := readHeader(block)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	if err := h.describes(s); err != nil {
		return hsm.Wrapped{}, err
	}
	if h.component() {
		return hsm.Wrapped{}, fmt.Errorf("payshield: %w: it is a component, not a whole key", hsm.ErrKey)
	}
	if err := supports(s); err != nil {
		return hsm.Wrapped{}, err
	}
	rest, err := m.ask(ctx, checkKey, askCheckKey(block, m.config.LMK))
	if err != nil {
		return hsm.Wrapped{}, err
	}
	check, err := readCheck(rest)
	if err != nil {
		return hsm.Wrapped{}, unreadable(checkKey, err)
	}
	return hsm.Wrapped{Spec: s, Block: block, Check: checkValue(s, check)}, nil
}

// checkValue says by which method the units make theirs.
func checkValue(s hsm.KeySpec, hex string) keyblock.CheckValue {
	method, _ := s.CheckMethod()
	return keyblock.CheckValue{Method: method, Hex: hex}
}

// unreadable is an answer that can't be told: the operation was perhaps done.
func unreadable(c command, err error) error {
	return fmt.Errorf("payshield: %s: %w: %w", c, hsm.ErrUnavailable, err)
}

package split

import (
	"fmt"
	"io"
	"log/slog"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// pair is a loaded KBPK: a key of each module.
type pair struct {
	module        *Module
	first, second hsm.Key // the first is nil where it wasn't formed
}

// orNil is the pair, or nothing of it.
func (p *pair) orNil(err error) (hsm.Key, error) {
	if err != nil {
		p.Unload()
		return nil, err
	}
	return p, nil
}

// Spec is what the key is for.
func (p *pair) Spec() hsm.KeySpec { return p.second.Spec() }

// Check is its check value.
func (p *pair) Check() keyblock.CheckValue { return p.second.Check() }

// String is what the key is for.
func (p *pair) String() string { return p.Spec().String() + ", check value " + p.Check().String() }

// GoString is the same as String.
func (p *pair) GoString() string { return p.String() }

// Format writes the same as String, whatever the verb.
func (p *pair) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// MarshalText is the same as String.
func (p *pair) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// LogValue is the same as String.
func (p *pair) LogValue() slog.Value { return slog.StringValue(p.String()) }

// Unload forgets it in both.
func (p *pair) Unload() {
	for _, k := range []hsm.Key{p.first, p.second} {
		if k != nil {
			k.Unload()
		}
	}
}

// half is the key as the one that is to do the work has it. What isn't a pair is handed on: that
// module says what is wrong with it.
func (m *Module) half(k hsm.Key, there hsm.Module) (hsm.Key, error) {
	p, ok := k.(*pair)
	switch {
	case !ok || p == nil:
		return k, nil
	case p.module != m:
		return nil, fmt.Errorf("%w: it isn't loaded in this security module", hsm.ErrKey)
	case there == m.second:
		return p.second, nil
	case p.first == nil:
		return nil, fmt.Errorf("%w: the key block protection key isn't in %s (hint: form it at the "+
			"console of the same components, then cardswitch key adopt)", hsm.ErrKey, m.first.Name())
	}
	return p.first, nil
}

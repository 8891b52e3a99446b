package soft

import (
	"context"
	"fmt"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// Import takes a partner's key block. Beyond what want says, the key must be one that the switch
// has a use for, and whole.
func (m *Module) Import(ctx context.Context, under hsm.Key, block string, want keyblock.Want) (
	hsm.Wrapped, error) {
	if err := m.start(ctx, hsm.Import); err != nil {
		return hsm.Wrapped{}, err
	}
	kbpk, err := m.mine(under, hsm.ToImport)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	var w hsm.Wrapped
	err = kbpk.hold(func(raw []byte) error {
		h, k, err := keyblock.Unwrap(raw, block, want)
		defer k.Wipe()
		if err != nil {
			return err
		}
		w.Spec = hsm.SpecOf(h, k.Size())
		if err := w.Spec.Validate(); err != nil {
			return err
		}
		if h.IsComponent() {
			return fmt.Errorf("%w: it is a component, not a whole key", hsm.ErrKey)
		}
		return m.withMaster(func(master []byte) error { return seal(&w, master, k) })
	})
	if err != nil {
		return hsm.Wrapped{}, err
	}
	return w, nil
}

// Export gives a key to a partner.
func (m *Module) Export(ctx context.Context, under hsm.Key, key hsm.Wrapped,
	header keyblock.Header) (block string, err error) {
	if err := m.start(ctx, hsm.Export); err != nil {
		return "", err
	}
	kbpk, err := m.mine(under, hsm.ToExport)
	if err != nil {
		return "", err
	}
	if err := key.Spec.PermitExport(header); err != nil {
		return "", err
	}
	err = kbpk.hold(func(raw []byte) error {
		return m.withMaster(func(master []byte) error {
			k, err := open(master, key)
			defer k.Wipe()
			if err != nil {
				return err
			}
			block, err = keyblock.Wrap(raw, header, k, keyblock.Options{})
			return err
		})
	})
	return block, err
}

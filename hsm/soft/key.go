package soft

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"cardswitch/hsm"
	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/pinblock"
)

// key is a loaded key.
type key struct {
	module *Module
	spec   hsm.KeySpec
	check  keyblock.CheckValue

	gone  atomic.Bool
	codes atomic.Pointer[[]*codes]      // by how the codes are made, mostly one
	pins  atomic.Pointer[pinblock.Key]  // usage P0
	terms atomic.Pointer[terminalsKeys] // usage B0

	mu  sync.RWMutex // around the bytes of the key: Unload overwrites them
	raw keyblock.Key
}

// terminalsKeys gives the keys of terminals: one of the two.
type terminalsKeys struct {
	tdes *dukpt.TDESBDK
	aes  *dukpt.AESBDK
}

// prepare makes what the key is used with.
func (k *key) prepare() error {
	k.codes.Store(new([]*codes))
	return k.raw.Use(func(raw []byte) error {
		switch k.spec.Usage {
		case keyblock.UsageP0:
			return k.preparePINs(raw)
		case keyblock.UsageB0:
			return k.prepareTerminals(raw)
		}
		return nil
	})
}

func (k *key) preparePINs(raw []byte) (err error) {
	var p *pinblock.Key
	if k.spec.Algorithm == keyblock.TDES {
		p, err = pinblock.NewTDESKey(raw)
	} else {
		p, err = pinblock.NewAESKey(raw)
	}
	k.pins.Store(p)
	return err
}

func (k *key) prepareTerminals(raw []byte) (err error) {
	var t terminalsKeys
	if k.spec.Algorithm == keyblock.TDES {
		t.tdes, err = dukpt.NewTDESBDK(raw)
	} else {
		t.aes, err = dukpt.NewAESBDK(raw, dukpt.AESOptions{})
	}
	k.terms.Store(&t)
	return err
}

// Spec is what the key is for.
func (k *key) Spec() hsm.KeySpec { return k.spec }

// Check is its check value.
func (k *key) Check() keyblock.CheckValue { return k.check }

var errUnloaded = fmt.Errorf("%w: it was unloaded", hsm.ErrKey)

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
	if !ok || k == nil || k.module != m {
		return nil, fmt.Errorf("%w: it isn't loaded in this security module", hsm.ErrKey)
	}
	if k.gone.Load() {
		return nil, errUnloaded
	}
	return k, nil
}

// hold lends the bytes of the key to f, and keeps Unload waiting meanwhile.
func (k *key) hold(f func(raw []byte) error) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.gone.Load() {
		return errUnloaded
	}
	var err error
	hidden(func() { err = k.raw.Use(f) })
	return err
}

// Unload forgets the key.
func (k *key) Unload() {
	k.forget()
	k.module.mu.Lock()
	defer k.module.mu.Unlock()
	delete(k.module.loaded, k)
}

// forget overwrites what can be, and drops the rest. Uses that have begun end as they would have.
func (k *key) forget() {
	k.gone.Store(true)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.raw.Wipe()
	k.pins.Store(nil)
	if t := k.terms.Swap(nil); t != nil {
		t.wipe()
	}
	if list := k.codes.Swap(nil); list != nil {
		for _, c := range *list {
			c.drain()
		}
	}
}

func (t *terminalsKeys) wipe() {
	if t.tdes != nil {
		t.tdes.Wipe()
	}
	if t.aes != nil {
		t.aes.Wipe()
	}
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

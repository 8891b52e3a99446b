//go:build pkcs11 && cgo

package pkcs11

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// key is a loaded key: an object in the token, or a key of the inner module.
type key struct {
	module *Module
	w      hsm.Wrapped
	inner  hsm.Key // or nil

	mu     sync.Mutex
	gone   bool
	users  int
	link   *link // where the object is
	object handle
}

// Spec is what the key is for.
func (k *key) Spec() hsm.KeySpec { return k.w.Spec }

// Check is its check value.
func (k *key) Check() keyblock.CheckValue { return k.w.Check }

var errUnloaded = fmt.Errorf("%w: it was unloaded", hsm.ErrKey)

// mine gives a key of this module that may be used so.
func (m *Module) mine(loaded hsm.Key, use hsm.Use) (*key, error) {
	k, err := m.own(loaded)
	if err != nil {
		return nil, err
	}
	return k, k.w.Spec.Permit(use)
}

// own gives a loaded key of this module, whatever it is for.
func (m *Module) own(loaded hsm.Key) (*key, error) {
	k, ok := loaded.(*key)
	if !ok || k == nil || k.module != m {
		return nil, fmt.Errorf("%w: it isn't loaded in this security module", hsm.ErrKey)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return nil, errUnloaded
	}
	return k, nil
}

// enter gives the object of the key, and keeps it until leave. After the token was away it is
// unwrapped again.
func (k *key) enter(c call) (handle, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return 0, errUnloaded
	}
	if k.link != c.link {
		object, err := c.load(k.w)
		if err != nil {
			return 0, err
		}
		k.link, k.object = c.link, object
	}
	k.users++
	return k.object, nil
}

// leave ends a use. The last one after Unload destroys the object.
func (k *key) leave(c call) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.users--
	if k.gone && k.users == 0 && k.link == c.link {
		c.destroy(k.object)
	}
}

// expire ends all uses that begin from now on. It gives the link on which an object is left over
// for the caller to destroy, or nil.
func (k *key) expire() *link {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return nil
	}
	k.gone = true
	if k.inner != nil {
		k.inner.Unload()
		return nil
	}
	if k.users > 0 {
		return nil
	}
	return k.link
}

// patience is how long Unload waits for a session. After that the object stays in the token, out of
// reach, until the sessions are closed.
const patience = 5 * time.Second

// Unload forgets the key.
func (k *key) Unload() {
	if l := k.expire(); l != nil && l == k.module.link.Load() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, _ = do(ctx, k.module, func(c call) (struct{}, error) {
			if c.link == l {
				c.destroy(k.object)
			}
			return struct{}{}, nil
		})
	}
	k.module.mu.Lock()
	defer k.module.mu.Unlock()
	delete(k.module.loaded, k)
}

// String is what the key is for.
func (k *key) String() string { return k.w.Spec.String() + ", check value " + k.w.Check.String() }

// GoString is the same as String.
func (k *key) GoString() string { return k.String() }

// Format writes the same as String, whatever the verb.
func (k *key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText is the same as String.
func (k *key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue is the same as String.
func (k *key) LogValue() slog.Value { return slog.StringValue(k.String()) }

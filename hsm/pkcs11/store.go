//go:build pkcs11 && cgo

package pkcs11

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"

	cryptoki "github.com/miekg/pkcs11"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

const (
	form     = "9" // X9.143 leaves numerals to forms of one's own
	overhead = 8   // bytes that AES key wrap adds
	codeSize = 16  // bytes of the code of a block
)

// takes says why the token can't have such keys.
func takes(s hsm.KeySpec) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if s.Usage == keyblock.UsageB0 && s.Algorithm == keyblock.TDES {
		return fmt.Errorf("%w: a token can't derive the keys of TDES DUKPT", hsm.ErrAbsent)
	}
	return nil
}

// head is the header of a block, all of it: what it says is bound to the key by the block's code.
// When a key is loaded it is made again, and compared.
func head(w hsm.Wrapped) (string, error) {
	check, err := keyblock.Check(keyblock.KC, w.Check)
	if err != nil {
		return "", fmt.Errorf("%w: %w", hsm.ErrKey, err)
	}
	kc := fmt.Sprintf("%s%02X%s", check.ID, 4+len(check.Data), check.Data)
	s := w.Spec
	size := 16 + len(kc) + 2*(s.Size+overhead+codeSize)
	return fmt.Sprintf("%s%04d%s%s%s00%s01%s0%s", form, size, s.Usage, s.Algorithm, s.Mode, s.Export,
		keyblock.ContextStorage, kc), nil
}

// seal makes the block of an object, whose spec and check value are in w.
func (c call) seal(w hsm.Wrapped, object handle) (hsm.Wrapped, error) {
	text, err := head(w)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	wrapped, err := c.wrap(c.link.masters.master(w.Spec), object)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	if len(wrapped) != w.Spec.Size+overhead {
		return hsm.Wrapped{}, fmt.Errorf("%w: it wrapped a key of another length", hsm.ErrUnavailable)
	}
	code, err := c.authenticate(text, wrapped)
	if err != nil {
		return hsm.Wrapped{}, err
	}
	w.Block = text + fmt.Sprintf("%X%X", wrapped, code)
	return w, nil
}

// authenticate makes the code of a block.
func (c call) authenticate(head string, wrapped []byte) ([]byte, error) {
	return c.sign(c.link.masters.code, cryptoki.CKM_AES_CMAC, append([]byte(head), wrapped...))
}

// open verifies a block and gives the wrapped key in it.
func (c call) open(w hsm.Wrapped) ([]byte, error) {
	text, err := head(w)
	if err != nil {
		return nil, err
	}
	body, isIt := strings.CutPrefix(w.Block, text)
	size := w.Spec.Size + overhead
	if !isIt || len(body) != 2*(size+codeSize) || strings.ToUpper(body) != body {
		return nil, fmt.Errorf("%w: its block isn't one of this module, or not of this spec and "+
			"check value", hsm.ErrKey)
	}
	raw, err := hex.DecodeString(body)
	if err != nil {
		return nil, fmt.Errorf("%w: its block isn't hexadecimal", hsm.ErrKey)
	}
	code, err := c.authenticate(text, raw[:size])
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(code, raw[size:]) != 1 {
		return nil, fmt.Errorf("%w: its block was altered, or is another token's", hsm.ErrKey)
	}
	return raw[:size], nil
}

// load unwraps a key into an object that may do what the spec permits.
func (c call) load(w hsm.Wrapped) (handle, error) {
	wrapped, err := c.open(w)
	if err != nil {
		return 0, err
	}
	return c.unwrap(c.link.masters.master(w.Spec), wrapped,
		kindOfSpec(w.Spec).template(false, needs(w.Spec)...))
}

// read gives the bytes of a key that may leave, or that no token can use. The caller wipes it.
func (c call) read(w hsm.Wrapped) (keyblock.Key, error) {
	wrapped, err := c.open(w)
	if err != nil {
		return keyblock.Key{}, err
	}
	object, err := c.unwrap(c.link.masters.master(w.Spec), wrapped,
		readable(kindOfSpec(w.Spec).template(false)))
	if err != nil {
		return keyblock.Key{}, err
	}
	defer c.destroy(object)
	raw, err := c.value(object)
	if err != nil {
		return keyblock.Key{}, err
	}
	defer clear(raw)
	return keyblock.NewKey(w.Spec.Algorithm, raw)
}

// bring makes the block of a clear key.
func (c call) bring(s hsm.KeySpec, k keyblock.Key) (w hsm.Wrapped, err error) {
	w = hsm.Wrapped{Spec: s}
	if w.Check, err = s.CheckValue(k); err != nil {
		return hsm.Wrapped{}, err
	}
	var object handle
	if err := k.Use(func(raw []byte) (err error) {
		object, err = c.create(kindOfSpec(s), raw)
		return err
	}); err != nil {
		return hsm.Wrapped{}, err
	}
	defer c.destroy(object)
	return c.seal(w, object)
}

// Generate makes a key in the token. Until it is wrapped it is an object that may leave under
// another key, but that nobody reads.
func (m *Module) Generate(ctx context.Context, s hsm.KeySpec) (hsm.Wrapped, error) {
	if err := m.start(ctx, hsm.Generate); err != nil {
		return hsm.Wrapped{}, err
	}
	if err := takes(s); err != nil {
		return hsm.Wrapped{}, err
	}
	return do(ctx, m, func(c call) (hsm.Wrapped, error) {
		k := kindOfSpec(s)
		object, err := c.lib.GenerateKey(c.session, one(k.generate, nil),
			wrappable(k.template(true, cryptoki.CKA_SIGN, cryptoki.CKA_ENCRYPT)))
		if err != nil {
			return hsm.Wrapped{}, err
		}
		defer c.destroy(object)
		check, err := c.checkValue(s, object)
		if err != nil {
			return hsm.Wrapped{}, err
		}
		return c.seal(hsm.Wrapped{Spec: s, Check: check}, object)
	})
}

// checkValue has the token make the check value of an object that may sign and encrypt.
func (c call) checkValue(s hsm.KeySpec, object handle) (keyblock.CheckValue, error) {
	method, size := s.CheckMethod()
	k := kindOfSpec(s)
	var full []byte
	var err error
	if method == keyblock.CMAC {
		full, err = c.sign(object, k.cmac, make([]byte, k.block))
	} else {
		full, err = c.encrypt(object, k.ecb, nil, make([]byte, k.block))
	}
	if err != nil {
		return keyblock.CheckValue{}, err
	}
	v := keyblock.CheckValue{Method: method, Hex: fmt.Sprintf("%X", full[:min(size, len(full))])}
	return v, v.Validate()
}

// Form makes a key of its components in this process, as KeySpec.Combine does.
func (m *Module) Form(ctx context.Context, s hsm.KeySpec, components [][]byte) (
	hsm.Wrapped, error) {
	if err := m.start(ctx, hsm.Form); err != nil {
		return hsm.Wrapped{}, err
	}
	if err := takes(s); err != nil {
		return hsm.Wrapped{}, err
	}
	k, err := s.Combine(components)
	if err != nil {
		k.Wipe()
		return hsm.Wrapped{}, err
	}
	return do(ctx, m, func(c call) (hsm.Wrapped, error) { return c.bring(s, k) }, k.Wipe)
}

// Load makes a key ready.
func (m *Module) Load(ctx context.Context, w hsm.Wrapped) (hsm.Key, error) {
	if err := hsm.Ended(ctx); err != nil {
		return nil, err
	}
	if err := takes(w.Spec); err != nil {
		return nil, err
	}
	k, err := do(ctx, m, func(c call) (*key, error) {
		k := &key{module: m, w: w}
		if m.inProcess(w.Spec) {
			return k, m.loadInner(c, k)
		}
		var err error
		k.link = c.link
		k.object, err = c.load(w)
		if err != nil || ctx.Err() == nil {
			return k, err
		}
		c.destroy(k.object) // nobody waits for it any more
		return nil, hsm.Ended(ctx)
	})
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.loaded == nil {
		k.expire()
		return nil, errClosed
	}
	m.loaded[k] = struct{}{}
	return k, nil
}

// inProcess tells whether a key is used in this process.
func (m *Module) inProcess(s hsm.KeySpec) bool {
	switch s.Usage {
	case keyblock.UsageM0, keyblock.UsageM1, keyblock.UsageM3:
		return true
	case keyblock.UsageM6:
		return m.config.MACInProcess && s.Export != keyblock.ExportN
	}
	return false
}

// loadInner reads a key out of the token, and loads it in the inner module, which takes keys of
// components only: one is random.
func (m *Module) loadInner(c call, k *key) error {
	clear, err := c.read(k.w)
	if err != nil {
		return err
	}
	defer clear.Wipe()
	return clear.Use(func(raw []byte) error {
		one, other := make([]byte, len(raw)), make([]byte, len(raw))
		if _, err := rand.Read(one); err != nil {
			return err
		}
		subtle.XORBytes(other, one, raw)
		spec := k.w.Spec
		spec.Export = keyblock.ExportN
		w, err := m.inner.Form(context.Background(), spec, [][]byte{one, other})
		if err != nil {
			return err
		}
		if !w.Check.Matches(k.w.Check) {
			return fmt.Errorf("%w: its check value isn't the one that is kept with it", hsm.ErrKey)
		}
		k.inner, err = m.inner.Load(context.Background(), w)
		return err
	})
}

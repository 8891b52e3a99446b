//go:build pkcs11 && cgo

package pkcs11

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
)

// join makes one message of its parts, in memory of its own.
func join(parts [][]byte) []byte { return bytes.Join(parts, nil) }

// code has the token make a whole CMAC with a key.
func (m *Module) code(ctx context.Context, k *key, message []byte) ([]byte, error) {
	kind := kindOfSpec(k.w.Spec)
	code, err := do(ctx, m, func(c call) ([]byte, error) {
		object, err := k.enter(c)
		if err != nil {
			return nil, err
		}
		defer k.leave(c)
		return c.sign(object, kind.cmac, message)
	})
	if err == nil && len(code) != kind.block {
		err = fmt.Errorf("%w: it made a code of another length", hsm.ErrUnavailable)
	}
	return code, err
}

// coder gives a key that may make or verify such codes.
func (m *Module) coder(ctx context.Context, loaded hsm.Key, use hsm.Use, how mac.Spec) (
	*key, error) {
	if err := m.start(ctx, hsm.MakeMAC); err != nil {
		return nil, err
	}
	k, err := m.own(loaded)
	if err != nil {
		return nil, err
	}
	return k, k.w.Spec.PermitMAC(use, how)
}

// MAC appends the code of the parts to dst.
func (m *Module) MAC(ctx context.Context, key hsm.Key, how mac.Spec, dst []byte,
	parts ...[]byte) ([]byte, error) {
	k, err := m.coder(ctx, key, hsm.ToMakeMAC, how)
	if err != nil {
		return nil, err
	}
	if k.inner != nil {
		return m.inner.MAC(ctx, k.inner, how, dst, parts...)
	}
	code, err := m.code(ctx, k, join(parts))
	if err != nil {
		return nil, err
	}
	return append(dst, code[:how.Size]...), nil
}

// VerifyMAC is nil if code is the code of the parts.
func (m *Module) VerifyMAC(ctx context.Context, key hsm.Key, how mac.Spec, code []byte,
	parts ...[]byte) error {
	k, err := m.coder(ctx, key, hsm.ToVerifyMAC, how)
	if err != nil {
		return err
	}
	if k.inner != nil {
		return m.inner.VerifyMAC(ctx, k.inner, how, code, parts...)
	}
	right, err := m.code(ctx, k, join(parts))
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(right[:how.Size], code) != 1 {
		return hsm.ErrMAC
	}
	return nil
}

// PRF is AES-CMAC of a message.
func (m *Module) PRF(ctx context.Context, key hsm.Key, message []byte) (out [16]byte, err error) {
	if err := m.start(ctx, hsm.DeriveSecret); err != nil {
		return out, err
	}
	k, err := m.mine(key, hsm.ToPRF)
	if err != nil {
		return out, err
	}
	code, err := m.code(ctx, k, bytes.Clone(message))
	if err != nil {
		return out, err
	}
	copy(out[:], code)
	clear(code)
	return out, nil
}

const dataSize = 32 // bytes of a data key

// WrapData encrypts a data key by AES key wrap.
func (m *Module) WrapData(ctx context.Context, under hsm.Key, data []byte) ([]byte, error) {
	if err := m.start(ctx, hsm.WrapDataKey); err != nil {
		return nil, err
	}
	k, err := m.mine(under, hsm.ToWrap)
	if err != nil {
		return nil, err
	}
	if len(data) != dataSize {
		return nil, fmt.Errorf("a data key has %d bytes, not %d", dataSize, len(data))
	}
	own := bytes.Clone(data)
	return do(ctx, m, func(c call) ([]byte, error) {
		object, err := k.enter(c)
		if err != nil {
			return nil, err
		}
		defer k.leave(c)
		brought, err := c.create(kindOf(keyblock.AES, dataSize), own)
		if err != nil {
			return nil, err
		}
		defer c.destroy(brought)
		return c.wrap(object, brought)
	}, func() { clear(own) })
}

// UnwrapData decrypts a data key. One that was altered, or is under another key, is an ErrKey.
func (m *Module) UnwrapData(ctx context.Context, under hsm.Key, wrapped []byte) ([]byte, error) {
	if err := m.start(ctx, hsm.WrapDataKey); err != nil {
		return nil, err
	}
	k, err := m.mine(under, hsm.ToUnwrap)
	if err != nil {
		return nil, err
	}
	if len(wrapped) != dataSize+overhead {
		return nil, fmt.Errorf("%w: a wrapped data key has %d bytes, not %d", hsm.ErrKey,
			dataSize+overhead, len(wrapped))
	}
	own := bytes.Clone(wrapped)
	return do(ctx, m, func(c call) ([]byte, error) {
		object, err := k.enter(c)
		if err != nil {
			return nil, err
		}
		defer k.leave(c)
		brought, err := c.unwrap(object, own, readable(kindOf(keyblock.AES, dataSize).template(false)))
		if code(err) != 0 && !lost(err) {
			// Tokens say this in many ways.
			return nil, fmt.Errorf("%w: the wrapped data key was altered, or is under another key",
				hsm.ErrKey)
		}
		if err != nil {
			return nil, err
		}
		defer c.destroy(brought)
		return c.value(brought)
	})
}

package soft

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"cardswitch/hsm"
)

const (
	dataSize    = 32                  // bytes of a data key
	half        = 8                   // RFC 3394 works on half blocks of AES
	wrappedSize = dataSize + half     // and adds one
	integrity   = 0xA6A6A6A6A6A6A6A6  // its initial value, section 2.2.3.1
	rounds      = 6 * dataSize / half // section 2.2.1
)

// WrapData encrypts a data key by AES key wrap, RFC 3394.
func (m *Module) WrapData(ctx context.Context, under hsm.Key, data []byte) (
	wrapped []byte, err error) {
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
	err = k.hold(func(raw []byte) error {
		block, err := aes.NewCipher(raw)
		if err == nil {
			wrapped = wrapKey(block, data)
		}
		return err
	})
	return wrapped, err
}

// UnwrapData decrypts a data key. One that was altered, or is under another key, is an ErrKey.
func (m *Module) UnwrapData(ctx context.Context, under hsm.Key, wrapped []byte) (
	data []byte, err error) {
	if err := m.start(ctx, hsm.WrapDataKey); err != nil {
		return nil, err
	}
	k, err := m.mine(under, hsm.ToUnwrap)
	if err != nil {
		return nil, err
	}
	if len(wrapped) != wrappedSize {
		return nil, fmt.Errorf("%w: a wrapped data key has %d bytes, not %d", hsm.ErrKey, wrappedSize,
			len(wrapped))
	}
	err = k.hold(func(raw []byte) error {
		block, err := aes.NewCipher(raw)
		if err == nil {
			data = unwrapKey(block, wrapped)
		}
		return err
	})
	if err == nil && data == nil {
		err = fmt.Errorf("%w: the wrapped data key was altered, or is under another key", hsm.ErrKey)
	}
	return data, err
}

// wrapKey is RFC 3394 section 2.2.1, by indexing: the value A, and the halves R one after another.
func wrapKey(block cipher.Block, data []byte) []byte {
	out := make([]byte, wrappedSize)
	b := make([]byte, aes.BlockSize)
	defer clear(b)
	binary.BigEndian.PutUint64(b, integrity)
	copy(out[half:], data)
	for t := range rounds {
		r := out[half+t*half%dataSize:][:half]
		copy(b[half:], r)
		block.Encrypt(b, b)
		copy(r, b[half:])
		addCount(b, t)
	}
	copy(out, b[:half])
	return out
}

// unwrapKey is RFC 3394 section 2.2.2; nil if the value isn't the initial one.
func unwrapKey(block cipher.Block, wrapped []byte) []byte {
	data := make([]byte, dataSize)
	b := make([]byte, aes.BlockSize)
	defer clear(b)
	copy(data, wrapped[half:])
	copy(b, wrapped[:half])
	for t := rounds - 1; t >= 0; t-- {
		r := data[t*half%dataSize:][:half]
		addCount(b, t)
		copy(b[half:], r)
		block.Decrypt(b, b)
		copy(r, b[half:])
	}
	var want [half]byte
	binary.BigEndian.PutUint64(want[:], integrity)
	if subtle.ConstantTimeCompare(b[:half], want[:]) != 1 {
		clear(data)
		return nil
	}
	return data
}

// addCount adds the number of the step, from 1, to the value A.
func addCount(b []byte, t int) {
	binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(b)^uint64(t+1))
}

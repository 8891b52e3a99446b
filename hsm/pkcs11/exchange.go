//go:build pkcs11 && cgo

package pkcs11

import (
	"context"
	"crypto/subtle"
	"fmt"

	cryptoki "github.com/miekg/pkcs11"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// protector is a KBPK in the token, for package keyblock.
type protector struct {
	c      call
	w      hsm.Wrapped
	object handle
}

func (p protector) Algorithm() keyblock.Algorithm   { return p.w.Spec.Algorithm }
func (p protector) Size() int                       { return p.w.Spec.Size }
func (p protector) CheckValue() keyblock.CheckValue { return p.w.Check }

// derived makes one of the two keys of a block. CMAC of a single block is its encryption after a
// value was added that comes of the encryption of zeros (SP 800-38B section 6.2), and a token
// derives keys by encryption.
func (p protector) derived(v keyblock.Version, code bool, may ...uint) (handle, kind, error) {
	k := kindOfSpec(p.w.Spec)
	inputs, err := keyblock.DerivationInputs(v, k.size, code)
	if err != nil {
		return 0, k, err
	}
	added, err := p.c.encrypt(p.object, k.ecb, nil, make([]byte, k.block))
	defer clear(added)
	if err != nil {
		return 0, k, err
	}
	data := lastBlocks(inputs, added)
	defer clear(data)
	object, err := p.c.derive(p.object, k.derive, data, k.template(true, may...))
	return object, k, err
}

// lastBlocks gives what CMAC encrypts last for messages of 8 bytes: a block of TDES is filled, one
// of AES is padded. The encryption of zeros is used up.
func lastBlocks(inputs, zeros []byte) (blocks []byte) {
	size, rb := len(zeros), byte(0x1B)
	if size == 16 {
		rb = 0x87
		double(zeros, rb)
	}
	double(zeros, rb)
	for ; len(inputs) >= 8; inputs = inputs[8:] {
		block := make([]byte, size)
		if copy(block, inputs[:8]) < size {
			block[8] = 0x80
		}
		subtle.XORBytes(block, block, zeros)
		blocks = append(blocks, block...)
	}
	return blocks
}

// double multiplies by x in the field of the block's size, in constant time.
func double(b []byte, rb byte) {
	carry := byte(0)
	for i := len(b) - 1; i >= 0; i-- {
		b[i], carry = b[i]<<1|carry, b[i]>>7
	}
	b[len(b)-1] ^= rb & -carry
}

// Crypt is for package keyblock.
func (p protector) Crypt(v keyblock.Version, decrypt bool, iv, data []byte) ([]byte, error) {
	use := uint(cryptoki.CKA_ENCRYPT)
	if decrypt {
		use = cryptoki.CKA_DECRYPT
	}
	object, k, err := p.derived(v, false, use)
	if err != nil {
		return nil, err
	}
	defer p.c.destroy(object)
	mechanism, parameter := k.cbc, iv
	if v == keyblock.VersionE {
		// CK_AES_CTR_PARAMS: how many bits count, and the first block.
		mechanism, parameter = cryptoki.CKM_AES_CTR, append(appendWord(nil, 128), iv...)
	}
	if decrypt {
		return p.c.decrypt(object, mechanism, parameter, data)
	}
	return p.c.encrypt(object, mechanism, parameter, data)
}

// Code is for package keyblock.
func (p protector) Code(v keyblock.Version, parts ...[]byte) ([]byte, error) {
	object, k, err := p.derived(v, true, cryptoki.CKA_SIGN)
	if err != nil {
		return nil, err
	}
	defer p.c.destroy(object)
	message := join(parts)
	defer clear(message)
	return p.c.sign(object, k.cmac, message)
}

// Import takes a partner's key block. The key in it is in this process until it is wrapped again.
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
	if h.Version == keyblock.VersionA || h.Version == keyblock.VersionC {
		return hsm.Wrapped{}, fmt.Errorf("%w: open a key block of version %s (hint: ask the partner "+
			"for version B)", hsm.ErrAbsent, h.Version)
	}
	return do(ctx, m, func(c call) (hsm.Wrapped, error) {
		object, err := kbpk.enter(c)
		if err != nil {
			return hsm.Wrapped{}, err
		}
		defer kbpk.leave(c)
		h, k, err := keyblock.UnwrapInside(protector{c, kbpk.w, object}, block, want)
		defer k.Wipe()
		if err != nil {
			return hsm.Wrapped{}, err
		}
		spec := hsm.SpecOf(h, k.Size())
		if err := takes(spec); err != nil {
			return hsm.Wrapped{}, err
		}
		if h.IsComponent() {
			return hsm.Wrapped{}, fmt.Errorf("%w: it is a component, not a whole key", hsm.ErrKey)
		}
		return c.bring(spec, k)
	})
}

// Export gives a key to a partner. It is in this process until it is wrapped again.
func (m *Module) Export(ctx context.Context, under hsm.Key, key hsm.Wrapped,
	header keyblock.Header) (string, error) {
	if err := m.start(ctx, hsm.Export); err != nil {
		return "", err
	}
	kbpk, err := m.mine(under, hsm.ToExport)
	if err != nil {
		return "", err
	}
	if err := takes(key.Spec); err != nil {
		return "", err
	}
	if err := key.Spec.PermitExport(header); err != nil {
		return "", err
	}
	return do(ctx, m, func(c call) (string, error) {
		object, err := kbpk.enter(c)
		if err != nil {
			return "", err
		}
		defer kbpk.leave(c)
		k, err := c.read(key)
		defer k.Wipe()
		if err != nil {
			return "", err
		}
		return keyblock.WrapInside(protector{c, kbpk.w, object}, header, k, keyblock.Options{})
	})
}

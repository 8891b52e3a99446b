package dukpt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"

	"cardswitch/hsm/mac"
	"cardswitch/hsm/pinblock"
)

// PINKey prepares the key for PIN blocks: with TDES of formats 0, 1 and 3, with AES of format 4.
func (k *Key) PINKey() (*pinblock.Key, error) {
	if err := k.refuse(k.u == PIN, "PIN blocks"); err != nil {
		return nil, err
	}
	if k.t.isTDES() {
		return pinblock.NewTDESKey(k.s.key())
	}
	return pinblock.NewAESKey(k.s.key())
}

// MAC prepares the key for codes: with TDES the retail MAC or CMAC, with AES the CMAC.
func (k *Key) MAC(s mac.Spec) (*mac.Mac, error) {
	if err := k.refuse(k.u.forMAC(), "MACs"); err != nil {
		return nil, err
	}
	switch {
	case k.t.isTDES() && (s.Algorithm == mac.Retail || s.Algorithm == mac.TDESCMAC):
	case k.t.isAES() && s.Algorithm == mac.AESCMAC:
	default:
		return nil, fmt.Errorf("%v doesn't take a key of %v", s.Algorithm, k.t)
	}
	return mac.New(s, k.s.key())
}

// HMAC prepares a key of an HMAC type for codes with SHA-256. Compare these with hmac.Equal.
func (k *Key) HMAC() (hash.Hash, error) {
	if err := k.refuse(k.u.forMAC() && k.t.isHMAC(), "HMAC"); err != nil {
		return nil, err
	}
	return hmac.New(sha256.New, k.s.key()), nil
}

// EncryptData appends the encipherment of plain in CBC mode. Plain must be whole blocks, 8 bytes of
// TDES and 16 of AES: how the last one is filled up is agreed on elsewhere. The initial value has
// one block; nil is zeros, as the standards' examples have it.
func (k *Key) EncryptData(dst, iv, plain []byte) ([]byte, error) {
	return k.cbc(cipher.NewCBCEncrypter, dst, iv, plain)
}

// DecryptData appends the decipherment, the reverse of EncryptData. CBC doesn't tell whether the
// bytes were changed: only a MAC does.
func (k *Key) DecryptData(dst, iv, data []byte) ([]byte, error) {
	return k.cbc(cipher.NewCBCDecrypter, dst, iv, data)
}

func (k *Key) cbc(mode func(cipher.Block, []byte) cipher.BlockMode, dst, iv, data []byte) (
	[]byte, error) {
	if err := k.refuse(k.u.forData(), "data"); err != nil {
		return nil, err
	}
	block, err := k.cipher()
	if err != nil {
		return nil, err
	}
	size := block.BlockSize()
	if iv == nil {
		iv = make([]byte, size)
	}
	if len(iv) != size || len(data)%size != 0 {
		return nil, fmt.Errorf("%v takes an initial value and blocks of %d bytes: these have %d and %d",
			k.t, size, len(iv), len(data))
	}
	n := len(dst)
	dst = append(dst, data...)
	mode(block, iv).CryptBlocks(dst[n:], dst[n:])
	return dst, nil
}

func (k *Key) cipher() (cipher.Block, error) {
	if k.t.isTDES() {
		return newTDES(k.s.key())
	}
	return aes.NewCipher(k.s.key())
}

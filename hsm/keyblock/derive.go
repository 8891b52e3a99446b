package keyblock

import (
	"crypto/cipher"
	"fmt"

	"cardswitch/hsm/mac"
)

// pair is what a block is protected with: both come from the KBPK and have its length.
type pair struct {
	form    form
	size    int
	encrypt [32]byte // KBEK
	code    [32]byte // KBAK
}

func (p *pair) wipe() { *p = pair{} }

// What a key is derived for, X9.143 table 24 (TR-31:2018 table 10).
const (
	forCBC  = 0
	forCode = 1
	forCTR  = 2
)

// derive makes the keys for a block of a form. The caller wipes them.
func derive(f form, kbpk []byte, p *pair) error {
	if checkLength(f.cipher, len(kbpk)) != nil {
		return fmt.Errorf("%w: version %s needs a key of %s, not of %d bytes "+
			"(hint: versions A to C are for TDES, D and E for AES)", ErrKBPK, f.version,
			f.cipher.Text(), len(kbpk))
	}
	p.form, p.size = f, len(kbpk)
	switch f.version {
	case VersionA, VersionC:
		for i, b := range kbpk {
			p.encrypt[i], p.code[i] = b^'E', b^'M'
		}
		return nil
	case VersionE:
		return p.derive(kbpk, forCTR)
	}
	return p.derive(kbpk, forCBC)
}

// derive is the derivation by CMAC, X9.143 section 7.2 (TR-31:2018 section 5.3.2.1).
func (p *pair) derive(kbpk []byte, forEncryption byte) error {
	spec := mac.Spec{Algorithm: mac.TDESCMAC, Size: 8}
	if p.form.cipher == AES {
		spec = mac.Spec{Algorithm: mac.AESCMAC, Size: 16}
	}
	m, err := mac.New(spec, kbpk)
	if err != nil {
		return err
	}
	defer m.Wipe()
	fill := func(key *[32]byte, purpose byte) {
		inputs := derivationInputs(p.form.cipher, len(kbpk), purpose)
		for at := 0; at < len(kbpk); at += spec.Size {
			m.Sum(key[:at], inputs[:8]) // of the last one for AES-192, half isn't used
			inputs = inputs[8:]
		}
	}
	fill(&p.encrypt, forEncryption)
	fill(&p.code, forCode)
	return nil
}

// derivationInputs is what the CMACs are over that make a key: 8 bytes for each block of it.
func derivationInputs(cipher Algorithm, size int, purpose byte) (inputs []byte) {
	algorithm, block := byte(size/8-2), 8 // 0: two-key TDES, 1: three-key
	if cipher == AES {
		algorithm, block = algorithm+2, 16 // 2, 3, 4: AES with 128, 192, 256 bits
	}
	for i := range (size + block - 1) / block {
		inputs = append(inputs, byte(i+1), 0, purpose, 0, 0, algorithm, byte(size>>5), byte(size<<3))
	}
	return inputs
}

// sum makes the code of a block.
func (p *pair) sum(parts ...[]byte) ([]byte, error) {
	m, err := p.authenticator()
	if err != nil {
		return nil, err
	}
	defer m.Wipe()
	return m.Sum(nil, parts...), nil
}

// authenticator prepares what makes the code. The caller wipes it.
func (p *pair) authenticator() (*mac.Mac, error) {
	spec := mac.Spec{Size: p.form.code}
	switch p.form.version {
	case VersionA, VersionC:
		spec.Algorithm, spec.Padding = mac.CBC, mac.Padding1
	case VersionB:
		spec.Algorithm = mac.TDESCMAC
	default:
		spec.Algorithm = mac.AESCMAC
	}
	return mac.New(spec, p.code[:p.size])
}

// crypt encrypts or decrypts data to dst, both of a whole number of the form's blocks.
func (p *pair) crypt(dst, data, iv []byte, decrypt bool) error {
	c, err := blockCipher(p.form.cipher, p.encrypt[:p.size])
	if err != nil {
		return err
	}
	switch {
	case p.form.version == VersionE:
		cipher.NewCTR(c, iv).XORKeyStream(dst, data)
	case decrypt:
		cipher.NewCBCDecrypter(c, iv).CryptBlocks(dst, data)
	default:
		cipher.NewCBCEncrypter(c, iv).CryptBlocks(dst, data)
	}
	return nil
}

package keyblock

import (
	"errors"
	"fmt"
)

// Protector is a KBPK that stays in a security module, and so do the two keys that protect a block:
// the module derives them of it by CMAC (DerivationInputs) and uses them there. It is of TDES for
// version B, of AES for D and E.
type Protector interface {
	Algorithm() Algorithm
	Size() int // bytes
	// CheckValue is the one that the module has of it.
	CheckValue() CheckValue
	// Crypt encrypts or decrypts data under the key for encryption: of version E in counter mode,
	// else in CBC mode.
	Crypt(v Version, decrypt bool, iv, data []byte) ([]byte, error)
	// Code is the whole CMAC of the parts, taken as one message, under the key for codes.
	Code(v Version, parts ...[]byte) ([]byte, error)
}

// UnwrapInside is Unwrap under a KBPK that stays inside. The key of the block comes out.
func UnwrapInside(under Protector, block string, want Want) (Header, Key, error) {
	return unwrap(inside{under}, block, want)
}

// WrapInside is Wrap under a KBPK that stays inside.
func WrapInside(under Protector, h Header, key Key, o Options) (string, error) {
	return wrap(inside{under}, h, key, o)
}

// DerivationInputs is what the CMACs under a KBPK of size bytes are over, 8 bytes for each block of
// the key that they give one after another: of the key for codes, or else the one for encryption.
// X9.143 section 7.2.
func DerivationInputs(v Version, size int, code bool) ([]byte, error) {
	f, ok := v.form()
	switch {
	case !ok || v == VersionA || v == VersionC:
		return nil, fmt.Errorf("keys for version %q aren't derived by CMAC", string(v))
	case checkLength(f.cipher, size) != nil:
		return nil, fmt.Errorf("%w: version %s has none of %d bytes", ErrKBPK, v, size)
	case code:
		return derivationInputs(f.cipher, size, forCode), nil
	case v == VersionE:
		return derivationInputs(f.cipher, size, forCTR), nil
	}
	return derivationInputs(f.cipher, size, forCBC), nil
}

// cover is what a block is under: a KBPK in the clear, or one that stays inside.
type cover interface {
	keys(f form) (protection, error)
	strength(f form) int
	holds(f form, v CheckValue) error
}

// protection is the two keys at work. The caller wipes them.
type protection interface {
	crypt(dst, data, iv []byte, decrypt bool) error
	sum(parts ...[]byte) ([]byte, error)
	wipe()
}

// bare is a KBPK in the clear.
type bare []byte

func (b bare) keys(f form) (protection, error) {
	keys := new(pair)
	return keys, derive(f, b, keys)
}

func (b bare) strength(f form) int { return strength(f.cipher, b) }

func (b bare) holds(f form, v CheckValue) error { return v.holds(f.cipher, b) }

// inside is a KBPK that stays inside.
type inside struct{ p Protector }

func (i inside) keys(f form) (protection, error) {
	switch {
	case i.p.Algorithm() != f.cipher || checkLength(f.cipher, i.p.Size()) != nil:
		return nil, fmt.Errorf("%w: version %s needs a key of %s, not of %s with %d bytes",
			ErrKBPK, f.version, f.cipher.Text(), i.p.Algorithm().Text(), i.p.Size())
	case f.version == VersionA || f.version == VersionC:
		return nil, fmt.Errorf("%w: variants of a key can't be made inside, as version %s needs "+
			"(hint: ask the partner for version B)", ErrKBPK, f.version)
	}
	return insideKeys{i.p, f}, nil
}

// strength takes it that the parts of a TDES key differ: the module has seen to that.
func (i inside) strength(f form) int {
	if f.cipher == TDES {
		return map[int]int{16: 80, 24: 112}[i.p.Size()]
	}
	return 8 * i.p.Size()
}

func (i inside) holds(_ form, v CheckValue) error {
	if !i.p.CheckValue().Matches(v) {
		return errors.New("the check value is of another key, or made in another way than here")
	}
	return nil
}

// insideKeys has nothing to wipe: the keys are the module's.
type insideKeys struct {
	p Protector
	f form
}

func (k insideKeys) crypt(dst, data, iv []byte, decrypt bool) error {
	got, err := k.p.Crypt(k.f.version, decrypt, iv, data)
	defer clear(got)
	if err == nil && len(got) != len(dst) {
		err = errors.New("the module gave another length than it was asked for")
	}
	copy(dst, got)
	return err
}

func (k insideKeys) sum(parts ...[]byte) ([]byte, error) {
	code, err := k.p.Code(k.f.version, parts...)
	if err == nil && len(code) != k.f.code {
		err = errors.New("the module gave another length than it was asked for")
	}
	return code, err
}

func (k insideKeys) wipe() {}

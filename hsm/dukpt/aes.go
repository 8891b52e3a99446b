package dukpt

import (
	"crypto/aes"
	"errors"
	"fmt"
	"iter"
)

// AESOptions are what isn't allowed unless asked for.
type AESOptions struct {
	// Allow192 allows AES-192 as BDK. The standard has it, but its test vectors don't, so two
	// implementations may disagree.
	Allow192 bool
}

// checkAES gives the type of a key of derivation.
func checkAES(key []byte, o AESOptions) (KeyType, error) {
	t, ok := aesType(len(key))
	switch {
	case !ok:
		return 0, fmt.Errorf("it has 16 or 32 bytes, not %d", len(key))
	case t == AES192 && !o.Allow192:
		return 0, errors.New("AES-192 isn't allowed (hint: use AES-256)")
	}
	return t, nil
}

// AESBDK is a base derivation key of AES DUKPT.
type AESBDK struct {
	guarded
	t KeyType
	s *secret
}

// NewAESBDK takes a key of 16 or 32 bytes, or 24 if that is allowed. The caller wipes key.
func NewAESBDK(key []byte, o AESOptions) (*AESBDK, error) {
	t, err := checkAES(key, o)
	if err != nil {
		return nil, fmt.Errorf("a BDK of AES DUKPT: %w", err)
	}
	return &AESBDK{guarded{t.String() + " BDK"}, t, newSecret(key)}, nil
}

// InitialKey derives the key that a terminal is loaded with, of the same type as the BDK.
func (b *AESBDK) InitialKey(id AESKeyID) (*AESInitialKey, error) {
	if b == nil {
		return nil, errWiped
	}
	s, err := derive(b.s, func(yield func(Step) bool) { yield(newStep(usageInitialKey, b.t, id.b)) })
	if err != nil {
		return nil, err
	}
	return &AESInitialKey{guarded{b.t.String() + " initial key"}, b.t, id, s}, nil
}

// Key derives a working key of the terminal that a KSN names.
func (b *AESBDK) Key(k AESKSN, u Usage, t KeyType) (*Key, error) {
	initial, err := b.InitialKey(k.ID())
	if err != nil {
		return nil, err
	}
	defer initial.Wipe()
	return initial.Key(k, u, t)
}

// Wipe clears the key. All initial keys that came from it stay.
func (b *AESBDK) Wipe() { b.s.wipe() }

// AESInitialKey is the key that one terminal was loaded with.
type AESInitialKey struct {
	guarded
	t  KeyType
	id AESKeyID
	s  *secret
}

// NewAESInitialKey takes a key of 16 or 32 bytes, or 24 if that is allowed, and its name. The
// caller wipes key.
func NewAESInitialKey(key []byte, id AESKeyID, o AESOptions) (*AESInitialKey, error) {
	t, err := checkAES(key, o)
	if err != nil {
		return nil, fmt.Errorf("an initial key of AES DUKPT: %w", err)
	}
	return &AESInitialKey{guarded{t.String() + " initial key"}, t, id, newSecret(key)}, nil
}

// ID is the name of the key.
func (i *AESInitialKey) ID() AESKeyID { return i.id }

// AppendReveal appends the key, to load a terminal with it. Wipe the result after use.
func (i *AESInitialKey) AppendReveal(dst []byte) []byte { return append(dst, i.s.key()...) }

// Wipe clears the key.
func (i *AESInitialKey) Wipe() { i.s.wipe() }

// Key derives a working key of the transaction that a KSN names, as Steps gives it. A KSN of
// another terminal is refused.
func (i *AESInitialKey) Key(k AESKSN, u Usage, t KeyType) (*Key, error) {
	steps, err := Steps(i.t, k, u, t)
	if err != nil {
		return nil, err
	}
	if k.ID() != i.id {
		return nil, errors.New("the KSN is of another initial key")
	}
	return i.key(steps, u, t)
}

// UpdateKey derives the key under which a terminal gets its next initial key, as UpdateSteps gives
// it.
func (i *AESInitialKey) UpdateKey(t KeyType) (*Key, error) {
	steps, err := UpdateSteps(i.t, i.id, t)
	if err != nil {
		return nil, err
	}
	return i.key(steps, KeyEncryption, t)
}

func (i *AESInitialKey) key(steps iter.Seq[Step], u Usage, t KeyType) (*Key, error) {
	s, err := derive(i.s, steps)
	if err != nil {
		return nil, err
	}
	return newKey(t, u, s), nil
}

// derive takes the steps one by one. The key it starts from stays as it is.
func derive(from *secret, steps iter.Seq[Step]) (*secret, error) {
	if len(from.key()) == 0 {
		return nil, errWiped
	}
	s := newSecret(from.key())
	for step := range steps {
		block, err := aes.NewCipher(s.key())
		if err != nil {
			s.wipe()
			return nil, err
		}
		copy(s.bytes[:], step.data[:])
		for at := 0; at < step.size(); at += aes.BlockSize {
			block.Encrypt(s.bytes[at:], s.bytes[at:])
		}
		s.n = step.result.Size()
		clear(s.bytes[s.n:])
	}
	return s, nil
}

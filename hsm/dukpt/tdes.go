package dukpt

import (
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"errors"
	"fmt"
)

// TDESBDK is a base derivation key of TDES DUKPT, prepared to give initial keys.
type TDESBDK struct {
	guarded
	halves *tdesHalves
}

// tdesHalves encipher the two halves of an initial key. What they hold is behind pointers.
type tdesHalves struct{ left, right cipher.Block }

// NewTDESBDK takes a key of 16 bytes, whose parity bits don't count. One whose halves make it
// single DES is refused. The caller wipes key.
func NewTDESBDK(key []byte) (*TDESBDK, error) {
	if err := checkTDES(key); err != nil {
		return nil, fmt.Errorf("a BDK of TDES DUKPT: %w", err)
	}
	variant := inverted(key)
	defer clear(variant[:])
	h := new(tdesHalves)
	var err error
	if h.left, err = newTDES(key); err == nil {
		h.right, err = newTDES(variant[:])
	}
	if err != nil {
		return nil, err
	}
	return &TDESBDK{guarded{"TDES BDK"}, h}, nil
}

func checkTDES(key []byte) error {
	if len(key) != 16 {
		return fmt.Errorf("it has 16 bytes, not %d", len(key))
	}
	var differ byte
	for i := range 8 {
		differ |= (key[i] ^ key[i+8]) &^ 1
	}
	if differ == 0 {
		return errors.New("its halves are equal, which makes it single DES")
	}
	return nil
}

// newTDES takes two or three parts.
func newTDES(key []byte) (cipher.Block, error) {
	var three [24]byte
	defer clear(three[:])
	n := copy(three[:], key)
	copy(three[n:], key) // of two parts, the first is also the third
	return des.NewTripleDESCipher(three[:])
}

// inverted is the variant of a key that the standard makes with C0C0C0C000000000 on each half.
func inverted(key []byte) (v [16]byte) {
	copy(v[:], key)
	for _, half := range [][]byte{v[:8], v[8:]} {
		for i := range 4 {
			half[i] ^= 0xC0
		}
	}
	return v
}

// InitialKey derives the key that a terminal is loaded with: ANSI X9.24-1:2009 A.6.
func (b *TDESBDK) InitialKey(id TDESKeyID) (*TDESInitialKey, error) {
	if b == nil || b.halves == nil || b.halves.left == nil {
		return nil, errWiped
	}
	s := newSecret(append(id.b[:8:8], id.b[:8]...))
	b.halves.left.Encrypt(s.bytes[:8], s.bytes[:8])
	b.halves.right.Encrypt(s.bytes[8:16], s.bytes[8:16])
	return &TDESInitialKey{guarded{"TDES initial key"}, id, s}, nil
}

// Key derives a working key of the terminal that a KSN names.
func (b *TDESBDK) Key(k TDESKSN, u Usage) (*Key, error) {
	initial, err := b.InitialKey(k.ID())
	if err != nil {
		return nil, err
	}
	defer initial.Wipe()
	return initial.Key(k, u)
}

// Wipe drops the key. All initial keys that came from it stay.
func (b *TDESBDK) Wipe() {
	if b != nil && b.halves != nil {
		*b.halves = tdesHalves{}
	}
}

// TDESInitialKey is the key that one terminal was loaded with.
type TDESInitialKey struct {
	guarded
	id TDESKeyID
	s  *secret
}

// NewTDESInitialKey takes a key of 16 bytes and its name. The caller wipes key.
func NewTDESInitialKey(key []byte, id TDESKeyID) (*TDESInitialKey, error) {
	if err := checkTDES(key); err != nil {
		return nil, fmt.Errorf("an initial key of TDES DUKPT: %w", err)
	}
	return &TDESInitialKey{guarded{"TDES initial key"}, id, newSecret(key)}, nil
}

// ID is the name of the key.
func (i *TDESInitialKey) ID() TDESKeyID { return i.id }

// AppendReveal appends the key, to load a terminal with it. Wipe the result after use.
func (i *TDESInitialKey) AppendReveal(dst []byte) []byte { return append(dst, i.s.key()...) }

// Wipe clears the key.
func (i *TDESInitialKey) Wipe() { i.s.wipe() }

// Key derives a working key of the transaction that a KSN names: ANSI X9.24-1:2009 A.2 and A.4.1.
// A KSN of another terminal is refused.
func (i *TDESInitialKey) Key(k TDESKSN, u Usage) (*Key, error) {
	place, oneWay, ok := u.variant()
	if !ok {
		return nil, fmt.Errorf("TDES DUKPT has no key for %v", u)
	}
	w, err := i.transaction(k)
	if err != nil {
		return nil, err
	}
	defer w.wipe()
	w.key[place] ^= 0xFF
	w.key[8+place] ^= 0xFF
	if oneWay {
		if err := w.encipherSelf(); err != nil {
			return nil, err
		}
	}
	return newKey(TDEA2, u, newSecret(w.key[:])), nil
}

// tdesWork is where keys are made: what is handed to a cipher.Block can't be on the stack.
type tdesWork struct {
	key  [16]byte
	half [8]byte
}

func (w *tdesWork) wipe() { *w = tdesWork{} }

// transaction derives the transaction key: for each bit of the counter from the left, one step with
// the counter up to that bit.
func (i *TDESInitialKey) transaction(k TDESKSN) (*tdesWork, error) {
	switch {
	case len(i.s.key()) == 0:
		return nil, errWiped
	case k.IsZero():
		return nil, errKSN
	case k.ID() != i.id:
		return nil, errors.New("the KSN is of another initial key")
	}
	w := new(tdesWork)
	copy(w.key[:], i.s.key())
	counter := k.Counter()
	var upTo uint32
	for bit := uint32(1 << 20); bit != 0; bit >>= 1 {
		if counter&bit == 0 {
			continue
		}
		upTo |= bit
		register := k.with(upTo)
		if err := w.step([8]byte(register[2:])); err != nil {
			w.wipe()
			return nil, err
		}
	}
	return w, nil
}

// step makes the next key: its right half with the key as it is, its left one with the variant.
func (w *tdesWork) step(register [8]byte) error {
	variant := inverted(w.key[:])
	defer clear(variant[:])
	right, err := w.oneWay(w.key[:], register)
	defer clear(right[:])
	if err != nil {
		return err
	}
	left, err := w.oneWay(variant[:], register)
	defer clear(left[:])
	copy(w.key[:8], left[:])
	copy(w.key[8:], right[:])
	return err
}

// oneWay is the non-reversible function: single DES with the left half of a key over a register to
// which the right half was added, and is added again.
func (w *tdesWork) oneWay(key []byte, register [8]byte) (result [8]byte, err error) {
	single, err := des.NewCipher(key[:8])
	if err != nil {
		return result, err
	}
	subtle.XORBytes(w.half[:], register[:], key[8:])
	single.Encrypt(w.half[:], w.half[:])
	subtle.XORBytes(result[:], w.half[:], key[8:])
	return result, nil
}

// encipherSelf enciphers both halves of the key under the key.
func (w *tdesWork) encipherSelf() error {
	block, err := newTDES(w.key[:])
	if err != nil {
		return err
	}
	block.Encrypt(w.key[:8], w.key[:8])
	block.Encrypt(w.key[8:], w.key[8:])
	return nil
}

package keyblock

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/bits"
)

// Key is a clear key with its algorithm. Whatever prints, marshals or logs it shows only what kind
// of key it is. Copies are the same key: Wipe of one wipes all. It may be used by several
// goroutines as long as none wipes it.
type Key struct {
	open func() *material // a function, as fmt follows any pointer when a verb is wrong
}

type material struct {
	algorithm Algorithm
	raw       []byte
}

// ErrNoKey is a key that was wiped, or never was.
var ErrNoKey = errors.New("there is no key, or it was wiped")

const mostKey = 4096 // bytes: a longer one doesn't fit in a block

// NewKey takes a copy of raw; the caller clears its own. A symmetric key must have a length of its
// algorithm, an asymmetric one is in DER.
func NewKey(algorithm Algorithm, raw []byte) (Key, error) {
	if err := checkLength(algorithm, len(raw)); err != nil {
		return Key{}, err
	}
	m := &material{algorithm, append(make([]byte, 0, len(raw)), raw...)}
	return Key{func() *material { return m }}, nil
}

// RandomKey makes a key of size bytes. One of DES or TDES has odd parity. Random is crypto/rand if
// nil; a hardware module's may be given.
func RandomKey(algorithm Algorithm, size int, random io.Reader) (Key, error) {
	switch algorithm {
	case AES, DES, TDES, HMAC:
	default:
		return Key{}, fmt.Errorf("keys of %s aren't made here", algorithm.Text())
	}
	key, err := NewKey(algorithm, make([]byte, max(0, min(size, mostKey+1))))
	if err != nil {
		return Key{}, err
	}
	if random == nil {
		random = rand.Reader
	}
	m := key.open()
	if _, err := io.ReadFull(random, m.raw); err != nil {
		key.Wipe()
		return Key{}, fmt.Errorf("make a key: %w", err)
	}
	if algorithm == DES || algorithm == TDES {
		setOddParity(m.raw)
	}
	return key, nil
}

// checkLength says whether an algorithm has keys of this many bytes.
func checkLength(algorithm Algorithm, size int) error {
	ok := false
	switch algorithm {
	case DES:
		ok = size == 8
	case TDES:
		ok = size == 16 || size == 24
	case AES:
		ok = size == 16 || size == 24 || size == 32
	case HMAC, RSA, EC, DSA:
		ok = size > 0 && size <= mostKey
	default:
		return errors.New("the algorithm is unknown (hint: A, T, D, H, R, E or S)")
	}
	if !ok {
		return fmt.Errorf("a key of %s doesn't have %d bytes", algorithm.Text(), size)
	}
	return nil
}

// get gives what is in the key, nil if there is none.
func (k Key) get() *material {
	if k.open == nil || len(k.open().raw) == 0 {
		return nil
	}
	return k.open()
}

// IsZero tells that there is no key, or that it was wiped.
func (k Key) IsZero() bool { return k.get() == nil }

// Algorithm is what the key is used with, "" if there is no key.
func (k Key) Algorithm() Algorithm {
	if m := k.get(); m != nil {
		return m.algorithm
	}
	return ""
}

// Size is the bytes of the key.
func (k Key) Size() int {
	if m := k.get(); m != nil {
		return len(m.raw)
	}
	return 0
}

// Use lends the bytes of the key to f, which keeps neither them nor a copy, and returns f's error.
// Without a key it is ErrNoKey.
func (k Key) Use(f func(raw []byte) error) error {
	m := k.get()
	if m == nil {
		return ErrNoKey
	}
	return f(m.raw)
}

// Cipher prepares the block cipher of a DES, TDES or AES key.
func (k Key) Cipher() (cipher.Block, error) {
	m := k.get()
	if m == nil {
		return nil, ErrNoKey
	}
	return blockCipher(m.algorithm, m.raw)
}

// blockCipher prepares a cipher; of a TDES key of two parts, the first is also the third.
func blockCipher(algorithm Algorithm, raw []byte) (cipher.Block, error) {
	if err := checkLength(algorithm, len(raw)); err != nil {
		return nil, err
	}
	switch algorithm {
	case AES:
		return aes.NewCipher(raw)
	case DES:
		return des.NewCipher(raw)
	case TDES:
		var three [24]byte
		defer clear(three[:])
		copy(three[copy(three[:], raw)%24:], raw[:8])
		return des.NewTripleDESCipher(three[:])
	}
	return nil, fmt.Errorf("%s has no block cipher", algorithm.Text())
}

// Equal tells, in constant time, whether two keys have the same algorithm and bytes.
func (k Key) Equal(other Key) bool {
	a, b := k.get(), other.get()
	return a != nil && b != nil && a.algorithm == b.algorithm &&
		subtle.ConstantTimeCompare(a.raw, b.raw) == 1
}

// Wipe overwrites the key, also that of the copies.
func (k Key) Wipe() {
	if k.open != nil {
		clear(k.open().raw)
		k.open().raw = nil
	}
}

func setOddParity(raw []byte) {
	for i, b := range raw {
		raw[i] = b ^ byte(bits.OnesCount8(b)&1^1)
	}
}

func hasOddParity(raw []byte) bool {
	even := 0
	for _, b := range raw {
		even |= bits.OnesCount8(b)&1 ^ 1
	}
	return even == 0
}

// String says what kind of key it is.
func (k Key) String() string {
	m := k.get()
	if m == nil {
		return "(no key)"
	}
	return fmt.Sprintf("(%s key of %d bytes)", m.algorithm.Text(), len(m.raw))
}

// GoString is the same as String.
func (k Key) GoString() string { return k.String() }

// Format writes the same as String, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText is the same as String.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue is the same as String.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

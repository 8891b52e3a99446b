package pinblock

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"cardswitch/spec"
)

// Key enciphers PIN blocks: with TDES those of formats 0, 1 and 3, with AES those of format 4. It
// is safe for concurrent use. Nothing shows what it holds.
type Key struct {
	block cipher.Block
	work  sync.Pool // of *work
}

// work is where a block is opened and made. What is handed to a cipher.Block can't be on the stack,
// so it is here, wiped after each use.
type work struct {
	field  [16]byte
	pan    [16]byte
	random filling
}

func (w *work) wipe() { *w = work{} }

// NewTDESKey takes a key of two or three parts, 16 or 24 bytes, whose parity bits don't count. One
// whose parts make it single DES is refused. The caller wipes key.
func NewTDESKey(key []byte) (*Key, error) {
	var three [24]byte
	defer clear(three[:])
	switch len(key) {
	case 16:
		copy(three[copy(three[:], key):], key[:8])
	case 24:
		copy(three[:], key)
	default:
		return nil, fmt.Errorf("a TDES key for PINs has 16 or 24 bytes, not %d", len(key))
	}
	if sameDES(three[:8], three[8:16]) || sameDES(three[8:16], three[16:]) {
		return nil, errors.New("a TDES key for PINs has equal parts, which makes it single DES")
	}
	block, err := des.NewTripleDESCipher(three[:])
	if err != nil {
		return nil, err
	}
	return &Key{block: block}, nil
}

// sameDES compares two DES keys without their parity bits.
func sameDES(a, b []byte) bool {
	var differ byte
	for i := range a {
		differ |= (a[i] ^ b[i]) &^ 1
	}
	return differ == 0
}

// NewAESKey takes a key of 16, 24 or 32 bytes. The caller wipes key.
func NewAESKey(key []byte) (*Key, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("an AES key for PINs has 16, 24 or 32 bytes, not %d", len(key))
	}
	return &Key{block: block}, nil
}

// Takes tells whether the key's algorithm is the one of a format.
func (k *Key) Takes(f Format) bool {
	return k != nil && k.block != nil && f.Size() == k.block.BlockSize()
}

// Encrypt appends the enciphered block of a PIN to dst. The one error is ErrBlock.
func (k *Key) Encrypt(dst []byte, f Format, pin PIN, pan spec.PAN) ([]byte, error) {
	defer pin.Wipe()
	if !k.Takes(f) {
		return nil, ErrBlock
	}
	w := k.take()
	defer k.give(w)
	w.random.draw(f)
	if !k.seal(w, f, &pin, pan) {
		return nil, ErrBlock
	}
	return append(dst, w.field[:f.Size()]...), nil
}

// Decrypt opens an enciphered block. The one error is ErrBlock.
func (k *Key) Decrypt(f Format, checks Checks, pan spec.PAN, block []byte) (pin PIN, err error) {
	if !k.Takes(f) {
		return PIN{}, ErrBlock
	}
	w := k.take()
	defer k.give(w)
	if !k.open(w, &pin, f, checks, pan, block) {
		pin.Wipe()
		err = ErrBlock
	}
	return pin, err
}

func (k *Key) take() *work {
	if w, ok := k.work.Get().(*work); ok {
		return w
	}
	return new(work)
}

func (k *Key) give(w *work) {
	w.wipe()
	k.work.Put(w)
}

// open deciphers a block in w.field and reads the PIN.
func (k *Key) open(w *work, pin *PIN, f Format, checks Checks, pan spec.PAN, block []byte) bool {
	if len(block) != f.Size() {
		return false
	}
	field := w.field[:copy(w.field[:], block)]
	k.block.Decrypt(field, field)
	bound := true
	if f == Format4 {
		bound = panField4(w.pan[:], pan)
		subtle.XORBytes(field, field, w.pan[:])
		k.block.Decrypt(field, field)
	}
	return decode(pin, f, checks, pan, field) && bound
}

// seal makes the enciphered block of a PIN in w.field, with the filling that was drawn.
func (k *Key) seal(w *work, f Format, pin *PIN, pan spec.PAN) bool {
	field := w.field[:f.Size()]
	if !encode(field, f, pin, pan, &w.random) {
		return false
	}
	k.block.Encrypt(field, field)
	if f == Format4 {
		if !panField4(w.pan[:], pan) {
			return false
		}
		subtle.XORBytes(field, field, w.pan[:])
		k.block.Encrypt(field, field)
	}
	return true
}

// String says what kind of key it is.
func (k *Key) String() string {
	switch {
	case k.Takes(Format0):
		return "(TDES key for PINs)"
	case k.Takes(Format4):
		return "(AES key for PINs)"
	}
	return ""
}

// GoString is the same as String.
func (k *Key) GoString() string { return k.String() }

// Format writes the same as String, whatever the verb.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText is the same as String.
func (k *Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue is the same as String.
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

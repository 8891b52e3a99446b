package audit

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Key seals one record, and all that follow come from it. The first key of a log checks all of it.
// Nothing prints it, also not what prints a structure around it.
type Key struct {
	veiled [32]byte
}

// veil hides a key from what prints memory; it's no encryption.
const veil = 0xA5

func newKey(plain []byte) Key {
	var k Key
	for i, c := range plain {
		k.veiled[i] = c ^ veil
	}
	return k
}

func randomKey() Key {
	var plain [32]byte
	defer clear(plain[:])
	rand.Read(plain[:]) // never fails
	return newKey(plain[:])
}

// plain is the key itself, to be cleared after use.
func (k *Key) plain() []byte {
	plain := make([]byte, len(k.veiled))
	for i, c := range k.veiled {
		plain[i] = c ^ veil
	}
	return plain
}

func (k *Key) text() string {
	plain := k.plain()
	defer clear(plain)
	return hex.EncodeToString(plain)
}

func parseKey(text string) (Key, error) {
	plain, err := hex.DecodeString(text)
	defer clear(plain)
	if err != nil || len(plain) != len(Key{}.veiled) {
		return Key{}, errors.New("a key has 64 hexadecimal digits")
	}
	return newKey(plain), nil
}

// IsZero tells that there is no key.
func (k Key) IsZero() bool { return k == Key{} }

func (k *Key) equal(o *Key) bool {
	return subtle.ConstantTimeCompare(k.veiled[:], o.veiled[:]) == 1
}

// String says that there is a key, and nothing of it. So do all the others.
func (k Key) String() string {
	if k.IsZero() {
		return ""
	}
	return "(audit key)"
}

// GoString is the same as String.
func (k Key) GoString() string { return k.String() }

// Format writes the same as String, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText is the same as String.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue is the same as String.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

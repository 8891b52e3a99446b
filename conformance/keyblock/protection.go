package keyblock

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"

	"cardswitch/conformance/secretfile"
)

// Protection is a key block protection key: 16, 24 or 32 bytes of AES. It shows itself to nobody.
type Protection []byte

const hidden = "(key block protection key)"

// Format hides the key from every verb.
func (Protection) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// MarshalText hides the key from JSON, YAML and logs.
func (Protection) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// ReadProtection reads a file that nobody but its owner may read: the key in hex, and no more.
func ReadProtection(name string) (Protection, error) {
	text, err := secretfile.Read(name, 1<<10)
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(key) != 16 && len(key) != 24 && len(key) != 32 {
		return nil, fmt.Errorf("%s: a key block protection key has 32, 48 or 64 hex digits", name)
	}
	return key, nil
}

package dukpt

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// errWiped is what use of a wiped or empty key gives.
var errWiped = errors.New("the key is wiped, or was never set")

// secret is the bytes of a key, behind two pointers: what prints memory follows one when its verb
// doesn't fit the type, and of the second it shows the address.
type secret struct {
	bytes *[32]byte
	n     int
}

func newSecret(key []byte) *secret {
	s := &secret{bytes: new([32]byte)}
	s.n = copy(s.bytes[:], key)
	return s
}

// key is the bytes, none after wipe.
func (s *secret) key() []byte {
	if s == nil || s.n == 0 {
		return nil
	}
	return s.bytes[:s.n]
}

func (s *secret) wipe() {
	if s != nil && s.bytes != nil {
		clear(s.bytes[:])
		s.n = 0
	}
}

// guarded is part of every type that holds a key: prints of any kind show the name alone.
type guarded struct{ name string }

// String says what kind of key it is, and nothing of the key.
func (g guarded) String() string {
	if g.name == "" {
		return ""
	}
	return "(" + g.name + ")"
}

// GoString is the same as String.
func (g guarded) GoString() string { return g.String() }

// Format writes the same as String, whatever the verb.
func (g guarded) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, g.String()) }

// MarshalText is the same as String.
func (g guarded) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// LogValue is the same as String.
func (g guarded) LogValue() slog.Value { return slog.StringValue(g.String()) }

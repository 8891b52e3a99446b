package envelope

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"cardswitch/conformance/secretfile"
)

// Key is a link key: 16, 24 or 32 bytes of AES. It shows itself to nobody.
type Key []byte

const hidden = "(link key)"

// Format hides the key from every verb.
func (Key) Format(f fmt.State, _ rune) { io.WriteString(f, hidden) }

// MarshalText hides the key from JSON, YAML and logs.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// ReadKeys reads a file of link keys that nobody but its owner may read: a line for each, with the
// generation and the key in hex. A line with a key alone is generation 1. What follows # is a note.
func ReadKeys(name string) (map[uint16]Key, error) {
	text, err := secretfile.Read(name, 64<<10)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return keys, nil
}

func parseKeys(r io.Reader) (map[uint16]Key, error) {
	keys := make(map[uint16]Key)
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		switch len(fields) {
		case 0:
			continue
		case 1:
			fields = append([]string{"1"}, fields...)
		}
		generation, err := strconv.ParseUint(fields[0], 10, 16)
		if err != nil || len(fields) > 2 {
			return nil, fmt.Errorf("line %d: write a generation, 0 to 65535, and a key in hex", n)
		}
		key, err := hex.DecodeString(fields[1])
		if err != nil || len(key) != 16 && len(key) != 24 && len(key) != 32 {
			return nil, fmt.Errorf("line %d: a link key has 32, 48 or 64 hex digits", n)
		}
		if keys[uint16(generation)] != nil {
			return nil, fmt.Errorf("line %d: generation %d is there twice", n, generation)
		}
		keys[uint16(generation)] = key
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key; write its generation and the key in hex")
	}
	return keys, nil
}

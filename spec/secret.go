package spec

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Track is what a magnetic stripe holds. Whatever prints, marshals or logs it shows its card number
// masked and nothing of the rest; AppendReveal is the one door.
type Track struct {
	veiled [104]byte
	n      uint8
}

var errTrack = errors.New("a track has 1 to 104 characters")

// ParseTrack takes the canonical value of element 35, 36 or 45.
func ParseTrack(value []byte) (Track, error) {
	var t Track
	if len(value) == 0 || len(value) > len(t.veiled) {
		return Track{}, errTrack
	}
	for i, c := range value {
		t.veiled[i] = c ^ veil
	}
	t.n = uint8(len(value))
	return t, nil
}

// IsZero tells that there is no track.
func (t Track) IsZero() bool { return t.n == 0 }

// PAN is the card number: the digits before the separator, of track 1 behind its format letter.
func (t Track) PAN() PAN {
	var p PAN
	for i := range int(t.n) {
		c := t.veiled[i] ^ veil
		if i == 0 && c >= 'A' && c <= 'Z' {
			continue
		}
		if c-'0' > 9 || int(p.n) == len(p.veiled) {
			break
		}
		p.veiled[p.n] = t.veiled[i]
		p.n++
	}
	return p
}

// AppendReveal appends the whole track. Keep it out of logs, errors and files.
func (t Track) AppendReveal(dst []byte) []byte {
	for _, c := range t.veiled[:t.n] {
		dst = append(dst, c^veil)
	}
	return dst
}

// String is the masked card number and the length of the rest.
func (t Track) String() string {
	if t.n == 0 {
		return ""
	}
	return fmt.Sprintf("%v and more, %d characters", t.PAN(), t.n)
}

// GoString is the same as String.
func (t Track) GoString() string { return t.String() }

// Format writes the same as String, whatever the verb.
func (t Track) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// MarshalText is the same as String.
func (t Track) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue is the same as String.
func (t Track) LogValue() slog.Value { return slog.StringValue(t.String()) }

// PINBlock is an encrypted PIN. Nothing shows it, and there is no door to it.
type PINBlock struct {
	veiled [8]byte
	set    bool
}

// ParsePINBlock takes the eight bytes of element 52.
func ParsePINBlock(value []byte) (PINBlock, error) {
	var p PINBlock
	if len(value) != len(p.veiled) {
		return PINBlock{}, errors.New("a PIN block has eight bytes")
	}
	for i, c := range value {
		p.veiled[i] = c ^ veil
	}
	p.set = true
	return p, nil
}

// IsZero tells that there is no PIN block.
func (p PINBlock) IsZero() bool { return !p.set }

// String says that there is a PIN block.
func (p PINBlock) String() string {
	if !p.set {
		return ""
	}
	return "(PIN block)"
}

// GoString is the same as String.
func (p PINBlock) GoString() string { return p.String() }

// Format writes the same as String, whatever the verb.
func (p PINBlock) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// MarshalText is the same as String.
func (p PINBlock) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// LogValue is the same as String.
func (p PINBlock) LogValue() slog.Value { return slog.StringValue(p.String()) }

package pinblock

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
)

const (
	leastPIN = 4 // digits
	mostPIN  = 12
)

// PIN is a personal identification number in the clear, 4 to 12 digits. Nothing shows it;
// AppendReveal is the one door. Whoever holds one wipes it as soon as it was used, and keeps it off
// channels, maps and structures that live on.
type PIN struct {
	veiled [mostPIN]byte // a digit each, zero behind the last
	n      uint8
}

// veil hides a digit from what prints memory; it's no encryption.
const veil = 0xA5

var errPIN = errors.New("a PIN has 4 to 12 digits")

// ParsePIN reads 4 to 12 characters 0 to 9. The error doesn't show them.
func ParsePIN(digits []byte) (PIN, error) {
	var p PIN
	if len(digits) < leastPIN || len(digits) > mostPIN {
		return PIN{}, errPIN
	}
	p.blank(len(digits))
	for i, c := range digits {
		if c-'0' > 9 {
			return PIN{}, errPIN
		}
		p.veiled[i] = c - '0' ^ veil
	}
	return p, nil
}

// blank makes it n digits of zero.
func (p *PIN) blank(n int) {
	p.n = uint8(n)
	for i := range p.veiled {
		p.veiled[i] = veil
	}
}

// IsZero tells that there is no PIN.
func (p PIN) IsZero() bool { return p.n == 0 }

// Len is the number of digits.
func (p PIN) Len() int { return int(p.n) }

// Equal compares two PINs in constant time. No PIN equals none.
func (p PIN) Equal(q PIN) bool {
	return p.n != 0 && subtle.ConstantTimeByteEq(p.n, q.n)&
		subtle.ConstantTimeCompare(p.veiled[:], q.veiled[:]) == 1
}

// AppendReveal appends the digits as characters. A block that was opened without Digits may hold
// what is no digit: that is appended as A to F. Wipe the result after use.
func (p PIN) AppendReveal(dst []byte) []byte {
	for _, c := range p.veiled[:p.n] {
		dst = append(dst, "0123456789ABCDEF"[(c^veil)&0x0F])
	}
	p.Wipe()
	return dst
}

// Wipe clears the PIN. It isn't inlined, and keeps p alive, so that the compiler can't leave the
// stores out as useless.
//
//go:noinline
func (p *PIN) Wipe() {
	clear(p.veiled[:])
	p.n = 0
	runtime.KeepAlive(p)
}

// String says that there is a PIN.
func (p PIN) String() string {
	if p.n == 0 {
		return ""
	}
	return "(PIN)"
}

// GoString is the same as String.
func (p PIN) GoString() string { return p.String() }

// Format writes the same as String, whatever the verb.
func (p PIN) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// MarshalText is the same as String.
func (p PIN) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// LogValue is the same as String.
func (p PIN) LogValue() slog.Value { return slog.StringValue(p.String()) }

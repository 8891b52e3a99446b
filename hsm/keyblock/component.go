package keyblock

import (
	"errors"
	"fmt"
)

const mostComponents = 9 // as many as a key version "c1" to "c9" can name

// Combine makes a key of its components: all of them, by XOR, so that who has all but one knows
// nothing (split knowledge, ANSI X9.24-1 and PCI PIN requirement 6). With oddParity, which is for
// DES and TDES, each component must have odd parity, which finds one that was typed wrongly, and
// the key gets it. The components stay the caller's to wipe.
func Combine(oddParity bool, components ...Key) (Key, error) {
	if len(components) < 2 || len(components) > mostComponents {
		return Key{}, fmt.Errorf("a key is made of 2 to %d components, not %d", mostComponents,
			len(components))
	}
	first := components[0].get()
	if first == nil {
		return Key{}, ErrNoKey
	}
	switch first.algorithm {
	case AES, HMAC:
		if oddParity {
			return Key{}, fmt.Errorf("keys of %s have no parity", first.algorithm.Text())
		}
	case DES, TDES:
	default:
		return Key{}, fmt.Errorf("keys of %s have no components", first.algorithm.Text())
	}
	key, err := NewKey(first.algorithm, make([]byte, len(first.raw)))
	if err != nil {
		return Key{}, err
	}
	if err := combine(key.open().raw, oddParity, components); err != nil {
		key.Wipe()
		return Key{}, err
	}
	return key, nil
}

// combine fills raw, which is zero, with the XOR of the components.
func combine(raw []byte, oddParity bool, components []Key) error {
	for i, c := range components {
		m := c.get()
		switch {
		case m == nil:
			return ErrNoKey
		case m.algorithm != components[0].Algorithm() || len(m.raw) != len(raw):
			return fmt.Errorf("component %d has another algorithm or length than component 1", i+1)
		case oddParity && !hasOddParity(m.raw):
			return fmt.Errorf("component %d doesn't have odd parity (hint: it may be mistyped)", i+1)
		}
		for _, other := range components[:i] {
			if c.Equal(other) {
				return fmt.Errorf("component %d is the same as one before", i+1)
			}
		}
		zero := byte(0)
		for j, b := range m.raw {
			raw[j] ^= b
			zero |= b
		}
		if zero == 0 {
			return fmt.Errorf("component %d is all zero", i+1)
		}
	}
	sum := byte(0)
	for _, b := range raw {
		sum |= b
	}
	if sum == 0 {
		return errors.New("the components cancel each other out")
	}
	if oddParity {
		setOddParity(raw)
	}
	return nil
}

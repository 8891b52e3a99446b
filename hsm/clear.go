package hsm

import (
	"fmt"
	"math/bits"

	"cardswitch/hsm/keyblock"
)

const leastStrength = 80 // bits of security: two-key TDES, not single DES under another name

// CheckValue gives the check value of a clear key, and says why it isn't one of this spec: another
// algorithm or length, or weak. That error wraps ErrKey.
func (s KeySpec) CheckValue(k keyblock.Key) (keyblock.CheckValue, error) {
	switch {
	case k.Algorithm() != s.Algorithm || k.Size() != s.Size:
		return keyblock.CheckValue{}, fmt.Errorf("%w: it is a key of %s with %d bytes, not of %s "+
			"with %d", ErrKey, k.Algorithm().Text(), k.Size(), s.Algorithm.Text(), s.Size)
	case k.Strength() < leastStrength:
		return keyblock.CheckValue{}, fmt.Errorf("%w: it has only %d bits of security (hint: its "+
			"parts may be equal)", ErrKey, k.Strength())
	}
	return k.CheckValue(s.CheckMethod())
}

// Combine makes a clear key of its components, for a module whose keys are formed in this process.
// Those of TDES may have any parity; the key gets odd parity. It keeps no component, and the caller
// wipes the key.
func (s KeySpec) Combine(components [][]byte) (keyblock.Key, error) {
	keys := make([]keyblock.Key, 0, len(components))
	defer func() {
		for _, k := range keys {
			k.Wipe()
		}
	}()
	for i, c := range components {
		if len(c) != s.Size {
			return keyblock.Key{}, fmt.Errorf("component %d has %d bytes, the key %d", i+1, len(c),
				s.Size)
		}
		k, err := keyblock.NewKey(s.Algorithm, c)
		if err != nil {
			return keyblock.Key{}, err
		}
		keys = append(keys, k)
	}
	sum, err := keyblock.Combine(false, keys...)
	if err != nil || s.Algorithm != keyblock.TDES {
		return sum, err
	}
	return sum, sum.Use(func(raw []byte) error {
		for i, b := range raw {
			raw[i] = b ^ byte(bits.OnesCount8(b)&1^1)
		}
		return nil
	})
}

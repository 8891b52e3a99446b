package sealed

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"math/bits"
	"os"
	"strings"

	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/keyring"
)

// zone are the keys of a center's codes and PINs: codes have AES keys, PINs TDES keys of 16 bytes.
func zone(center string) (plans []keyring.Plan) {
	for _, d := range []keyring.Direction{keyring.In, keyring.Out} {
		plans = append(plans,
			keyring.Plan{Slot: keyring.Slot{Purpose: keyring.ZAK, Center: center, Direction: d}},
			keyring.Plan{Slot: keyring.Slot{Purpose: keyring.ZPK, Center: center, Direction: d},
				Algorithm: keyblock.TDES, Size: 16})
	}
	return plans
}

// zoneKey is the first generation of such a key.
func (s Secret) zoneKey(p keyring.Plan) []byte {
	key := s.Key(p.Slot.String(), 1)
	if p.Algorithm == keyblock.TDES {
		return odd(key[:p.Size])
	}
	return key
}

// odd gives TDES keys their parity.
func odd(key []byte) []byte {
	for i, b := range key {
		key[i] = b ^ byte(bits.OnesCount8(b)+1)&1
	}
	return key
}

// EnrollZone brings the keys of a center's codes and PINs into force, both ways.
func (s Secret) EnrollZone(ctx context.Context, ring *keyring.Ring, center string) error {
	for _, p := range zone(center) {
		key := s.zoneKey(p)
		one := make([]byte, len(key))
		rand.Read(one)
		if p.Algorithm == keyblock.TDES {
			odd(one)
		}
		subtle.XORBytes(key, key, one)
		if p.Algorithm == keyblock.TDES {
			odd(key)
		}
		if err := formOf(ctx, ring, p, one, key); err != nil {
			return err
		}
	}
	return nil
}

// WriteZone writes the file in which a simulator finds the same (package protect).
func (s Secret) WriteZone(file, center string) error {
	var text strings.Builder
	for _, p := range zone(center) {
		fmt.Fprintf(&text, "%s@1 %X\n", p.Slot, s.zoneKey(p))
	}
	return os.WriteFile(file, []byte(text.String()), 0o600)
}

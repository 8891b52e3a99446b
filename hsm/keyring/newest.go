package keyring

import (
	"time"

	"cardswitch/hsm"
)

// Newest is the youngest key that may open what the partner protects now, and its generation: for a
// partner whose messages don't name one. There keys can't change without a gap, as none is ever
// found by trial. The error is a *RefusedError.
func (r *Ring) Newest(slot Slot) (hsm.Key, uint16, error) {
	if n := r.live.Load().slots[slot]; n != nil {
		for i := len(n.keys) - 1; i >= 0; i-- {
			if k := &n.keys[i]; k.until.IsZero() || time.Now().Before(k.until) {
				return k.key, k.generation, nil
			}
		}
	}
	return nil, 0, &RefusedError{slot, 0, "no generation is active", "make or exchange a key"}
}

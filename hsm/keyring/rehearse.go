package keyring

import (
	"context"
	"fmt"
	"time"
)

// Rehearse is a link key that isn't active yet, for package envelope: connections that stand must
// be able to open what comes under a new key before the partner is told that we have it. Forget
// unloads the key; what was derived from it stays.
func (r *Ring) Rehearse(ctx context.Context, id ID, within time.Duration) (prf PRF, forget func(),
	err error) {
	record, ok := r.Set().Get(id)
	if !ok || id.Slot.Purpose != ZEK || record.State == Destroyed {
		return PRF{}, nil, &RefusedError{id.Slot, id.Generation, "there is no such link key",
			"exchange it"}
	}
	key, err := r.options.Module.Load(ctx, record.Wrapped)
	if err != nil {
		return PRF{}, nil, fmt.Errorf("key %s isn't taken by the security module: %w", id, err)
	}
	return PRF{r.options.Module, key, within}, key.Unload, nil
}

package keyring

import (
	"context"
	"maps"

	"cardswitch/hsm"
)

// Expect lets Opener find a key of ours that is on its way to the partner who will protect with it:
// the partner may use it with his answer already, and what comes under it is opened though the key
// isn't active yet. Its states, and those of older generations, stay as they are, so that a change
// that fails changes nothing. Forget ends that.
func (r *Ring) Expect(ctx context.Context, id ID) (forget func(), err error) {
	record, ok := r.Set().Get(id)
	if !ok || id.Slot.Direction != In || record.State == Destroyed {
		return nil, &RefusedError{id.Slot, id.Generation, "nothing is expected under it",
			"it is to be a key of ours that the partner protects with"}
	}
	key, err := r.load(ctx, &record, nil)
	if err != nil {
		return nil, err
	}
	r.expectMore(func(m map[ID]hsm.Key) { m[id] = key })
	return func() {
		r.expectMore(func(m map[ID]hsm.Key) { delete(m, id) })
		key.Unload()
	}, nil
}

// expectMore changes a copy of what is expected.
func (r *Ring) expectMore(change func(map[ID]hsm.Key)) {
	r.changes.Lock()
	defer r.changes.Unlock()
	next := map[ID]hsm.Key{}
	if now := r.expected.Load(); now != nil {
		maps.Copy(next, *now)
	}
	change(next)
	r.expected.Store(&next)
}

// expects is the key of a generation that is expected.
func (r *Ring) expects(id ID) (hsm.Key, bool) {
	now := r.expected.Load()
	if now == nil {
		return nil, false
	}
	key, ok := (*now)[id]
	return key, ok
}

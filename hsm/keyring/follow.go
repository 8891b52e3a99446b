package keyring

import (
	"context"

	"cardswitch/hsm"
)

// ReadSet reads the text of a key store that another node has saved, as a witness keeps it. What
// was altered is a *StoreError that wraps ErrTampered.
func ReadSet(ctx context.Context, m hsm.Module, text []byte) (Set, error) {
	f := &File{options: FileOptions{Path: "of another node", Module: m}}
	set, err := f.load(ctx, text)
	if f.key != nil {
		f.key.Unload()
	}
	return set, err
}

// Only is the part of a set that is of some slots.
func (s Set) Only(of func(Slot) bool) Set {
	var part Set
	for _, r := range s.records {
		if of(r.ID.Slot) {
			part.records = append(part.records, r)
		}
	}
	return part
}

// Follow puts a set in force that another node has made and saved. This ring is a copy, of which
// nothing is saved or told here. A set with a key that the module refuses changes nothing.
func (r *Ring) Follow(ctx context.Context, s Set) error {
	r.changes.Lock()
	defer r.changes.Unlock()
	old := r.live.Load()
	l, err := r.ready(ctx, s, old)
	if err != nil {
		return err
	}
	r.live.Store(l)
	old.unload(l)
	return nil
}

// Used counts uses of a key by copies of this ring.
func (r *Ring) Used(id ID, times uint64) {
	if n := r.live.Load().uses[id]; n != nil {
		n.Add(times)
	}
}

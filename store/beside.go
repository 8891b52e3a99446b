package store

import (
	"bytes"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// Beside the journal, in its Pebble, lie tables of others, such as the vault's: what changes in
// them becomes durable in one batch with the records that tell of it, by one sync. Their keys are
// their own business; here each gets a byte before it.

// other is a key of such a table set, or deleted if it has no value.
type other struct {
	key, value []byte
}

// Set sets a key of a table beside the journal. It keeps neither key nor value.
func (b *Batch) Set(key, value []byte) {
	b.others = append(b.others, other{b.keep(familyBeside, key), b.keep(0, value)})
	b.size += len(key) + len(value)
}

// Delete removes one.
func (b *Batch) Delete(key []byte) {
	b.others = append(b.others, other{key: b.keep(familyBeside, key)})
	b.size += len(key)
}

// Then calls fn once the batch is durable, before Commit returns. If it never is, neither is fn
// called.
func (b *Batch) Then(fn func()) { b.then = append(b.then, fn) }

// Empty tells that there is nothing to commit, and nobody to tell. Len counts records alone.
func (b *Batch) Empty() bool { return b.blank() && len(b.then) == 0 }

func (b *Batch) blank() bool { return b.count == 0 && len(b.changes) == 0 && len(b.others) == 0 }

// tell says that the batch is durable, and empties it.
func (b *Batch) tell() {
	for _, fn := range b.then {
		fn()
	}
	b.reset()
}

// keep copies bytes, behind a family byte if there is one, to where they stay until the commit.
func (b *Batch) keep(family byte, p []byte) []byte {
	at := len(b.scratch)
	if family != 0 {
		b.scratch = append(b.scratch, family)
	}
	b.scratch = append(b.scratch, p...)
	return b.scratch[at:len(b.scratch):len(b.scratch)]
}

// Get returns a copy of what stands under a key beside the journal. It sees what is committed, and
// shortly before also what is about to be synced.
func (s *Store) Get(key []byte) (value []byte, ok bool, err error) {
	var scratch [128]byte
	v, closer, err := s.db.Get(append(append(scratch[:0], familyBeside), key...))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return bytes.Clone(v), true, closer.Close()
}

// Scan calls fn with the keys beside the journal from one on and before another, in order, until it
// returns false. What fn is given is valid during its call.
func (s *Store) Scan(from, to []byte, fn func(key, value []byte) bool) error {
	it, err := s.db.NewIter(&pebble.IterOptions{
		LowerBound: append([]byte{familyBeside}, from...),
		UpperBound: append([]byte{familyBeside}, to...)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		if !fn(it.Key()[1:], value) {
			break
		}
	}
	return it.Close()
}

// Package registry keeps the small numbers that stand for names in the journal.
//
// A center, a link or a dialect gets its number once, at its first use, and keeps it for as long as
// the journal lives: a number is never used for another name, also when the name has left the
// configuration. A definition that changes under the same name (a dialect whose file was edited) is
// kept as a new number, so that old images stay readable.
package registry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

// Kind says what a name names.
type Kind uint8

const (
	Center Kind = iota + 1
	Link
	Dialect
)

// Entry is one named number.
type Entry struct {
	ID         uint16
	Kind       Kind
	Name       string
	Definition []byte
}

// Registry is the table. It is safe for concurrent use.
type Registry struct {
	save   func(Entry) error // durably
	adding sync.Mutex        // one ID at a time; held while saving, which no reader waits for

	mu      sync.RWMutex
	entries []Entry // entries[i].ID == i+1
	newest  map[name]uint16
}

type name struct {
	kind Kind
	name string
}

// New builds the table from its saved entries, in the order of their numbers.
func New(saved []Entry, save func(Entry) error) (*Registry, error) {
	r := &Registry{save: save, newest: make(map[name]uint16)}
	for _, e := range saved {
		if int(e.ID) != len(r.entries)+1 {
			return nil, fmt.Errorf("the registry lacks number %d", len(r.entries)+1)
		}
		r.entries = append(r.entries, e)
		r.newest[name{e.Kind, e.Name}] = e.ID
	}
	return r, nil
}

// ID returns the number of a name, giving it a new one (durably, before it returns) if there is
// none with this definition yet.
func (r *Registry) ID(kind Kind, what string, definition []byte) (uint16, error) {
	r.adding.Lock()
	defer r.adding.Unlock()
	e, ok := r.known(kind, what, definition)
	if !ok {
		if e.ID == 0 {
			return 0, errors.New("the registry is full: 65535 names were used in the life of this journal")
		}
		if err := r.save(e); err != nil {
			return 0, err
		}
	}
	if err := r.Learn(e); err != nil {
		return 0, err
	}
	return e.ID, nil
}

// Learn takes an entry that is saved: here, or by another node that all agreed with.
func (r *Registry) Learn(e Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch n := len(r.entries); {
	case int(e.ID) == n+1:
		r.entries = append(r.entries, e)
	case e.ID == 0 || int(e.ID) > n+1:
		return fmt.Errorf("the registry lacks number %d", n+1)
	}
	r.newest[name{e.Kind, e.Name}] = e.ID
	return nil
}

// known finds the entry of a name with this definition, which may be an old one that has come back.
// If there is none it returns the entry to be saved, with ID 0 if no number is left.
func (r *Registry) known(kind Kind, what string, definition []byte) (Entry, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, e := range r.entries {
		if e.Kind == kind && e.Name == what && bytes.Equal(e.Definition, definition) {
			return e, true
		}
	}
	return Entry{ID: uint16(len(r.entries) + 1), Kind: kind, Name: what,
		Definition: bytes.Clone(definition)}, false
}

// Lookup returns the number that ID gave last for a name.
func (r *Registry) Lookup(kind Kind, what string) (uint16, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	id, ok := r.newest[name{kind, what}]
	return id, ok
}

// Entry returns what a number stands for.
func (r *Registry) Entry(id uint16) (Entry, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if id == 0 || int(id) > len(r.entries) {
		return Entry{}, false
	}
	return r.entries[id-1], true
}

// Name returns the name behind a number, "" if there is none.
func (r *Registry) Name(id uint16) string {
	e, _ := r.Entry(id)
	return e.Name
}

// Definition returns the definition behind a number, nil if it has none. It must not be changed.
func (r *Registry) Definition(id uint16) []byte {
	e, _ := r.Entry(id)
	return e.Definition
}

// Append writes an entry without its number, which is in the key of the store.
func (e *Entry) Append(b []byte) []byte {
	b = append(b, byte(e.Kind))
	b = binary.AppendUvarint(b, uint64(len(e.Name)))
	b = append(b, e.Name...)
	return append(b, e.Definition...)
}

// Parse reads what Append wrote.
func Parse(id uint16, b []byte) (Entry, error) {
	if len(b) < 2 {
		return Entry{}, errors.New("damaged registry entry")
	}
	length, n := binary.Uvarint(b[1:])
	if n <= 0 || length > uint64(len(b)-1-n) {
		return Entry{}, errors.New("damaged registry entry")
	}
	rest := b[1+n:]
	e := Entry{ID: id, Kind: Kind(b[0]), Name: string(rest[:length])}
	if len(rest) > int(length) {
		e.Definition = bytes.Clone(rest[length:])
	}
	return e, nil
}

package wire

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"slices"

	"cardswitch/conformance/envelope"
)

// What Take refuses.
var (
	ErrAnotherKey = errors.New("the generation of the link key is another key")
	ErrTooLate    = errors.New("the generation isn't later than those that there were")
)

// Install takes a new generation of the link key, for all connections there are and will be. The
// peer may send under it from now on, and we do after Switch. A connection in the middle of its
// handshake gets it at its end.
func (e *Envelope) Install(generation uint16, key envelope.Key) error {
	var failed error
	for _, c := range e.add(generation, key) {
		if err := c.InstallKey(generation, key); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", c.Peer(), err))
		}
	}
	return failed
}

// Switch sends what follows on all connections under an installed generation. Do it when the peer
// has said that it has the key. Behind a generation that we send under already there is no way.
func (e *Envelope) Switch(generation uint16) error {
	e.mu.Lock()
	if e.switched != nil && later(*e.switched, generation) {
		e.mu.Unlock()
		return nil
	}
	if e.switched == nil || *e.switched != generation {
		e.switched = &generation
	}
	conns := slices.Collect(maps.Keys(e.conns))
	e.mu.Unlock()
	var failed error
	for _, c := range conns {
		err := c.SwitchKey(generation)
		if err != nil && !errors.Is(err, envelope.ErrNotStanding) {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", c.Peer(), err))
		}
	}
	return failed
}

// add keeps a key for connections to come, and lists those that there are.
func (e *Envelope) add(generation uint16, key envelope.Key) []*Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.Keys == nil {
		e.Keys = make(map[uint16]envelope.Key)
	}
	e.Keys[generation] = bytes.Clone(key)
	e.note(generation)
	return slices.Collect(maps.Keys(e.conns))
}

// Take installs the generation that the peer brought, as Install does. The same key once more
// changes nothing.
func (e *Envelope) Take(generation uint16, key envelope.Key) error {
	e.mu.Lock()
	have, there := e.Keys[generation]
	late := e.last != nil && !later(generation, *e.last)
	e.mu.Unlock()
	switch {
	case there && subtle.ConstantTimeCompare(have, key) == 1:
		return nil
	case there:
		return ErrAnotherKey
	case late:
		return ErrTooLate
	}
	err := e.Install(generation, key)
	if err != nil {
		e.Drop(generation)
	}
	return err
}

// Next is the generation that comes after all that there were.
func (e *Envelope) Next() uint16 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.last == nil {
		return 1
	}
	return *e.last + 1
}

// note remembers that there was a generation.
func (e *Envelope) note(generation uint16) {
	if e.last == nil || later(generation, *e.last) {
		e.last = &generation
	}
}

// later reports whether a is 1 to 32,767 ahead of b, counted round.
func later(a, b uint16) bool { return a != b && a-b <= 32767 }

// Drop forgets a generation that the peer hasn't taken: connections to come don't know it.
func (e *Envelope) Drop(generation uint16) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.switched == nil || *e.switched != generation {
		delete(e.Keys, generation)
	}
}

package security

import (
	"context"
	"errors"
	"sync"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyring"
	"cardswitch/spec"
	"cardswitch/switch/txn"
)

// Keys are the keys in force. A *keyring.Ring is one.
type Keys interface {
	Sender(slot keyring.Slot) (hsm.Key, uint16, error)
	Opener(slot keyring.Slot, generation uint16) (hsm.Key, error)
	Newest(slot keyring.Slot) (hsm.Key, uint16, error)
}

// Guard does the work of all profiles. It may be used by many goroutines.
type Guard struct {
	module hsm.Module
	keys   Keys
	lent   Keys // of profiles whose keys are lent
	took   func(hsm.Operation, time.Duration)
	works  sync.Pool
	remote [3]bool // whether codes and PINs are made, and card data opened, somewhere else
}

// NewGuard makes one. Took is told how long each operation of the module took; it may be nil.
func NewGuard(m hsm.Module, k Keys, took func(hsm.Operation, time.Duration)) *Guard {
	if took == nil {
		took = func(hsm.Operation, time.Duration) {}
	}
	caps := m.Caps()
	away := func(o hsm.Operation) bool { return caps[o] == hsm.Inside || caps[o] == hsm.KeyInside }
	g := &Guard{module: m, keys: k, took: took,
		remote: [3]bool{away(hsm.MakeMAC),
			away(hsm.TranslateZonePIN) || away(hsm.TranslateTerminalPIN), away(hsm.OpenCard)}}
	g.works.New = func() any { return new(work) }
	return g
}

// Borrow gives it the keys of profiles whose keys are another's. They are of its module.
func (g *Guard) Borrow(lent Keys) { g.lent = lent }

// keysOf are the keys of a profile.
func (g *Guard) keysOf(p *Profile) Keys {
	if p.Lent {
		return g.lent
	}
	return g.keys
}

// Permit says why the module may not do what a profile asks for.
func (g *Guard) Permit(p *Profile, allowed hsm.Profile) error {
	if p.MAC != nil {
		if err := allowed.Check(hsm.MakeMAC, g.module.Caps()); err != nil {
			return err
		}
	}
	if p.P2PE != nil {
		if err := allowed.Check(hsm.OpenCard, g.module.Caps()); err != nil {
			return err
		}
	}
	if p.PIN == nil {
		return nil
	}
	if p.PIN.Terminals != nil {
		if err := allowed.Check(hsm.TranslateTerminalPIN, g.module.Caps()); err != nil {
			return err
		}
	}
	return allowed.Check(hsm.TranslateZonePIN, g.module.Caps())
}

// Elsewhere tells whether any of its work is.
func (g *Guard) Elsewhere() bool { return g.remote[0] || g.remote[1] || g.remote[2] }

// InspectsElsewhere tells whether Inspect asks a machine that may take its time.
func (g *Guard) InspectsElsewhere(p *Profile) bool {
	return p.MAC != nil && g.remote[0] || p.P2PE != nil && g.remote[2]
}

// ProtectsElsewhere tells the same of Protect, for a message with a PIN or without.
func (g *Guard) ProtectsElsewhere(p *Profile, pin bool) bool {
	return p.MAC != nil && g.remote[0] || pin && g.remote[1]
}

// work is where a message is worked on: what is handed to a module can't be on the stack.
type work struct {
	message spec.Message
	edit    spec.Edit
	control [64]byte
	code    [16]byte
	parts   [][]byte
	sealed  [256]byte // card data that are encrypted
	card    []byte    // and opened
	kept    []byte
	cuts    []byte
}

func (g *Guard) take() *work { return g.works.Get().(*work) }

// give puts it back without what it refers to.
func (g *Guard) give(w *work) {
	clear(w.parts)
	w.parts, w.message = w.parts[:0], spec.Message{}
	g.works.Put(w)
}

// reasonOf says what an error of a module means for the message; wrong is what a message that
// can't be right means.
func reasonOf(err error, wrong txn.Reason) txn.Reason {
	switch {
	case err == nil:
		return txn.None
	case errors.Is(err, hsm.ErrMAC), errors.Is(err, hsm.ErrPIN):
		return wrong
	case errors.Is(err, hsm.ErrUnavailable):
		return txn.ModuleSilent
	case errors.Is(err, hsm.ErrForbidden), errors.Is(err, hsm.ErrAbsent):
		return txn.ModuleForbidden
	}
	return txn.ModuleFailed
}

// parts gives what the code of a message is over: head is the message up to the code's element.
func (w *work) partsOf(p *MAC, m *spec.Message, head []byte) [][]byte {
	if len(p.Elements) == 0 {
		w.parts = append(w.parts[:0], head)
		return w.parts
	}
	w.parts = w.parts[:0]
	for _, n := range p.Elements {
		switch n {
		case 0:
			w.parts = append(w.parts, m.Head(0))
		case 1:
			w.parts = append(w.parts, m.Head(1))
		default:
			w.parts = append(w.parts, m.Wire(n))
		}
	}
	return w.parts
}

// verify asks the module about a code.
func (g *Guard) verify(ctx context.Context, key hsm.Key, p *MAC, code []byte,
	parts [][]byte) error {
	began := time.Now()
	err := g.module.VerifyMAC(ctx, key, p.way(key), code, parts...)
	g.took(hsm.MakeMAC, time.Since(began))
	return err
}

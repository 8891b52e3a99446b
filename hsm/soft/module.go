// Package soft is the security module inside this process: the default, and enough without PINs.
//
// Every key it gives out is an X9.143 block of version D under its storage master key (SMK), with
// the context "storage", so no partner's block passes for one. The SMK is handed over at the start
// and never leaves; there are no files and no sockets. Sources: ANSI X9.143:2021, RFC 3394, and the
// packages it is made of.
//
// All is in clear in this process, and Caps says so: a production profile refuses to translate PINs
// and to open terminals' card data here (PCI PIN requirement 1, reference crypto.md section 2).
//
// A loaded key holds what it is used with, prepared. Making MACs and translating a zone's PINs take
// no lock; each goroutine has a mac.Mac of the key's pool for itself. What works on the bytes of a
// key holds them against Unload, which overwrites them. Key schedules of the standard library can't
// be overwritten, only dropped. Built with GOEXPERIMENT=runtimesecret, the runtime clears those as
// well, when they are collected.
package soft

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
)

// Module is one security module.
type Module struct {
	profile hsm.Profile

	mu     sync.RWMutex // around what Close clears
	master keyblock.Key
	loaded map[*key]struct{}
}

var _ hsm.Module = (*Module)(nil)

// masterSize is the bytes of the SMK: no key under it may be stronger.
const masterSize = 32

// New makes a module with a copy of its master key, AES-256. The caller wipes its own.
func New(master keyblock.Key, profile hsm.Profile) (*Module, error) {
	if master.Algorithm() != keyblock.AES || master.Size() != masterSize {
		return nil, fmt.Errorf("the master key of the soft security module is an AES key of %d "+
			"bytes, not %v", masterSize, master)
	}
	own, err := clone(master)
	if err != nil {
		return nil, err
	}
	return &Module{profile: profile, master: own, loaded: make(map[*key]struct{})}, nil
}

// clone makes a key that is wiped by itself.
func clone(k keyblock.Key) (own keyblock.Key, err error) {
	err = k.Use(func(raw []byte) (err error) {
		own, err = keyblock.NewKey(k.Algorithm(), raw)
		return err
	})
	return own, err
}

// Name is "soft".
func (m *Module) Name() string { return "soft" }

// String is the same as Name.
func (m *Module) String() string { return m.Name() }

// Caps says that it can do all, and that all is in clear in this process.
func (m *Module) Caps() hsm.Caps {
	var c hsm.Caps
	for i := range c {
		c[i] = hsm.Process
	}
	return c
}

// Random fills b from the operating system's generator.
func (m *Module) Random(ctx context.Context, b []byte) error {
	if err := hsm.Ended(ctx); err != nil {
		return err
	}
	_, err := rand.Read(b)
	return err
}

// start says why an operation isn't begun.
func (m *Module) start(ctx context.Context, o hsm.Operation) error {
	if err := hsm.Ended(ctx); err != nil {
		return err
	}
	return m.profile.Check(o, m.Caps())
}

var errClosed = fmt.Errorf("%w: it is closed", hsm.ErrUnavailable)

// withMaster lends the master key to f, which keeps nothing of it.
func (m *Module) withMaster(f func(kbpk []byte) error) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var err error
	hidden(func() { err = m.master.Use(f) })
	if errors.Is(err, keyblock.ErrNoKey) {
		return errClosed
	}
	return err
}

// Close forgets the master key and all loaded keys.
func (m *Module) Close() error {
	m.mu.Lock()
	keys := m.loaded
	m.loaded = nil
	m.master.Wipe()
	m.mu.Unlock()
	for k := range keys {
		k.forget()
	}
	return nil
}

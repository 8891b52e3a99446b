// Package keys opens the keys of a node: security module, master key, key store, ceremonies.
//
// What the configuration leaves out is a test installation's: the soft module with a master key
// that it makes itself, all in the data folder. In production the master key is made by a ceremony,
// before anything else is started.
package keys

import (
	"context"
	"errors"
	"log/slog"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/keyring"
	"cardswitch/hsm/keyring/ceremony"
	"cardswitch/hsm/keyring/master"
	cardswitch "cardswitch/switch"
)

// Options are what the configuration can't hold.
type Options struct {
	Passphrase []byte // of the master key of the soft module; nil: none
	Audit      keyring.Auditor
	Logger     *slog.Logger // of modules that have one; nil: slog.Default
	// Witness keeps the version of the key store: the journal's. Nil: an old copy isn't found out.
	Witness keyring.Witness
	// Module is the security module, where it outlives the keys: it stays its giver's. nil: the one of
	// the configuration is opened.
	Module hsm.Module
}

// Keys are the keys of a node.
type Keys struct {
	*keyring.Ring
	Room       *ceremony.Room
	Production bool
	file       *keyring.File
	lent       bool // the module isn't ours
}

// ErrNoMaster is a production node whose master key isn't made yet: hold its ceremony (Waiting).
var ErrNoMaster = errors.New("the master key isn't made yet")

// OpenModule opens the security module of a configuration.
func OpenModule(ctx context.Context, c *cardswitch.Config, o Options) (hsm.Module, error) {
	return module(ctx, c, &o)
}

// Open opens all keys, or none.
func Open(ctx context.Context, c *cardswitch.Config, o Options) (*Keys, error) {
	m, lent := o.Module, true
	if m == nil {
		var err error
		if m, err = module(ctx, c, &o); err != nil {
			return nil, err
		}
		lent = false
	}
	k, err := openOn(ctx, m, c, &o)
	if err != nil {
		if lent {
			return nil, err
		}
		return nil, errors.Join(err, m.Close())
	}
	k.lent = lent
	return k, nil
}

func openOn(ctx context.Context, m hsm.Module, c *cardswitch.Config, o *Options) (*Keys, error) {
	file, set, err := keyring.OpenFile(ctx, keyring.FileOptions{Path: c.Keys.Store, Module: m,
		Witness: o.Witness})
	if err != nil {
		return nil, err
	}
	ring, err := keyring.Open(ctx, keyring.Options{Module: m, Set: set, Saver: file, Audit: o.Audit,
		Production: c.Production, Policy: c.Keys.Policy})
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Keys{Ring: ring, Room: new(ceremony.Room), Production: c.Production, file: file}, nil
}

// Close ends the ceremonies and forgets all keys.
func (k *Keys) Close() error {
	err := errors.Join(k.Room.Close(), k.Ring.Close(), k.file.Close())
	if !k.lent {
		err = errors.Join(err, k.Module().Close())
	}
	return err
}

func masterOptions(c *cardswitch.Config, passphrase []byte) master.Options {
	return master.Options{Path: c.Keys.Master, Passphrase: passphrase, Production: c.Production}
}

// MasterWork is the master key as the work of a ceremony. Done is called when it is written.
func MasterWork(c *cardswitch.Config, passphrase []byte, done func()) ceremony.Work {
	return master.NewWork(masterOptions(c, passphrase), func(key keyblock.Key) error {
		key.Wipe() // Open reads it from its file
		done()
		return nil
	})
}

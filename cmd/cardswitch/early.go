package main

import (
	"context"

	"cardswitch/hsm/envelope"
	"cardswitch/hsm/keyring"
	"cardswitch/switch/keys"
)

// earlyKeys are the issuers' link keys on a node that follows, for the envelopes in which it signs
// on before it is the active one: a copy of what its replica of the journal has. Until the module
// is open there are none.
type earlyKeys struct{ copy *keys.Copy }

// openEarlyKeys makes the copy, as far as the journal has come.
func (n *node) openEarlyKeys(ctx context.Context) (err error) {
	n.early.copy, err = keys.NewCopy(ctx, n.store.KeyWitness(), n.module,
		func(s keyring.Slot) bool {
			return s.Purpose == keyring.ZEK && !n.config.Load().IsMerchant(s.Center)
		})
	if err == nil {
		n.followEarlyKeys(ctx)
	}
	return err
}

// followEarlyKeys brings the copy up to date.
func (n *node) followEarlyKeys(ctx context.Context) {
	if n.early.copy == nil {
		return
	}
	if _, err := n.early.copy.Refresh(ctx); err != nil {
		n.log.Warn("the issuers' link keys can't be read on this node, which follows",
			"error", err.Error(), "hint", "it can't sign on early in an envelope; a takeover reads "+
				"them again")
	}
}

// Newest is link's.
func (e *earlyKeys) Newest(link string) (uint16, bool) {
	if e.copy == nil {
		return 0, false
	}
	return e.copy.Newest(link)
}

// Key is link's.
func (e *earlyKeys) Key(link string, generation uint16) (envelope.Key, bool) {
	if e.copy == nil {
		return envelope.Key{}, false
	}
	return e.copy.Key(link, generation)
}

func (e *earlyKeys) close() error {
	if e.copy == nil {
		return nil
	}
	return e.copy.Close()
}

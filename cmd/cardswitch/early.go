package main

import (
	"context"
	"errors"

	"cardswitch/hsm/envelope"
	"cardswitch/hsm/keyring"
	"cardswitch/switch/keys"
	"cardswitch/switch/security"
)

// earlyKeys are the issuers' keys on a node that follows, for the envelopes and the codes with
// which it signs on before it is the active one: a copy of what its replica of the journal has.
// Until the module is open there are none.
type earlyKeys struct {
	copy  *keys.Copy
	guard *security.Guard
}

// openEarlyKeys makes the copy, as far as the journal has come.
func (n *node) openEarlyKeys(ctx context.Context) (err error) {
	n.early.copy, err = keys.NewCopy(ctx, n.store.KeyWitness(), n.module,
		func(s keyring.Slot) bool {
			return (s.Purpose == keyring.ZEK || s.Purpose == keyring.ZAK) &&
				!n.config.Load().IsMerchant(s.Center)
		})
	if err == nil {
		n.early.guard = security.NewGuard(n.module, n.early.copy.Ring(), nil)
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
		n.log.Warn("the issuers' keys can't be read on this node, which follows",
			"error", err.Error(), "hint", "it can't sign on early in an envelope or with codes; a "+
				"takeover reads them again")
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

// Guard is cardswitch's. What the journal has by now is read first, so that no key is used that the
// active node has followed by another, but for what is on its way here.
func (e *earlyKeys) Guard(ctx context.Context) (*security.Guard, error) {
	if e.copy == nil {
		return nil, errors.New("this node's security module isn't open yet")
	}
	_, err := e.copy.Refresh(ctx)
	return e.guard, err
}

func (e *earlyKeys) close() error {
	if e.copy == nil {
		return nil
	}
	return e.copy.Close()
}

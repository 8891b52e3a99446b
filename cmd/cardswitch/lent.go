package main

import (
	"context"
	"errors"
	"slices"

	"cardswitch/hsm/keyring"
	"cardswitch/switch/keys"
	"cardswitch/switch/link/keyorder"
)

// lentKeys are the merchants' keys on this node, which are the first shard's: a copy for the door,
// and one in the security module of each other shard. They follow together, so that the first shard
// tells a merchant of a new key when all of them know it.
type lentKeys struct {
	*keys.Copy // the door's
	others     []*keys.Copy
}

// lend makes a copy for a node of the keys of some purposes, as far as this machine's replica of
// the first shard's journal has them. The node closes it.
func (h *house) lend(ctx context.Context, to *node, purposes ...keyring.Purpose) (err error) {
	to.lent, err = keys.NewCopy(ctx, h.nodes[0].store.KeyWitness(), to.module,
		func(s keyring.Slot) bool {
			return slices.Contains(purposes, s.Purpose) && h.config.Load().IsMerchant(s.Center)
		})
	return err
}

// lendAll makes all copies.
func (h *house) lendAll(ctx context.Context) error {
	if err := h.lend(ctx, h.nodes[0], keyring.ZEK, keyring.ZAK); err != nil {
		return err
	}
	h.keys = &lentKeys{Copy: h.nodes[0].lent}
	for _, n := range h.nodes[1:] {
		if err := h.lend(ctx, n, keyring.ZAK, keyring.ZPK); err != nil {
			return err
		}
		h.keys.others = append(h.keys.others, n.lent)
		n.deps.Lent, n.deps.WantKey = n.lent.Ring(), h.wantKey
	}
	_, err := h.keys.Refresh(ctx)
	return err
}

// Refresh is door's: the oldest version that a copy has.
func (l *lentKeys) Refresh(ctx context.Context) (uint64, error) {
	oldest, err := l.Copy.Refresh(ctx)
	for _, c := range l.others {
		version, e := c.Refresh(ctx)
		oldest, err = min(oldest, version), errors.Join(err, e)
	}
	return oldest, err
}

// Expect is door's.
func (l *lentKeys) Expect(ctx context.Context, coming map[string][]uint16) error {
	err := l.Copy.Expect(ctx, coming)
	for _, c := range l.others {
		err = errors.Join(err, c.Expect(ctx, coming))
	}
	return err
}

// Uses is door's.
func (l *lentKeys) Uses() []keyorder.Use {
	list := l.Copy.Uses()
	for _, c := range l.others {
		list = append(list, c.Uses()...)
	}
	return list
}

// Anew has all read the keys again, as other centers are merchants.
func (l *lentKeys) Anew() {
	l.Copy.Anew()
	for _, c := range l.others {
		c.Anew()
	}
}

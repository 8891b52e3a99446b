package main

import (
	"context"
	"log/slog"
	"testing"

	"cardswitch/hsm/keyring"
	"cardswitch/store"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/keys"
)

// A node that follows has the issuers' keys of its journal as they are whenever it says or hears
// something, and those of no merchant; before its module is open it has none.
func TestEarlyKeysFollowTheJournal(t *testing.T) {
	ctx := context.Background()
	c := cardswitch.Defaults()
	c.Data.Dir = t.TempDir()
	c.Centers = []cardswitch.CenterConfig{{Name: "shop", Role: cardswitch.RoleMerchant},
		{Name: "bank", Role: cardswitch.RoleIssuer}}
	c.Complete()
	o := c.StoreOptions()
	o.FS = store.Memory()
	n := &node{log: slog.New(slog.DiscardHandler)}
	n.config.Store(&c)
	if _, err := n.early.Guard(ctx); err == nil {
		t.Error("there are keys before there is a module")
	}
	var err error
	if n.store, err = store.Open(o); err != nil {
		t.Fatal(err)
	}
	defer n.store.Close()
	active, err := keys.Open(ctx, &c, keys.Options{Witness: n.store.KeyWitness()})
	if err != nil {
		t.Fatal(err)
	}
	defer active.Close()
	n.module = active.Module()
	if err := n.openEarlyKeys(ctx); err != nil {
		t.Fatal(err)
	}
	defer n.early.close()
	for generation := uint16(1); generation <= 2; generation++ {
		for _, center := range []string{"shop", "bank"} {
			slot := keyring.Slot{Purpose: keyring.ZAK, Center: center, Direction: keyring.Out}
			by := keyring.By{Who: "sato", Role: "owner", Why: "a test"}
			r, err := active.Generate(ctx, by, keyring.Plan{Slot: slot})
			if err == nil {
				_, err = active.Serve(ctx, by, r.ID)
			}
			if err != nil {
				t.Fatal(err)
			}
			if guard, err := n.early.Guard(ctx); err != nil || guard == nil {
				t.Fatal(err)
			}
			_, has, err := n.early.copy.Ring().Sender(slot)
			if center == "bank" && (err != nil || has != generation) {
				t.Errorf("%s: generation %d, %v, want %d", slot, has, err, generation)
			}
			if center == "shop" && err == nil {
				t.Errorf("%s: generation %d of another's", slot, has)
			}
		}
	}
}

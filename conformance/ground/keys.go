package ground

import (
	"testing"

	"cardswitch/conformance/load/sealed"
	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/keyring"
	"cardswitch/hsm/soft"
	cardswitch "cardswitch/switch"
)

// Enroll gives the switches of this ground the first generation of the key of every link with an
// envelope, and the keys under which keys travel, made of secret, in a security module of its own.
// Call it before Start.
func (g *Ground) Enroll(t testing.TB, c cardswitch.Config, secret sealed.Secret) *keyring.Ring {
	t.Helper()
	master, err := keyblock.RandomKey(keyblock.AES, 32, nil)
	if err != nil {
		t.Fatal(err)
	}
	if g.module, err = soft.New(master, hsm.Test); err != nil {
		t.Fatal(err)
	}
	if g.keys, err = keyring.Open(t.Context(), keyring.Options{Module: g.module}); err != nil {
		t.Fatal(err)
	}
	for _, center := range c.Centers {
		if err := secret.EnrollCenter(t.Context(), g.keys, center.Name); err != nil {
			t.Fatal(err)
		}
		for _, link := range center.Links {
			if link.Envelope == nil {
				continue
			}
			if err := secret.Enroll(t.Context(), g.keys, center.Name+"/"+link.Name); err != nil {
				t.Fatal(err)
			}
		}
	}
	return g.keys
}

package protect

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"cardswitch/conformance/format"
	"cardswitch/conformance/wire"
)

// A new key is used by all who have the same options, and an old one still opens. What isn't agreed
// on, another key under the same number, and one that comes too late are not taken.
func TestKeysAreTaken(t *testing.T) {
	o := &Options{Keys: filepath.Join(t.TempDir(), "keys"), MAC: &MAC{}, Generations: true}
	const text = `zak:hq:in@2  0123456789ABCDEFFEDCBA9876543210
zak:hq:out@2 0123456789ABCDEFFEDCBA9876543211
`
	if err := os.WriteFile(o.Keys, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := o.Complete(); err != nil {
		t.Fatal(err)
	}
	f, err := format.Named("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	guards := make([]*Guard, 2)
	for i := range guards {
		if guards[i], err = New(o, Merchant, f); err != nil {
			t.Fatal(err)
		}
	}
	zone, key := guards[0].Zone(), bytes.Repeat([]byte{7, 8}, 8)
	for range 2 {
		if err := zone.Take("zak:in", 'T', 3, key); err != nil {
			t.Fatal(err)
		}
	}
	if err := zone.Take("zak:in", 'T', 3, key[1:]); !errors.Is(err, wire.ErrAnotherKey) {
		t.Errorf("another key: %v", err)
	}
	if err := zone.Take("zak:in", 'T', 1, key); !errors.Is(err, wire.ErrTooLate) {
		t.Errorf("too late: %v", err)
	}
	for use, algorithm := range map[string]byte{"zak:out": 'A', "zpk:in": 'T'} {
		if err := zone.Take(use, algorithm, 3, key); err == nil {
			t.Errorf("%s of %c is taken", use, algorithm)
		}
	}
	if got, n, _ := guards[1].options.keys.newest("zak:in"); n != 3 || !bytes.Equal(got, key) {
		t.Errorf("the other one has generation %d", n)
	}
	if guards[1].options.keys.get("zak:in", 2) == nil {
		t.Error("the old key is gone")
	}
	var none *Guard
	if none.Zone() != nil {
		t.Error("who has no keys takes one")
	}
}

package main

import (
	"strings"
	"testing"
	"time"

	"cardswitch/conformance/issuer"
	"cardswitch/conformance/pos"
	"cardswitch/hsm/keyring"
)

// testZone has the keys of the merchants' codes and PINs changed by the switch of the first shard.
// The merchant uses the new ones at once, in both shards, and the first one hears of the uses in
// the other.
func testZone(t *testing.T, h *house, m *pos.POS, issuers []*issuer.Issuer) {
	t.Helper()
	by := keyring.By{Who: "test", Role: "test", Why: "it can"}
	first := h.nodes[0].active.Load()
	for _, text := range []string{"zak:merchants:in", "zak:merchants:out", "zpk:merchants:in"} {
		slot, err := keyring.ParseSlot(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := first.ChangeKey(t.Context(), by, slot); err != nil {
			t.Fatal(err)
		}
	}
	pins := issuers[1].Stats().RightPINs
	const sales = 20
	for range sales {
		for _, card := range []string{"3569990000000009", "5555990000000000"} {
			said, err := m.Command(t.Context(), "sale "+card+" 100")
			if err != nil || !strings.Contains(said, "approved") {
				t.Fatal(said, err)
			}
		}
	}
	if got := issuers[1].Stats().RightPINs - pins; got != sales {
		t.Errorf("%d right PINs have come to the other shard's issuer", got)
	}
	slot := keyring.Slot{Purpose: keyring.ZPK, Center: "merchants", Direction: keyring.In}
	second := keyring.ID{Slot: slot, Generation: 2}
	for end := time.Now().Add(time.Minute); first.keys.Uses(second) < 2*sales; {
		if time.Now().After(end) {
			t.Fatalf("the new PIN key was used %d times", first.keys.Uses(second))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

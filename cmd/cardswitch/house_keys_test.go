package main

import (
	"slices"
	"testing"
	"time"

	"cardswitch/conformance/load/stage"
	"cardswitch/conformance/pos"
	"cardswitch/hsm/keyring"
	cardswitch "cardswitch/switch"
)

// testKeys has the merchants' link key changed, by the switch of the first shard and by the
// merchant, while the door has all connections. None of them ends, and all go on under the new key.
func testKeys(t *testing.T, h *house, m *pos.POS) {
	t.Helper()
	for end := time.Now().Add(time.Minute); m.Up() < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of the merchant's connections are signed on", m.Up())
		}
	}
	before := h.door.Network().Links()
	slot, _ := keyring.LinkSlot(stage.Link)
	by := keyring.By{Who: "test", Role: "test", Why: "it can"}
	if err := h.nodes[0].active.Load().ChangeKey(t.Context(), by, slot); err != nil {
		t.Fatal(err)
	}
	serves(t, h, m, 2)
	if _, err := m.ChangeKey(t.Context()); err == nil {
		t.Error("a merchant makes a key, though we make them")
	}
	serves(t, h, m, 2)
	if !slices.Equal(before, h.door.Network().Links()) {
		t.Error("a connection is another one")
	}
	switched := h.nodes[0].active.Load()
	first := keyring.ID{Slot: slot, Generation: 1}
	for end := time.Now().Add(time.Minute); switched.keys.Uses(first) < uint64(len(before)); {
		if time.Now().After(end) {
			t.Fatalf("the key was used %d times by %d connections", switched.keys.Uses(first), len(before))
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, c := range switched.Links().Centers {
		for _, line := range c.Lines {
			if c.Name == "merchants" && (line.Protection != "envelope" || len(line.Links) == 0 ||
				line.Links[0].Envelope != "AES-256-GCM") {
				t.Errorf("the first shard says of its merchants: %+v", line)
			}
		}
	}
}

// testTheirKeys has the merchant make a key, as is agreed now. The first shard takes it when the
// door has it, and sends under it when the door says that the merchant does.
func testTheirKeys(t *testing.T, h *house, m *pos.POS, config *cardswitch.Config) {
	t.Helper()
	config.Centers = slices.Clone(config.Centers)
	config.Centers[0].KeyChange = cardswitch.KeyChangePeer
	if err := h.reconfigure(); err != nil {
		t.Fatal(err)
	}
	before := h.door.Network().Links()
	generation, err := m.ChangeKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	serves(t, h, m, generation)
	if !slices.Equal(before, h.door.Network().Links()) {
		t.Error("a connection is another one")
	}
}

// serves waits until all connections send and receive under a generation; the merchant buys
// something meanwhile, as a side comes to a new key with its next message.
func serves(t *testing.T, h *house, m *pos.POS, generation uint16) {
	t.Helper()
	stand := func() bool {
		for _, l := range h.door.Network().Links() {
			sending, receiving, ok := l.KeyPositions()
			if !ok || sending.Generation != generation || receiving.Generation != generation {
				return false
			}
		}
		return true
	}
	for end := time.Now().Add(time.Minute); !stand(); {
		if time.Now().After(end) {
			t.Fatalf("not all connections stand under generation %d", generation)
		}
		if said, err := m.Command(t.Context(), "sale 3569990000000009 100"); err != nil {
			t.Fatal(said, err)
		}
	}
}

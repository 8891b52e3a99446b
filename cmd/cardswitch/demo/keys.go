package demo

import (
	"context"
	"crypto/rand"
	"crypto/subtle"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/wire"
	"cardswitch/hsm/keyring"
)

// keysOf makes a key for every link with an envelope, by "center/link".
func keysOf(t *Town) map[string]envelope.Key {
	keys := make(map[string]envelope.Key)
	for _, center := range t.config.Centers {
		for _, link := range center.Links {
			if link.Envelope == nil {
				continue
			}
			key := make(envelope.Key, 32)
			rand.Read(key)
			keys[center.Name+"/"+link.Name] = key
		}
	}
	return keys
}

// cover is a partner's side of a link's envelope; nil if the link has none.
func (t *Town) cover(link string) *wire.Envelope {
	key, ok := t.keys[link]
	if !ok {
		return nil
	}
	return &wire.Envelope{Link: link, Keys: map[uint16]envelope.Key{1: key}}
}

// Enroll brings the keys of all links into force at the switch, each formed of two components.
func (t *Town) Enroll(ctx context.Context, ring *keyring.Ring) error {
	for link, key := range t.keys {
		slot, _ := keyring.LinkSlot(link)
		forming, _, err := ring.Forming(keyring.Plan{Slot: slot})
		if err != nil {
			return err
		}
		one, two := make([]byte, len(key)), make([]byte, len(key))
		rand.Read(one)
		subtle.XORBytes(two, one, key)
		if _, err := forming.Form(ctx, [][]byte{one, two}); err != nil {
			return err
		}
		if _, err := forming.Activate(ctx, "the town", "the demo", "of the demo"); err != nil {
			return err
		}
	}
	return nil
}

package demo

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"maps"
	"slices"
	"time"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/keyblock"
	"cardswitch/conformance/wire"
	"cardswitch/hsm/keyring"
)

// changeTime is how long a change of a key may take: longer than a link is cut by default.
const changeTime = 30 * time.Second

// protectionsOf makes a key block protection key for every center.
func protectionsOf(t *Town) map[string]keyblock.Protection {
	keys := make(map[string]keyblock.Protection)
	for _, center := range t.config.Centers {
		keys[center.Name] = make(keyblock.Protection, 32)
		rand.Read(keys[center.Name])
	}
	return keys
}

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

// Enroll brings the keys of all links and centers into force at the switch, each formed of two
// components.
func (t *Town) Enroll(ctx context.Context, ring *keyring.Ring) error {
	t.ring = ring
	for center, key := range t.protections {
		slot := keyring.Slot{Purpose: keyring.KBPK, Center: center}
		if err := form(ctx, ring, slot, key); err != nil {
			return err
		}
	}
	for link, key := range t.keys {
		slot, _ := keyring.LinkSlot(link)
		if err := form(ctx, ring, slot, key); err != nil {
			return err
		}
	}
	return nil
}

func form(ctx context.Context, ring *keyring.Ring, slot keyring.Slot, key []byte) error {
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
	_, err = forming.Activate(ctx, "the town", "the demo", "of the demo")
	return err
}

// changeKeys lets the switch change the key of one link after the other.
func (t *Town) changeKeys(ctx context.Context) {
	links := slices.Sorted(maps.Keys(t.keys))
	for n := 0; t.ChangeEvery > 0 && len(links) > 0 && pause(ctx, t.ChangeEvery); n++ {
		link := links[(n*5+3)%len(links)] // not the two of one center behind each other
		if t.isCut(link) {
			continue // nobody is there
		}
		slot, _ := keyring.LinkSlot(link)
		asked, cancel := context.WithTimeout(ctx, changeTime)
		err := t.ChangeKey(asked, slot)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.Event(fmt.Sprintf("the key of %s stays: %v", link, err))
			continue
		}
		record, err := t.ring.Set().Sender(slot, time.Now())
		if err == nil {
			t.Event(fmt.Sprintf("changed the key of %s, generation %d", link,
				record.ID.Generation))
		}
	}
}

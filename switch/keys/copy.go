package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/envelope"
	"cardswitch/hsm/keyring"
	"cardswitch/switch/link/keyorder"
)

// Copy is a node's own copy of keys that belong to another switch of the cluster, be it the active
// one that it follows: they are read from this node's replica of that one's journal. It makes,
// changes and saves nothing.
type Copy struct {
	from   Text
	module hsm.Module
	of     func(keyring.Slot) bool
	ring   *keyring.Ring

	version atomic.Uint64 // of the key store that was read last
	changes sync.Mutex    // one at a time; they ask the module

	mu     sync.Mutex
	coming map[keyring.ID]rehearsed
	told   map[keyring.ID]uint64 // uses
}

// Text is where the newest text of the key store is, as store.KeyWitness.
type Text interface {
	Version() (uint64, error)
	Text() (version uint64, text []byte, err error)
}

// rehearsed is a key that is on its way to its center.
type rehearsed struct {
	key    envelope.Key // of a link
	forget func()
}

// copyWait bounds how long the security module may take over a link's secret.
const copyWait = 2 * time.Second

// NewCopy is a copy of the keys of some slots. It is empty until Refresh, which asks which those
// are.
func NewCopy(ctx context.Context, from Text, m hsm.Module, of func(keyring.Slot) bool) (*Copy,
	error) {
	ring, err := keyring.Open(ctx, keyring.Options{Module: m})
	if err != nil {
		return nil, err
	}
	return &Copy{from: from, module: m, of: of, ring: ring,
		coming: make(map[keyring.ID]rehearsed), told: make(map[keyring.ID]uint64)}, nil
}

// Refresh reads what this node's journal has by now, and gives the version of it.
func (c *Copy) Refresh(ctx context.Context) (uint64, error) {
	version, err := c.from.Version()
	if err != nil || version == c.version.Load() {
		return version, err
	}
	c.changes.Lock()
	defer c.changes.Unlock()
	version, text, err := c.from.Text()
	if err != nil || version == c.version.Load() {
		return version, err
	}
	set, err := keyring.ReadSet(ctx, c.module, text)
	if err == nil {
		err = c.ring.Follow(ctx, set.Only(c.of))
	}
	if err != nil {
		return c.version.Load(), fmt.Errorf("version %d of the keys isn't taken: %w", version,
			err)
	}
	c.version.Store(version)
	return version, nil
}

// Anew has the next Refresh read it all again, as other slots are wanted.
func (c *Copy) Anew() { c.version.Store(0) }

// Expect says which keys are on their way to their centers, by slot: they can be used though they
// aren't active yet. Others that were aren't any more.
func (c *Copy) Expect(ctx context.Context, coming map[string][]uint16) error {
	c.changes.Lock()
	defer c.changes.Unlock()
	wanted := make(map[keyring.ID]bool)
	var errs []error
	for text, generations := range coming {
		slot, err := keyring.ParseSlot(text)
		if err != nil || !c.of(slot) {
			continue
		}
		for _, g := range generations {
			id := keyring.ID{Slot: slot, Generation: g}
			if wanted[id] = true; !c.expects(id) {
				errs = append(errs, c.rehearse(ctx, id))
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, k := range c.coming {
		if !wanted[id] {
			delete(c.coming, id)
			k.forget()
		}
	}
	return errors.Join(errs...)
}

func (c *Copy) expects(id keyring.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.coming[id]
	return ok
}

func (c *Copy) rehearse(ctx context.Context, id keyring.ID) (err error) {
	r := rehearsed{key: envelope.Key{Generation: id.Generation}}
	if id.Slot.Purpose == keyring.ZEK {
		r.key.PRF, r.forget, err = c.ring.Rehearse(ctx, id, copyWait)
	} else {
		r.forget, err = c.ring.Expect(ctx, id)
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.coming[id] = r
	return nil
}

// Ring is what messages are protected and opened with.
func (c *Copy) Ring() *keyring.Ring { return c.ring }

// Uses are those of each key since it was asked last, but for links: who opens connections counts
// those.
func (c *Copy) Uses() []keyorder.Use {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []keyorder.Use
	for _, r := range c.ring.Set().Records() {
		n := c.ring.Uses(r.ID)
		if more := n - c.told[r.ID]; r.ID.Slot.Purpose != keyring.ZEK && n > c.told[r.ID] {
			list = append(list, keyorder.Use{Key: r.ID.String(), Times: more})
		}
		c.told[r.ID] = n
	}
	return list
}

// Newest is link's: the generation that is sent with.
func (c *Copy) Newest(link string) (uint16, bool) { return c.ring.LinkKeys(link) }

// Key is link's.
func (c *Copy) Key(link string, generation uint16) (envelope.Key, bool) {
	if prf, ok := c.ring.PRF(link, generation, copyWait); ok {
		return envelope.Key{Generation: generation, PRF: prf}, true
	}
	slot, _ := keyring.LinkSlot(link)
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.coming[keyring.ID{Slot: slot, Generation: generation}]
	return k.key, ok
}

// Usable are the generations of a link that may be used now, the oldest first.
func (c *Copy) Usable(link string) (generations []uint16) {
	slot, _ := keyring.LinkSlot(link)
	for _, r := range c.ring.Set().Openers(slot, time.Now()) {
		generations = append(generations, r.ID.Generation)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.coming {
		if id.Slot == slot && !slices.Contains(generations, id.Generation) {
			generations = append(generations, id.Generation)
		}
	}
	slices.Sort(generations)
	return generations
}

// Close forgets all keys.
func (c *Copy) Close() error {
	return errors.Join(c.Expect(context.Background(), nil), c.ring.Close())
}

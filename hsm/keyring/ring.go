package keyring

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/hsm"
)

// Saver keeps a set durably. When Save returns nil the set is on the disk.
type Saver interface {
	Save(ctx context.Context, s Set) error
}

// Options are the parts of a Ring.
type Options struct {
	Module hsm.Module
	Set    Set     // what the store had
	Saver  Saver   // nil: in memory only, as in tests
	Audit  Auditor // nil: nobody is told
	// Production refuses keys of a test installation.
	Production bool
	Policy     func(Purpose) Policy // nil is DefaultPolicy
}

// Ring is the keys in force. All methods may be called by many goroutines at once.
type Ring struct {
	options Options
	changes sync.Mutex // one change at a time
	live    atomic.Pointer[live]
	// Keys on their way to a partner, see Expect.
	expected atomic.Pointer[map[ID]hsm.Key]
}

// live is a set with its keys ready.
type live struct {
	set   Set
	keys  map[ID]hsm.Key
	uses  map[ID]*atomic.Uint64 // of this process
	links map[string]*line
	slots map[Slot]*line
}

// line is what the path of a message asks for in a slot.
type line struct {
	sending uint16 // 0: none
	expires time.Time
	keys    []ready // the oldest first
}

type ready struct {
	generation uint16
	until      time.Time // zero: no end
	key        hsm.Key
	uses       *atomic.Uint64
}

// Open makes the keys ready. A key that the module refuses stops the start, and is named.
func Open(ctx context.Context, o Options) (*Ring, error) {
	if o.Policy == nil {
		o.Policy = DefaultPolicy
	}
	r := &Ring{options: o}
	for _, record := range o.Set.records {
		if o.Production && record.Test && record.State != Destroyed {
			return nil, fmt.Errorf("key %s is of a test installation "+
				"(hint: destroy it there, or start with a key store of production)", record.ID)
		}
	}
	l, err := r.ready(ctx, o.Set, nil)
	if err != nil {
		return nil, err
	}
	r.live.Store(l)
	return r, nil
}

// ready loads what a set needs and an older live hasn't.
func (r *Ring) ready(ctx context.Context, s Set, old *live) (*live, error) {
	l := &live{s, map[ID]hsm.Key{}, map[ID]*atomic.Uint64{}, map[string]*line{}, map[Slot]*line{}}
	for i := range s.records {
		record := &s.records[i]
		if !record.usable() {
			continue
		}
		key, err := r.load(ctx, record, old)
		if err != nil {
			l.unload(old)
			return nil, err
		}
		l.keys[record.ID], l.uses[record.ID] = key, new(atomic.Uint64)
		if old != nil && old.uses[record.ID] != nil {
			l.uses[record.ID] = old.uses[record.ID]
		}
		l.put(record, key)
	}
	return l, nil
}

func (r *Ring) load(ctx context.Context, record *Record, old *live) (hsm.Key, error) {
	if old != nil {
		was, _ := old.set.Get(record.ID)
		if key, ok := old.keys[record.ID]; ok && was.Wrapped == record.Wrapped {
			return key, nil
		}
	}
	key, err := r.options.Module.Load(ctx, record.Wrapped)
	if err != nil {
		return nil, fmt.Errorf("key %s isn't taken by the security module %s: %w "+
			"(hint: it is of another master key, or was altered)", record.ID,
			r.options.Module.Name(), err)
	}
	// The module read the key itself: what the record says of it must be so.
	if key.Spec() != record.Wrapped.Spec || !key.Check().Matches(record.Check()) {
		key.Unload()
		return nil, fmt.Errorf("key %s is another than its record says "+
			"(hint: restore the key store from its safe place)", record.ID)
	}
	return key, nil
}

func (l *live) put(record *Record, key hsm.Key) {
	slot := record.ID.Slot
	n := l.slots[slot]
	if n == nil {
		n = &line{}
		l.slots[slot] = n
		if slot.Purpose == ZEK {
			l.links[slot.Center+"/"+slot.Link] = n
		}
	}
	use := ready{record.ID.Generation, time.Time{}, key, l.uses[record.ID]}
	if record.State == Retiring {
		use.until = record.RetireUntil
	}
	if slot.Purpose == ZEK && (use.until.IsZero() || record.Expires.Before(use.until)) {
		use.until = record.Expires // see Set.Opener
	}
	n.keys = append(n.keys, use)
	if record.State == Sending {
		n.sending, n.expires = record.ID.Generation, record.Expires
	}
}

// unload forgets the keys that the other doesn't have.
func (l *live) unload(other *live) {
	for id, key := range l.keys {
		if other != nil {
			if kept, ok := other.keys[id]; ok && kept == key {
				continue
			}
		}
		key.Unload()
	}
}

// Set is all keys as they are now.
func (r *Ring) Set() Set { return r.live.Load().set }

// Module is where the keys are.
func (r *Ring) Module() hsm.Module { return r.options.Module }

// Policy is how long keys of a purpose serve.
func (r *Ring) Policy(p Purpose) Policy { return r.options.Policy(p) }

// Due is what is to be done now.
func (r *Ring) Due() []Task {
	return r.Set().Due(time.Now(), r.options.Policy, r.Uses)
}

// Uses is how often a key was used since the start, or since it is active: codes made or verified,
// PINs translated, sessions of a link derived. It begins anew with the process, as a key may serve
// a little longer sooner than every use be written down.
func (r *Ring) Uses(id ID) uint64 {
	if n := r.live.Load().uses[id]; n != nil {
		return n.Load()
	}
	return 0
}

// LinkKeys is the generation under which we start sessions of a link, named "center/link". Ok is
// false if there is none that may protect now.
func (r *Ring) LinkKeys(link string) (generation uint16, ok bool) {
	n := r.live.Load().links[link]
	if n == nil || n.sending == 0 || !time.Now().Before(n.expires) {
		return 0, false
	}
	return n.sending, true
}

// Key is the link key of a generation, if it may be used now for what the partner protects.
func (r *Ring) Key(link string, generation uint16) (hsm.Key, bool) {
	return r.live.Load().links[link].find(generation)
}

func (n *line) find(generation uint16) (hsm.Key, bool) {
	if n == nil {
		return nil, false
	}
	for _, k := range n.keys {
		if k.generation == generation {
			k.uses.Add(1)
			return k.key, k.until.IsZero() || time.Now().Before(k.until)
		}
	}
	return nil, false
}

// Sender is the key to protect with now, and its generation. The error is a *RefusedError.
func (r *Ring) Sender(slot Slot) (hsm.Key, uint16, error) {
	l := r.live.Load()
	if n := l.slots[slot]; n != nil && n.sending != 0 && time.Now().Before(n.expires) {
		if key, ok := n.find(n.sending); ok {
			return key, n.sending, nil
		}
	}
	_, err := l.set.Sender(slot, time.Now())
	return nil, 0, orGone(err, slot)
}

// Opener is the key of the generation that a message names. The error is a *RefusedError.
func (r *Ring) Opener(slot Slot, generation uint16) (hsm.Key, error) {
	l := r.live.Load()
	if key, ok := l.slots[slot].find(generation); ok {
		return key, nil
	}
	if key, ok := r.expects(ID{slot, generation}); ok {
		return key, nil
	}
	_, err := l.set.Opener(slot, generation, time.Now())
	return nil, orGone(err, slot)
}

// orGone is for the instant between two looks at the clock.
func orGone(err error, slot Slot) error {
	if err != nil {
		return err
	}
	return &RefusedError{slot, 0, "it is about to change", "try again"}
}

// Close unloads all keys.
func (r *Ring) Close() error {
	r.changes.Lock()
	defer r.changes.Unlock()
	r.live.Load().unload(nil)
	r.live.Store(&live{set: r.Set()})
	return nil
}

// change puts another set in force: tell the audit log, save, make ready, swap. What any of them
// refuses leaves everything as it was.
func (r *Ring) change(ctx context.Context, e Event, decide func(Set) (Set, error)) error {
	r.changes.Lock()
	defer r.changes.Unlock()
	old := r.live.Load()
	next, err := decide(old.set)
	if err != nil {
		return r.refused(ctx, e, err)
	}
	l, err := r.ready(ctx, next, old)
	if err != nil {
		return r.refused(ctx, e, err)
	}
	if err := r.tell(ctx, e, nil); err != nil {
		l.unload(old)
		return err
	}
	if r.options.Saver != nil {
		if err := r.options.Saver.Save(ctx, next); err != nil {
			l.unload(old)
			return r.refused(ctx, e, fmt.Errorf("save the keys: %w", err))
		}
	}
	r.live.Store(l)
	old.unload(l)
	return nil
}

func (r *Ring) refused(ctx context.Context, e Event, err error) error {
	return errors.Join(err, r.tell(ctx, e, err))
}

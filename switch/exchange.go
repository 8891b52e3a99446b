package cardswitch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cardswitch/hsm/envelope"
	"cardswitch/hsm/keyring"
	"cardswitch/switch/link"
	"cardswitch/switch/service/keychange"
	"cardswitch/switch/service/network"
)

// exchange is the change of keys with the centers (package keychange). What it does asks the
// security module and the key store and may take long, so one goroutine does it all, one order
// after the other; the doors only hand it what came.
type exchange struct {
	wake chan struct{}

	// Of the goroutine.
	open  map[uint64]*attempt // by the transaction of our 1804
	under map[keyring.Slot]*attempt
	again map[keyring.Slot]*retry
	// How to forget the keys that are on their way, and the slots of those of the last process.
	forget  map[keyring.ID]func()
	resumed []keyring.Slot

	mu     sync.Mutex
	orders []func(context.Context)
	coming map[string][]envelope.Key // link keys that connections must know, by "center/link"

	doors *keyDoors // nil: merchants' connections are the switch's own
}

// attempt is one key of ours on its way to its center.
type attempt struct {
	id    keyring.ID
	block string
	by    keyring.By
	sent  int       // how often
	until time.Time // so long a connection is waited for
	done  []chan error
}

func newExchange() exchange {
	return exchange{wake: make(chan struct{}, 1), coming: make(map[string][]envelope.Key),
		open: make(map[uint64]*attempt), under: make(map[keyring.Slot]*attempt),
		again: make(map[keyring.Slot]*retry), forget: make(map[keyring.ID]func())}
}

// retry is when a change that failed is tried again by itself.
type retry struct {
	at   time.Time
	wait time.Duration
}

const (
	ordersWaiting = 256 // a flood of 1804/811 waits no longer than these take
	keysTended    = time.Second
	changeTries   = 3           // sendings of one key, before another is made
	changeWait    = time.Minute // for a connection that was lost meanwhile
	changePause   = 200 * time.Millisecond
	retryFirst    = time.Minute
	retryMost     = time.Hour
	keyWait       = 10 * time.Second // for the security module and the key store
)

// selfActing is who does what the calendar or a partner asks for.
func selfActing(why string) keyring.By {
	return keyring.By{Who: "cardswitch", Role: "switch", Why: why}
}

// exchanges is the goroutine. What the last process brought to centers has been foretold before.
func (s *Switch) exchanges() {
	x := &s.exchange
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if x.doors != nil {
		defer s.openKeyDoors()()
	}
	ticker := time.NewTicker(keysTended)
	defer ticker.Stop()
	for {
		select {
		case <-s.stopped:
			return
		case <-x.wake:
			for _, order := range x.take() {
				order(ctx)
			}
		case <-ticker.C:
			s.tendKeys(ctx)
		}
	}
}

// order hands something to the goroutine; false if too much waits there. What others ask for may be
// refused so; what became of our own doings never is: see must.
func (s *Switch) order(do func(context.Context)) bool {
	x := &s.exchange
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.orders) >= ordersWaiting {
		return false
	}
	x.add(do)
	return true
}

// must hands something to the goroutine, however much waits. Our own messages are few.
func (x *exchange) must(do func(context.Context)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.add(do)
}

func (x *exchange) add(do func(context.Context)) {
	x.orders = append(x.orders, do)
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

func (x *exchange) take() []func(context.Context) {
	x.mu.Lock()
	defer x.mu.Unlock()
	taken := x.orders
	x.orders = nil
	return taken
}

// exchangeLabel tells the keys that were made to be exchanged from those that people bring, and
// takenLabel those that centers brought.
const (
	exchangeLabel = "exchanged by 1804/811"
	takenLabel    = "taken by 1804/811"
)

// unfinished is a key that was made for a slot and that its center has not confirmed: by a change
// that had no answer, before the last restart too, or by people. The center may have it already, so
// it is brought again before another is made.
func (s *Switch) unfinished(slot keyring.Slot) (keyring.ID, bool) {
	generations := s.deps.Keys.Set().Generations(slot)
	for i := len(generations) - 1; i >= 0; i-- {
		if r := &generations[i]; r.State == keyring.Received && r.Label != takenLabel {
			return r.ID, true
		}
	}
	return keyring.ID{}, false
}

func changeable(slot keyring.Slot) bool {
	switch slot.Purpose {
	case keyring.ZPK, keyring.ZAK, keyring.ZEK, keyring.Data:
		return true
	}
	return false
}

// ChangeKey makes the next generation of a key and brings it to its center. It returns when the
// center has it and it is used, or says why not.
func (s *Switch) ChangeKey(ctx context.Context, by keyring.By, slot keyring.Slot) error {
	if s.deps.Keys == nil {
		return errors.New("this switch has no keys (hint: configure `keys`)")
	}
	if !changeable(slot) {
		return fmt.Errorf("a %s isn't exchanged by messages (hint: use a ceremony)",
			slot.Purpose.Text())
	}
	if s.lent(slot.Center) {
		return fmt.Errorf("the keys of %s are the first shard's (hint: name that with --shard)",
			slot.Center)
	}
	done := make(chan error, 1)
	if !s.order(func(ctx context.Context) { s.beginChange(ctx, by, slot, done) }) {
		return errors.New("too many key changes wait (hint: try again in a minute)")
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the change of %s goes on: %w (hint: see key list)", slot, ctx.Err())
	case <-s.stopped:
		return errors.New("the switch is stopping")
	}
}

// outOfStep starts the change of a key that a center and we don't agree on.
func (s *Switch) outOfStep(slot keyring.Slot, why string) {
	s.order(func(ctx context.Context) { s.beginChange(ctx, selfActing(why), slot, nil) })
}

// beginChange makes a key and sends it.
func (s *Switch) beginChange(ctx context.Context, by keyring.By, slot keyring.Slot,
	done chan error) {
	ctx, cancel := context.WithTimeout(ctx, keyWait)
	defer cancel()
	a := s.exchange.under[slot]
	begun := a != nil // one at a time
	if !begun {
		a = &attempt{id: keyring.ID{Slot: slot}, by: by, until: time.Now().Add(changeWait)}
		s.exchange.under[slot] = a
	}
	if done != nil {
		a.done = append(a.done, done)
	}
	if begun {
		return
	}
	err := s.makeKey(ctx, a)
	if err == nil {
		err = s.sendKey(a)
	}
	if err != nil {
		s.changeFailed(ctx, a, err, false)
	}
}

// makeKey makes the next generation of a key, unless one is unfinished; of a link key it tells all
// connections. Nothing is made that can't be brought.
func (s *Switch) makeKey(ctx context.Context, a *attempt) error {
	keys, slot := s.deps.Keys, a.id.Slot
	if _, err := s.carrier(slot); err != nil {
		return err
	}
	kbpk := keyring.Slot{Purpose: keyring.KBPK, Center: slot.Center}
	if _, err := keys.Set().Sender(kbpk, time.Now()); err != nil {
		return err
	}
	id, ok := s.unfinished(slot)
	if !ok {
		r, err := keys.Generate(ctx, a.by, s.planNext(slot))
		if err != nil {
			return err
		}
		id = r.ID
	}
	a.id = id
	if err := s.foretellKey(ctx, id); err != nil {
		return err
	}
	var err error
	a.block, err = keys.Export(ctx, a.by, id)
	return err
}

// planNext is a key like the one before: how codes and PIN blocks are made, and so of what their
// keys are, is agreed.
func (s *Switch) planNext(slot keyring.Slot) keyring.Plan {
	plan := keyring.Plan{Slot: slot, Label: exchangeLabel}
	if before := s.deps.Keys.Set().Generations(slot); len(before) > 0 {
		spec := &before[len(before)-1].Wrapped.Spec
		plan.Algorithm, plan.Size = spec.Algorithm, spec.Size
	}
	return plan
}

// foretellKey sees that what a center protects with a key of ours can be opened from the moment
// that the key leaves, though we don't use it yet: it may use it with its answer.
func (s *Switch) foretellKey(ctx context.Context, id keyring.ID) error {
	x, slot := &s.exchange, id.Slot
	if x.forget[id] != nil {
		return nil
	}
	switch {
	case slot.Direction == keyring.In:
		forget, err := s.deps.Keys.Expect(ctx, id)
		if err != nil {
			return err
		}
		x.forget[id] = forget
		s.tellDoors()
	case slot.Purpose == keyring.ZEK:
		prf, forget, err := s.deps.Keys.Rehearse(ctx, id, linkKeyWait)
		if err != nil {
			return err
		}
		x.forget[id] = forget
		s.announce(slot, envelope.Key{Generation: id.Generation, PRF: prf})
	}
	return nil
}

// forgetKey ends that.
func (x *exchange) forgetKey(id keyring.ID) {
	if forget := x.forget[id]; forget != nil {
		delete(x.forget, id)
		forget()
	}
}

// resume foretells the keys that the last process brought to centers and that weren't confirmed,
// and notes their slots, to be brought again. Before links start: the first message may be under
// such a key.
func (s *Switch) resume() {
	ctx, cancel := context.WithTimeout(context.Background(), keyWait)
	defer cancel()
	for _, r := range s.deps.Keys.Set().Records() {
		if r.State != keyring.Received || r.Label != exchangeLabel || !changeable(r.ID.Slot) {
			continue
		}
		if err := s.foretellKey(ctx, r.ID); err != nil {
			s.log.Error("a key whose change was not finished isn't taken", "key", r.ID.String(),
				"error", err.Error(), "hint", "key destroy, then key exchange")
			continue
		}
		s.exchange.resumed = append(s.exchange.resumed, r.ID.Slot)
	}
}

// announce installs a link key on every connection of its link, also on those that come later.
func (s *Switch) announce(slot keyring.Slot, k envelope.Key) {
	x := &s.exchange
	name := slot.Center + "/" + slot.Link
	x.mu.Lock()
	x.coming[name] = append(x.coming[name], k)
	x.mu.Unlock()
	for _, l := range s.linksOf(slot) {
		s.teach(l, k)
	}
	s.tellDoors()
}

// teach installs a key on one connection. That it is there already is no fault.
func (s *Switch) teach(l *link.Link, k envelope.Key) {
	if err := l.InstallKey(k); err != nil && envelope.CauseOf(err) != envelope.NotLater &&
		envelope.CauseOf(err) != envelope.Ended {
		s.log.Warn("a connection doesn't take the new link key", "center", l.Center().Name(),
			"link", l.Name(), "connection", l.Number(), "generation", k.Generation,
			"error", err.Error(), "hint", "it ends when the old key does; connect again")
	}
}

// teachAll installs on a fresh connection what the center may already have. Called before anything
// is read from it.
func (s *Switch) teachAll(l *link.Link) {
	x := &s.exchange
	name := l.Center().Name() + "/" + l.Name()
	at, _, ok := l.KeyPositions()
	if !ok || s.deps.Keys == nil {
		return
	}
	// A change may have come to its end while the connection agreed on the key before. Whether the
	// center has the new one too shows when it uses it (followCenters).
	newest, ok := s.linkKeys().Newest(name)
	if k, usable := s.linkKeys().Key(name, newest); ok && usable && newest > at.Generation {
		s.teach(l, k)
	}
	x.mu.Lock()
	keys := x.coming[name]
	x.mu.Unlock()
	for _, k := range keys {
		s.teach(l, k)
	}
}

// unannounce forgets that a key is on its way.
func (s *Switch) unannounce(id keyring.ID) {
	x := &s.exchange
	name := id.Slot.Center + "/" + id.Slot.Link
	x.mu.Lock()
	defer x.mu.Unlock()
	var left []envelope.Key
	for _, k := range x.coming[name] {
		if k.Generation != id.Generation {
			left = append(left, k)
		}
	}
	x.coming[name] = left
}

// linksOf are the connections that a link key is for.
func (s *Switch) linksOf(slot keyring.Slot) []*link.Link {
	c := s.network.Center(slot.Center)
	if c == nil {
		return nil
	}
	for _, line := range c.Lines() {
		if line.Name() == slot.Link {
			return line.Links()
		}
	}
	return nil
}

// carrier is the connection over which a key goes to its center.
func (s *Switch) carrier(slot keyring.Slot) (*link.Link, error) {
	c := s.network.Center(slot.Center)
	if c == nil {
		return nil, fmt.Errorf("no center is named %q (hint: as in the configuration)", slot.Center)
	}
	if slot.Purpose == keyring.ZEK {
		for _, l := range s.linksOf(slot) {
			if l.State() == link.SignedOn {
				return l, nil
			}
		}
	} else if l := c.Best(); l != nil {
		return l, nil
	}
	return nil, fmt.Errorf("no connection over which %s could go is signed on (hint: link list)",
		slot)
}

// sendKey sends the 1804 that brings a key.
func (s *Switch) sendKey(a *attempt) error {
	l, err := s.carrier(a.id.Slot)
	if err != nil {
		return err
	}
	order := keychange.Sent(a.id).Append(nil)
	id, err := s.manage(l, network.KeyChange, element{53, order}, element{96, []byte(a.block)})
	if err != nil {
		return err
	}
	a.sent++
	s.exchange.open[id] = a
	return nil
}

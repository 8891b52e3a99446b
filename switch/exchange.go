package cardswitch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cardswitch/hsm/envelope"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/keyring"
	"cardswitch/switch/link"
	"cardswitch/switch/service/keychange"
	"cardswitch/switch/service/network"
	"cardswitch/switch/txn"
)

// exchange is the change of keys with the centers (package keychange). What it does asks the
// security module and the key store and may take long, so one goroutine does it all, one order
// after the other; the doors only hand it what came.
type exchange struct {
	orders chan func(context.Context)

	// Of the goroutine.
	open  map[uint64]*attempt // by the transaction of our 1804
	under map[keyring.Slot]*attempt
	again map[keyring.Slot]*retry

	mu     sync.Mutex
	coming map[string][]envelope.Key // link keys that connections must know, by "center/link"
}

// attempt is one key of ours on its way to its center.
type attempt struct {
	id     keyring.ID
	block  string
	by     keyring.By
	sent   int       // how often
	until  time.Time // so long a connection is waited for
	forget func()    // of a link key, when no new connection needs to know it any more
	done   []chan error
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

// exchanges is the goroutine.
func (s *Switch) exchanges() {
	x := &s.exchange
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	x.open, x.under = make(map[uint64]*attempt), make(map[keyring.Slot]*attempt)
	x.again = make(map[keyring.Slot]*retry)
	s.dropUnfinished(ctx)
	ticker := time.NewTicker(keysTended)
	defer ticker.Stop()
	for {
		select {
		case <-s.stopped:
			return
		case order := <-x.orders:
			order(ctx)
		case <-ticker.C:
			s.tendKeys(ctx)
		}
	}
}

// order hands something to the goroutine; false if too much waits there.
func (s *Switch) order(do func(context.Context)) bool {
	select {
	case s.exchange.orders <- do:
		return true
	default:
		return false
	}
}

// dropUnfinished destroys the keys that the last process made and no center has confirmed: whoever
// got one gets another.
func (s *Switch) dropUnfinished(ctx context.Context) {
	for _, r := range s.deps.Keys.Set().Records() {
		if r.State == keyring.Received && changeable(r.ID.Slot) && r.Label == exchangeLabel {
			s.destroyKey(ctx, r.ID, "its change was not finished")
		}
	}
}

// exchangeLabel tells the keys that were made to be exchanged from those that people bring.
const exchangeLabel = "exchanged by 1804/811"

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
		a = &attempt{id: keyring.ID{Slot: slot}, by: by, forget: func() {},
			until: time.Now().Add(changeWait)}
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
		s.changeFailed(ctx, a, err)
	}
}

// makeKey makes the next generation of a key; of a link key it tells all connections.
func (s *Switch) makeKey(ctx context.Context, a *attempt) error {
	keys, slot := s.deps.Keys, a.id.Slot
	if _, err := s.carrier(slot); err != nil {
		return err
	}
	r, err := keys.Generate(ctx, a.by, keyring.Plan{Slot: slot, Label: exchangeLabel})
	if err != nil {
		return err
	}
	a.id = r.ID
	if a.block, err = keys.Export(ctx, a.by, r.ID); err != nil {
		return err
	}
	if slot.Direction == keyring.In {
		if a.forget, err = keys.Expect(ctx, r.ID); err != nil {
			a.forget = func() {}
		}
		return err
	}
	if slot.Purpose != keyring.ZEK {
		return nil
	}
	prf, forget, err := keys.Rehearse(ctx, r.ID, linkKeyWait)
	if err != nil {
		return err
	}
	a.forget = forget
	s.announce(slot, envelope.Key{Generation: r.ID.Generation, PRF: prf})
	return nil
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
	newest, ok := linkKeys{s.deps.Keys}.Newest(name)
	if k, usable := (linkKeys{s.deps.Keys}).Key(name, newest); ok && usable && newest > at.Generation {
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

// keyAnswered takes what a center said of a key, or that it said nothing in time. Called with mu
// held.
func (s *Switch) keyAnswered(id uint64, reason txn.Reason, action int, check string) {
	s.order(func(ctx context.Context) {
		a := s.exchange.open[id]
		if a == nil {
			return
		}
		delete(s.exchange.open, id)
		ctx, cancel := context.WithTimeout(ctx, keyWait)
		defer cancel()
		switch {
		case reason == txn.NetworkTimeout && a.sent < changeTries:
			s.sendAgain(ctx, a)
		case reason == txn.NetworkTimeout:
			s.changeFailed(ctx, a, fmt.Errorf("the center didn't answer, %d times", a.sent))
		case reason != txn.NetworkDone:
			s.changeFailed(ctx, a, fmt.Errorf("the center refused the key with action code %03d",
				action))
		default:
			s.changeConfirmed(ctx, a, check)
		}
	})
}

// sendAgain sends a key that may have arrived: whoever has it already says so again. The connection
// that it went over may be gone, and is waited for.
func (s *Switch) sendAgain(ctx context.Context, a *attempt) {
	err := s.sendKey(a)
	switch {
	case err == nil:
	case time.Now().After(a.until):
		s.changeFailed(ctx, a, err)
	default:
		time.AfterFunc(changePause, func() {
			s.order(func(ctx context.Context) { s.sendAgain(ctx, a) })
		})
	}
}

// changeConfirmed compares the check values and, if they are the same, uses the key.
func (s *Switch) changeConfirmed(ctx context.Context, a *attempt, check string) {
	record, ok := s.deps.Keys.Set().Get(a.id)
	theirs, err := keyblock.ParseCheckValue(keyblock.CMAC, check)
	if err != nil || !ok || !theirs.Matches(record.Check()) || len(theirs.Hex) < 2*checkSize {
		s.changeFailed(ctx, a, errors.New("the center has another key: the check values differ"))
		return
	}
	if _, err := s.deps.Keys.Serve(ctx, a.by, a.id); err != nil {
		s.changeFailed(ctx, a, err)
		return
	}
	s.useKey(a.id)
	s.unannounce(a.id)
	a.forget()
	delete(s.exchange.again, a.id.Slot)
	s.log.Info("key changed", "key", a.id.String(), "check", record.Check().String())
	s.exchange.end(a, nil)
}

// checkSize is the bytes of a check value in element 96 of the answer.
const checkSize = 5

// useKey lets all connections of a link send under a new link key.
func (s *Switch) useKey(id keyring.ID) {
	if id.Slot.Purpose != keyring.ZEK {
		return
	}
	k, ok := linkKeys{s.deps.Keys}.Key(id.Slot.Center+"/"+id.Slot.Link, id.Generation)
	if !ok {
		return
	}
	for _, l := range s.linksOf(id.Slot) {
		s.teach(l, k)
		if err := l.SwitchKey(id.Generation); err != nil {
			s.log.Warn("a connection stays with its old link key", "center", id.Slot.Center,
				"link", id.Slot.Link, "connection", l.Number(), "error", err.Error(),
				"hint", "it ends when the old key does; connect again")
		}
	}
}

// changeFailed gives a key up. The center's old one goes on; the calendar tries again later.
func (s *Switch) changeFailed(ctx context.Context, a *attempt, err error) {
	s.unannounce(a.id)
	a.forget()
	if a.id.Generation > 0 {
		s.destroyKey(ctx, a.id, "its change failed")
	}
	next := s.exchange.again[a.id.Slot]
	if next == nil {
		next = &retry{wait: retryFirst}
		s.exchange.again[a.id.Slot] = next
	}
	next.at = time.Now().Add(next.wait)
	next.wait = min(2*next.wait, retryMost)
	s.log.Error("key not changed", "key", a.id.Slot.String(), "error", err.Error(),
		"hint", "the old one goes on until its crypto-period ends; see key list")
	s.exchange.end(a, err)
}

func (s *Switch) destroyKey(ctx context.Context, id keyring.ID, why string) {
	if _, err := s.deps.Keys.Step(ctx, selfActing(why), id, keyring.Destroy); err != nil {
		s.log.Warn("a key that isn't used could not be destroyed", "key", id.String(),
			"error", err.Error(), "hint", "key destroy")
	}
}

// end tells whoever waits how it ended.
func (x *exchange) end(a *attempt, err error) {
	delete(x.under, a.id.Slot)
	for _, done := range a.done {
		done <- err
	}
}

package cardswitch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/keyring"
	"cardswitch/switch/txn"
)

// keyAnswered takes what a center said of a key, or that it said nothing in time. Called with mu
// held.
func (s *Switch) keyAnswered(id uint64, reason txn.Reason, action int, check string) {
	s.exchange.must(func(ctx context.Context) {
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
			s.changeFailed(ctx, a, fmt.Errorf("the center didn't answer, %d times", a.sent), false)
		case reason != txn.NetworkDone:
			s.changeFailed(ctx, a, fmt.Errorf("the center refused the key with action code %03d",
				action), true)
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
		s.changeFailed(ctx, a, err, false)
	default:
		time.AfterFunc(changePause, func() {
			s.exchange.must(func(ctx context.Context) { s.sendAgain(ctx, a) })
		})
	}
}

// changeConfirmed compares the check values and, if they are the same, uses the key.
func (s *Switch) changeConfirmed(ctx context.Context, a *attempt, check string) {
	record, ok := s.deps.Keys.Set().Get(a.id)
	theirs, err := keyblock.ParseCheckValue(record.Check().Method, check)
	if err != nil || !ok || theirs.Hex != record.Check().Hex {
		s.changeFailed(ctx, a, errors.New("the center has another key: the check values differ"),
			true)
		return
	}
	if _, err := s.deps.Keys.Serve(ctx, a.by, a.id); err != nil {
		s.changeFailed(ctx, a, err, false)
		return
	}
	s.useKey(a.id)
	s.unannounce(a.id)
	s.exchange.forgetKey(a.id)
	delete(s.exchange.again, a.id.Slot)
	s.log.Info("key changed", "key", a.id.String(), "check", record.Check().String())
	s.exchange.end(a, nil)
}

// useKey lets all connections of a link send under a new link key, and other shards protect with a
// new key.
func (s *Switch) useKey(id keyring.ID) {
	defer s.tellDoors()
	if id.Slot.Purpose != keyring.ZEK {
		return
	}
	k, ok := s.linkKeys().Key(id.Slot.Center+"/"+id.Slot.Link, id.Generation)
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

// changeFailed gives a change up. The center's old key goes on; the calendar tries again later. A
// key that the center said no to is destroyed. One that it said nothing to may be in use there, so
// what it protects is opened, and the next change brings the same one again.
func (s *Switch) changeFailed(ctx context.Context, a *attempt, err error, refused bool) {
	if refused {
		s.unannounce(a.id)
		s.exchange.forgetKey(a.id)
		s.destroyKey(ctx, a.id, "its center has refused it")
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

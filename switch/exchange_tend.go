package cardswitch

import (
	"context"
	"slices"
	"time"

	"cardswitch/hsm/envelope"
	"cardswitch/hsm/keyring"
	"cardswitch/switch/link"
)

// tendKeys does what the calendar asks of the exchange: new keys are made and brought to their
// centers, and a connection under a link key that has expired ends. What only concerns the key
// store is done by package switch/keys.
func (s *Switch) tendKeys(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, keyWait)
	defer cancel()
	s.tellDoors()
	s.followCenters(ctx)
	s.endUnderOldKeys()
	s.bringAgain(ctx)
	for _, task := range s.deps.Keys.Due() {
		if task.What == keyring.Rotate && s.changes(task.ID.Slot) && s.mayTry(task.ID.Slot) {
			s.beginChange(ctx, selfActing(task.Why), task.ID.Slot, nil)
		}
	}
}

// changes tells whether we make the keys of a center.
func (s *Switch) changes(slot keyring.Slot) bool {
	if !changeable(slot) {
		return false
	}
	for _, seat := range s.tables.Load().seats {
		if seat.profile.config.Name == slot.Center {
			return seat.profile.config.KeyChange == KeyChangeUs
		}
	}
	return false
}

// lent tells whether the keys of a center are another shard's.
func (s *Switch) lent(center string) bool {
	for _, seat := range s.tables.Load().seats {
		if seat.profile.config.Name == center {
			return seat.profile.config.lent
		}
	}
	return false
}

// mayTry tells whether a change that failed before may be tried again.
func (s *Switch) mayTry(slot keyring.Slot) bool {
	next := s.exchange.again[slot]
	return next == nil || !time.Now().Before(next.at)
}

// followCenters changes over to link keys that their centers made and have begun to use.
func (s *Switch) followCenters(ctx context.Context) {
	for _, at := range s.standings() {
		slot, ok := keyring.LinkSlot(at.Link)
		if !ok || at.Sending == at.Receiving {
			continue
		}
		id := keyring.ID{Slot: slot, Generation: at.Receiving}
		record, ok := s.deps.Keys.Set().Get(id)
		if !ok || record.State != keyring.Accepting && record.State != keyring.Sending {
			continue
		}
		if record.State == keyring.Accepting {
			_, err := s.deps.Keys.Step(ctx, selfActing("the center uses it"), id, keyring.Send)
			if err != nil {
				s.log.Warn("a link key that the center uses can't be sent with", "key", id.String(),
					"error", err.Error(), "hint", "key list")
				continue
			}
		}
		s.useKey(id)
	}
}

// bringAgain takes up the changes that the last process didn't finish, when a connection is there.
func (s *Switch) bringAgain(ctx context.Context) {
	x := &s.exchange
	x.resumed = slices.DeleteFunc(x.resumed, func(slot keyring.Slot) bool {
		if _, err := s.carrier(slot); err != nil {
			return false
		}
		s.beginChange(ctx, selfActing("its change was not finished"), slot, nil)
		return true
	})
}

// endUnderOldKeys ends the connections that still stand, either way, under a link key that may not
// be used any more: expired, retired longer ago than its window, or destroyed.
func (s *Switch) endUnderOldKeys() {
	keys, now := s.deps.Keys.Set(), time.Now()
	for _, l := range s.network.Links() {
		sending, receiving, ok := l.KeyPositions()
		if !ok {
			continue
		}
		slot := keyring.Slot{Purpose: keyring.ZEK, Center: l.Center().Name(), Link: l.Name()}
		for _, at := range []uint16{sending.Generation, receiving.Generation} {
			_, refused := keys.Opener(slot, at, now)
			r, _ := keys.Get(keyring.ID{Slot: slot, Generation: at})
			coming := r.State == keyring.Received && s.isComing(slot, at)
			if (refused != nil || !now.Before(r.Expires)) && !coming {
				l.Close(link.KeyExpired)
			}
		}
	}
}

// isComing tells whether a key is on its way, so that its center may use it already.
func (s *Switch) isComing(slot keyring.Slot, generation uint16) bool {
	x := &s.exchange
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.ContainsFunc(x.coming[slot.Center+"/"+slot.Link], func(k envelope.Key) bool {
		return k.Generation == generation
	})
}

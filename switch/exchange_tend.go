package cardswitch

import (
	"context"
	"time"

	"cardswitch/hsm/keyring"
	"cardswitch/switch/link"
)

// tendKeys does what the calendar asks of the exchange: new keys are made and brought to their
// centers, and a connection under a link key that has expired ends. What only concerns the key
// store is done by package switch/keys.
func (s *Switch) tendKeys(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, keyWait)
	defer cancel()
	s.followCenters(ctx)
	for _, task := range s.deps.Keys.Due() {
		switch task.What {
		case keyring.Rotate:
			if s.changes(task.ID.Slot) && s.mayTry(task.ID.Slot) {
				s.beginChange(ctx, selfActing(task.Why), task.ID.Slot, nil)
			}
		case keyring.Expired:
			s.endUnder(task.ID)
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

// mayTry tells whether a change that failed before may be tried again.
func (s *Switch) mayTry(slot keyring.Slot) bool {
	next := s.exchange.again[slot]
	return next == nil || !time.Now().Before(next.at)
}

// followCenters changes over to link keys that their centers made and have begun to use.
func (s *Switch) followCenters(ctx context.Context) {
	for _, l := range s.network.Links() {
		sending, receiving, ok := l.KeyPositions()
		if !ok || sending.Generation == receiving.Generation {
			continue
		}
		id := keyring.ID{Slot: keyring.Slot{Purpose: keyring.ZEK, Center: l.Center().Name(),
			Link: l.Name()}, Generation: receiving.Generation}
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

// endUnder ends the connections that still stand under an expired link key: no link goes on for
// ever under an old one.
func (s *Switch) endUnder(id keyring.ID) {
	if id.Slot.Purpose != keyring.ZEK {
		return
	}
	for _, l := range s.linksOf(id.Slot) {
		if sending, _, ok := l.KeyPositions(); ok && sending.Generation == id.Generation {
			l.Close(link.KeyExpired)
		}
	}
}

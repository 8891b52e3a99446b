package cardswitch

import (
	"errors"

	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/switch/txn"
)

// A supplement is a part of the authorization that it adds to: it is completed, expires and is
// reversed with that. One whose approval comes when that is completed, reversed or expired is a
// part of nothing, and so expires and is reversed by itself: its issuer may hold the money.

// underAuthorization bounds the reversal of a supplement by what is left of the authorization that
// it added to, the question of: what its issuer has let go with that isn't reversed once more.
// false if the journal has to be asked.
func (s *Switch) underAuthorization(q *txn.Request, of journal.Key) bool {
	authorization, ok := s.questions.Find(of)
	if !ok {
		return of.IsZero() // its records are gone: the supplement is all that is known
	}
	left, known := s.left(authorization)
	remains := left.Left()
	if authorization.Standing() != txn.Approved {
		remains = 0
	}
	q.Left.Reversed += q.Left.Left() - min(q.Left.Left(), remains)
	return known
}

// completes tells whether the authorization that a supplement is for can still be completed, as far
// as is remembered.
func (s *Switch) completes(r *txn.Row) bool {
	q, ok := s.questions.Find(r.OfKey)
	left, known := s.left(q)
	return !ok || q.Standing() == txn.Approved && (!known || !left.Closed && !left.Expired)
}

// bringRaised remembers again what the original of a reversal adds to, if that is a supplement;
// false: not all of it is durable yet.
func (s *Switch) bringRaised(r *recall) (bool, error) {
	s.mu.Lock()
	q, ok := s.questions.Find(r.named)
	left, _ := s.left(q)
	s.mu.Unlock()
	if !ok || q.MTI.Class() != 1 || left.Of == 0 || r.key.MTI().Class() != 4 {
		return true, nil
	}
	records, err := s.store.Transaction(left.Of)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	r.raised = records[0].Key
	if err := s.bringBack(r.center, r.raised); err != nil {
		return false, err
	}
	return s.bringLeft(r.raised)
}

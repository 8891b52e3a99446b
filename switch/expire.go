package cardswitch

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"cardswitch/spec"
	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/switch/saf"
	"cardswitch/switch/txn"
)

// An authorization that nobody completes holds the cardholder's money for nothing. Where its issuer
// agreed on a time, it expires then: that is recorded, and what is left of it is reversed if the
// issuer wants that. What is to expire when lies beside the journal, written by the batch that has
// the approval; for centers without such a time nothing is.

// familyExpiry begins those keys, among all beside the journal: then come the time (unix seconds)
// and the number of the transaction. The value is its question.
const familyExpiry = 'h'

func expiryKey(at int64, number uint64) []byte {
	key := binary.BigEndian.AppendUint64([]byte{familyExpiry}, uint64(at))
	return binary.BigEndian.AppendUint64(key, number)
}

// expiry is an authorization that may be due.
type expiry struct {
	at     []byte // where it lies
	number uint64
	key    journal.Key
}

// expires sees that an authorization that stands approved ends in time.
func (s *Switch) expires(now int64, dest *center, number uint64, k journal.Key) {
	wait := dest.config.Adjustments.Expire
	if wait == 0 || k.MTI().Class() != 1 || k.IsZero() {
		return
	}
	s.pending.batch.Set(expiryKey((now+int64(wait))/1e9, number), k[:])
}

// expirations looks for what is due, where any issuer agreed on a time.
func (s *Switch) expirations() {
	ticker := time.NewTicker(expireTick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.stopped:
			return
		}
		if err := s.expireDue(); err != nil {
			s.log.Error("authorizations cannot expire", "error", err,
				"hint", "run `cardswitch journal verify`")
		}
	}
}

func (s *Switch) expireDue() error {
	s.mu.Lock()
	wanted, known := slices.ContainsFunc(s.issuers, (*center).letsExpire), maps.Clone(s.centers)
	s.mu.Unlock()
	if !wanted {
		return nil
	}
	var due []expiry
	until := expiryKey(s.now()/1e9+1, 0)
	err := s.store.Scan([]byte{familyExpiry}, until, func(key, value []byte) bool {
		one := expiry{at: append([]byte(nil), key...), number: binary.BigEndian.Uint64(key[9:])}
		copy(one.key[:], value)
		if known[one.key.Center()] != nil { // else it may come back, and is in nobody's way meanwhile
			due = append(due, one)
		}
		return len(due) < expireAtOnce
	})
	for i := range due {
		err = errors.Join(err, s.expire(&due[i]))
	}
	if len(due) > 0 {
		s.kick()
	}
	return err
}

// ExpiresAt finds when an authorization is to expire, which was approved at a time (unix
// nanoseconds); false: it isn't to, or has.
func ExpiresAt(b Books, number uint64, approved int64) (at time.Time, ok bool, err error) {
	err = b.Scan(expiryKey(approved/1e9, 0), []byte{familyExpiry + 1}, func(key, _ []byte) bool {
		if ok = binary.BigEndian.Uint64(key[9:]) == number; ok {
			at = time.Unix(int64(binary.BigEndian.Uint64(key[1:])), 0)
		}
		return !ok
	})
	return at, ok, err
}

// letsExpire tells whether authorizations of an issuer may expire.
func (c *center) letsExpire() bool { return c.config.Adjustments.Expire != 0 }

// expire ends one authorization, if something is left of it.
func (s *Switch) expire(e *expiry) error {
	s.mu.Lock()
	from := s.centers[e.key.Center()]
	s.mu.Unlock()
	if from == nil {
		return nil // its center is no longer configured: it may come back
	}
	if err := s.bringBack(from, e.key); err != nil {
		return err
	}
	if durable, err := s.bringLeft(e.key); err != nil || !durable {
		return err
	}
	records, err := s.store.Transaction(e.number)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, ok := s.questions.Find(e.key)
	left, known := s.left(q)
	c := s.centers[q.Dest]
	if ok && !known {
		return nil // the next time
	}
	s.pending.batch.Delete(e.at)
	if !ok || c == nil || len(records) == 0 || q.Txn != e.number ||
		q.Standing() != txn.Approved || left.Left() == 0 {
		return nil
	}
	r := rowOfRecord(&records[0])
	r.STAN = q.STAN // as the issuer knows it
	if q.Flags.Has(txn.StoodIn) {
		r.MTI += 0x20 // it has the advice of it
	}
	return s.expireLeft(from, c, e, r, left, records)
}

// expireLeft records the end of what is left of an authorization, and owes its reversal where the
// issuer wants it.
func (s *Switch) expireLeft(from, c *center, e *expiry, r *txn.Row, left txn.Remainder,
	records []journal.Record) error {
	now, first := s.now(), &records[0]
	s.images, s.cuts = s.images[:0], s.cuts[:0]
	s.rec = journal.Record{At: now, Kind: journal.Adjusted, Txn: e.number, Key: e.key,
		Center: from.id, Dest: c.id, Reason: uint16(txn.AuthorizationExpired)}
	var item *saf.Item
	var fault spec.Fault
	if c.config.Adjustments.ReverseExpire {
		images := s.archive.whole(records...)
		raw, err := images.Asked(from.dialect, first.PAN)
		if err != nil {
			return err
		}
		if f := from.dialect.Index(&s.askedAs, raw); !f.OK() {
			return f.Err()
		}
		s.askedPAN, s.rec.Amount = first.PAN, left.Left()
		d := txn.Decision{Owe: txn.ReverseExpired}
		item, fault = s.writeReversal(now, from, c, r, d, nil, &s.rec, left)
	}
	s.rec.Seq = s.pending.batch.Append(&s.rec)
	if q, ok := s.questions.Find(e.key); ok {
		q.Flags |= txn.Adjusted
		s.questions.Update(e.key, q)
	}
	s.rests.keep(e.number, rest{Remainder: left, known: true}, s.store.LastSeq())
	s.rests.apply(&s.rec, s.store.LastSeq())
	c.metrics.expired.Inc()
	if item != nil {
		item.ID, item.Txn = s.rec.Seq, e.number
		c.metrics.reversals.Inc()
		if !fault.OK() {
			s.shelve(now, c, item, fault.Err())
			return nil
		}
		s.owe(c, item)
	}
	return nil
}

// rowOfRecord is a row as it was for a request that was opened, or for an advice.
func rowOfRecord(r *journal.Record) *txn.Row {
	return &txn.Row{Kind: txn.Forwarded, Txn: r.Seq, Source: r.Center, Dest: r.Dest, STAN: r.STAN,
		Asked: r.MTI, MTI: r.MTI.Original(), Key: r.Key, LocalTime: r.Key.LocalTime(),
		Acquirer: r.Key.Acquirer(), Card: r.Card, Amount: r.Amount, Processing: r.Processing,
		Currency: r.Currency, Arrived: r.At}
}

package cardswitch

import (
	"fmt"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/total"
	"cardswitch/switch/settle"
	"cardswitch/switch/txn"
)

// Fees may depend on how the holder pays (支払区分, element 48). No total is kept for that: a
// statement that needs it reads the day's records again. A reversal counts as what it reverses.

// divisionReader tells transactions of a day apart by their payment divisions.
type divisionReader struct {
	switched  *Switch
	day       uint32
	from      uint64 // the first record that is read
	issuers   map[uint16]bool
	divisions map[uint64]uint8  // by transaction, where there is one
	of        map[uint64]uint64 // by a merchant's reversal: what it reverses
	after     map[uint64]uint64 // by a completion or return: what it is of
	parts     settle.Parts
}

// partsOf adds up a day of all issuers by payment division; nil if no fee depends on it.
func (s *Switch) partsOf(day settle.Day, fees []settle.Fee) (settle.Parts, error) {
	if !settle.ByPayment(fees) {
		return nil, nil
	}
	r := divisionReader{switched: s, day: uint32(day), issuers: make(map[uint16]bool),
		divisions: make(map[uint64]uint8), of: make(map[uint64]uint64),
		after: make(map[uint64]uint64), parts: make(settle.Parts)}
	s.mu.Lock()
	for _, c := range s.issuers {
		if c.book == nil || c.book.Find(day) == nil {
			continue
		}
		from, _ := sinceBefore(c, day)
		if r.from == 0 || from < r.from {
			r.from = from
		}
		r.issuers[c.id] = true
	}
	s.mu.Unlock()
	if first := s.store.FirstSeq(); len(r.issuers) > 0 && r.from < first {
		return nil, fmt.Errorf("records of %v are dropped, so fees by payment division can't be "+
			"said any more; statements of that time were made before", day)
	}
	return r.parts, s.store.Replay(max(r.from, 1), r.record)
}

func (r *divisionReader) record(rec *journal.Record) error {
	if rec.Txn == rec.Seq && rec.Image(journal.Request) != nil {
		if d := r.switched.divisionIn(rec); d != 0 {
			r.divisions[rec.Seq] = d
		}
	}
	switch why := txn.Reason(rec.Reason); {
	case rec.Kind == journal.Reversed && rec.Txn != rec.Seq,
		rec.Kind == journal.Adjusted && why == txn.PartReversed:
		r.of[rec.Advice] = rec.Txn
	case rec.Kind == journal.Adjusted && (why == txn.SpentOf || why == txn.SpentAll):
		r.after[rec.Advice] = rec.Txn
	}
	if rec.Moves == 0 || rec.Kind == journal.Opened || rec.Day != r.day || !r.issuers[rec.Dest] {
		return nil
	}
	d, err := r.division(rec)
	r.parts.Add(settle.PartKey{Issuer: rec.Dest, Merchant: rec.Center, Currency: rec.Currency}, d,
		total.Kind(rec.Moves), rec.Amount)
	return err
}

// division is that of the transaction that a record is about: of what is reversed, if it knows one,
// and else of what that completes or returns.
func (r *divisionReader) division(rec *journal.Record) (uint8, error) {
	of := r.of[rec.Advice]
	for _, id := range [...]uint64{of, rec.Txn, r.after[of], r.after[rec.Txn]} {
		if d := r.divisions[id]; d != 0 {
			return d, nil
		}
		if id == 0 || id >= r.from {
			continue
		}
		records, err := r.switched.store.Transaction(id) // of a day long before
		if err != nil {
			return 0, err
		}
		if d := r.switched.divisionIn(&records[0]); d != 0 {
			return d, nil
		}
	}
	return 0, nil
}

// divisionIn reads the payment division in the request of a record; 0: there is none.
func (s *Switch) divisionIn(rec *journal.Record) uint8 {
	for _, kept := range s.archive.Images().Add(rec) {
		if kept.Role != journal.Request || kept.Err != nil || !kept.Message.Has(48) {
			continue
		}
		items := spec.ParseItems(kept.Message.Append(nil, 48))
		for items.Next() {
			if items.Tag() == spec.TagPaymentDivision {
				payment, _ := spec.ParsePayment(items.Value())
				return payment.Division
			}
		}
	}
	return 0
}

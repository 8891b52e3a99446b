package cardswitch

import (
	"fmt"
	"maps"
	"slices"

	"cardswitch/store/journal"
	"cardswitch/store/registry"
	"cardswitch/switch/saf"
	"cardswitch/switch/service/authorization"
	"cardswitch/switch/txn"
)

// Recovered says what a start found in the journal.
type Recovered struct {
	Records  int // replayed
	Reversed int // open requests that were answered and reversed
	Owed     int // advices still to be delivered
	Shelved  int // on the work lists
}

// Found is what the start found.
func (s *Switch) Found() Recovered { return s.found }

// recover rebuilds the tables from the journal and finishes what was open: whether an open request
// was sent, and what the issuer made of it, nobody knows, so it is answered 911 (the kept answer
// for the merchant's repeat) and its reversal is owed. It runs before any link is opened.
func (s *Switch) recover() (Recovered, error) {
	var found Recovered
	open := make(map[uint64]*opened)
	err := s.store.Replay(s.store.Floor(), func(r *journal.Record) error {
		found.Records++
		s.replay(open, r)
		return nil
	})
	if err != nil {
		return found, fmt.Errorf("replay the journal: %w", err)
	}
	if err := s.refill(&found); err != nil {
		return found, err
	}
	if err := s.readDifferences(); err != nil {
		return found, fmt.Errorf("read the work list of differences: %w", err)
	}
	if err := s.openBooks(); err != nil {
		return found, err
	}
	for _, seq := range slices.Sorted(maps.Keys(open)) { // in order, so that all nodes decide the same
		r := open[seq]
		if err := s.abandon(r); err != nil {
			return found, fmt.Errorf("finish transaction %d: %w", r.Seq, err)
		}
		found.Reversed++
		if s.pending.full() {
			if err := s.commitNow(); err != nil {
				return found, err
			}
		}
	}
	for _, c := range s.centers {
		c.forgotten = max(c.forgotten, s.store.NewestIndexed(c.id))
	}
	return found, s.commitNow()
}

// opened is a request that was open when the process ended, and the original that it follows.
type opened struct {
	journal.Record
	of    uint64
	ofKey journal.Key
}

// replay folds one record into the tables.
func (s *Switch) replay(open map[uint64]*opened, r *journal.Record) {
	switch r.Kind {
	case journal.Opened:
		open[r.Seq] = &opened{Record: r.Clone()}
	case journal.Adjusted:
		if o := open[r.Advice]; o != nil { // it has used up something of its original
			o.of, o.ofKey = r.Txn, r.Key
		}
	case journal.Sent:
		if o := open[r.Txn]; o != nil {
			o.Reason = 0
		}
	case journal.Closed:
		delete(open, r.Txn)
	}
	c := s.centers[r.Key.Center()]
	if c == nil || r.Key.IsZero() {
		return
	}
	known, ok := s.questions.Find(r.Key)
	begins := r.Txn == r.Seq
	switch {
	case ok && (!begins || known.Flags.Has(txn.Foretold)):
		s.questions.Update(r.Key, fold(known, r))
	case !ok && begins:
		s.remember(c, r.Key, fold(txn.Question{}, r))
	}
}

// refill reads what centers must still get, and the work lists.
func (s *Switch) refill(found *Recovered) error {
	now := s.now()
	for _, c := range s.centers {
		for e, err := range s.store.Queue(c.id) {
			if err != nil {
				return fmt.Errorf("read what %s must still get: %w", c.name, err)
			}
			c.owed.Add(&saf.Item{Entry: e, Due: now, Repeat: true})
			found.Owed++
		}
	}
	if err := s.stranded(found); err != nil {
		return err
	}
	for e, err := range s.store.WorkList() {
		if err != nil {
			return fmt.Errorf("read the work list: %w", err)
		}
		if c := s.centers[e.Center]; c != nil {
			c.shelved++
		}
		found.Shelved++
	}
	return nil
}

// stranded counts what is owed to centers that the configuration no longer has, and says so.
func (s *Switch) stranded(found *Recovered) error {
	for id := uint16(1); ; id++ {
		entry, ok := s.store.Registry().Entry(id)
		if !ok {
			return nil
		}
		if entry.Kind != registry.Center || s.centers[id] != nil {
			continue
		}
		owed := 0
		for _, err := range s.store.Queue(id) {
			if err != nil {
				return fmt.Errorf("read what %s must still get: %w", entry.Name, err)
			}
			owed++
		}
		if owed > 0 {
			found.Owed += owed
			s.log.Error("advices are owed to a center that is no longer configured",
				"center", entry.Name, "owed", owed, "hint", "configure it again to deliver them")
		}
	}
}

// abandon closes one request that was open when the process ended.
func (s *Switch) abandon(r *opened) error {
	from, c := s.centers[r.Center], s.centers[r.Dest]
	if from == nil || c == nil {
		return fmt.Errorf("center %d or %d is no longer configured; put it back, or add it without links",
			r.Center, r.Dest)
	}
	images := s.archive.whole(r.Record)
	raw, err := images.Asked(from.dialect, r.PAN)
	if err != nil {
		return err
	}
	if f := from.dialect.Index(&s.askedAs, raw); !f.OK() {
		return f.Err()
	}
	s.askedPAN = r.PAN // also where it came by a track, which is not kept
	row := c.rows.Take()
	row.Kind, row.State, row.Txn = txn.Forwarded, txn.Open, r.Seq
	row.Source, row.Dest, row.STAN = from.id, c.id, r.STAN
	row.Asked, row.MTI, row.Key = r.MTI, r.MTI.Original(), r.Key
	row.LocalTime = r.Key.LocalTime()
	row.Acquirer = r.Key.Acquirer()
	row.Card, row.Amount, row.Arrived = r.Card, r.Amount, r.At
	row.Processing, row.Currency = r.Processing, r.Currency
	row.Day, row.Slice, row.MerchantDay = r.Day, r.Slice, r.MerchantDay
	if row.Of, row.OfKey = r.of, r.ofKey; r.of != 0 {
		row.Sequel = txn.SequelOf(r.MTI, s.askedFunction(), r.Processing)
	}
	row.Hold(&s.askedAs)
	c.rows.Put(row)
	from.inFlight++
	known, _ := s.questions.Find(r.Key)
	if known.Flags.Has(txn.Reversing) {
		row.State = txn.Cancelled // the merchant has reversed it already
	}
	d := authorization.Deadline(txn.Restarted, row.State == txn.Cancelled)
	if txn.Reason(r.Reason) == txn.HeldForCard { // and so it never left
		d = authorization.NeverSent(txn.NeverLeft)
	}
	s.conclude(s.now(), from, c, row, d, nil)
	return nil
}

// askedFunction is the function code of the request in askedAs, or -1.
func (s *Switch) askedFunction() int {
	if n, ok := s.askedAs.Number(24); ok {
		return int(n)
	}
	return -1
}

// commitNow writes what is pending. Only for the start, when no committer runs.
func (s *Switch) commitNow() error {
	if s.pending.batch.Empty() {
		return nil
	}
	err := s.store.Commit(s.pending.batch)
	s.pending.out, s.pending.effects = s.pending.out[:0], s.pending.effects[:0]
	return err
}

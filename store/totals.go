package store

import (
	"errors"
	"fmt"

	"cardswitch/store/journal"
	"cardswitch/store/total"

	"github.com/cockroachdb/pebble/v2"
)

// Totals are the totals as the batches filled so far leave them. They belong to the goroutine that
// fills batches.
func (s *Store) Totals() *total.Table { return s.totals }

// loadTotals reads the rows as they were committed last.
func loadTotals(db pebble.Reader) (rows []total.Row, err error) {
	it, err := db.NewIter(within([]byte{familyTotals}))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		key, err := total.ParseKey(it.Key()[1:])
		if err != nil {
			return nil, err
		}
		sums, err := total.Parse(it.Value())
		if err != nil {
			return nil, fmt.Errorf("totals of center %d, day %06d: %w", key.Center, key.Day, err)
		}
		rows = append(rows, total.Row{Key: key, Sums: sums})
	}
	return rows, it.Error()
}

// TotalsReport is what AddUp found.
type TotalsReport struct {
	Records uint64
	Rows    int
	Differ  []TotalsDiffer
}

// TotalsDiffer is a row whose kept totals aren't those that the journal comes to.
type TotalsDiffer struct {
	Key             total.Key
	Kept, Journaled total.Sums
}

// AddUp adds the totals up anew from the journal and compares them with those that are kept, both
// as of one moment. Rows that whole refuses are left out: those of days of which retention has
// dropped records.
func (s *Store) AddUp(whole func(total.Key) bool) (r TotalsReport, err error) {
	snapshot := s.db.NewSnapshot()
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	rows, err := loadTotals(snapshot)
	if err != nil {
		return r, err
	}
	c, err := s.chunks(snapshot)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, c.it.Close()) }()
	found, dirty := total.NewTable(nil), new(total.Dirty)
	for ok, err := c.first(); ok || err != nil; ok, err = c.following() {
		if err != nil {
			return r, err
		}
		err := c.each(0, func(rec *journal.Record) error {
			r.Records++
			dirty.Rows = dirty.Rows[:0]
			found.Count(rec, dirty)
			return nil
		})
		if err != nil {
			return r, err
		}
	}
	return r.compare(rows, found.List(whole), whole), nil
}

func (r TotalsReport) compare(kept, added []total.Row, whole func(total.Key) bool) TotalsReport {
	both := make(map[total.Key]*TotalsDiffer)
	at := func(k total.Key) *TotalsDiffer {
		if both[k] == nil {
			both[k] = &TotalsDiffer{Key: k}
		}
		return both[k]
	}
	for i := range kept {
		if whole(kept[i].Key) {
			at(kept[i].Key).Kept = kept[i].Sums
		}
	}
	for i := range added {
		at(added[i].Key).Journaled = added[i].Sums
	}
	r.Rows = len(both)
	for _, d := range both {
		if d.Kept != d.Journaled {
			r.Differ = append(r.Differ, *d)
		}
	}
	return r
}

// ForgetTotals drops the totals of a center's day that nothing can move any more.
func (b *Batch) ForgetTotals(center uint16, day uint32) {
	for _, key := range b.s.totals.Forget(center, day) {
		b.others = append(b.others, other{key: b.keep(familyTotals, key.Append(nil))})
	}
}

package total

import (
	"cmp"
	"slices"

	"cardswitch/store/journal"
)

// Table is the totals as decided so far. It belongs to the goroutine that fills batches.
type Table struct {
	rows map[Key]*row
	near [128]*row // rows found last, each in a place by its centers: a day has few others
}

type row struct {
	key  Key
	sums Sums
	in   *Dirty // the batch that has it as changed
	at   int    // where
}

// Dirty is what one batch has changed: each row once, as it is after the batch.
type Dirty struct{ Rows []Row }

// Row is a row with its totals.
type Row struct {
	Key  Key
	Sums Sums
}

// NewTable gives a table with these rows.
func NewTable(saved []Row) *Table {
	t := &Table{rows: make(map[Key]*row, len(saved))}
	for i := range saved {
		t.rows[saved[i].Key] = &row{key: saved[i].Key, sums: saved[i].Sums}
	}
	return t
}

// Count moves the rows that a record moves, and notes them in the batch of the record.
func (t *Table) Count(r *journal.Record, in *Dirty) {
	if r.Moves == 0 || r.Kind == journal.Opened {
		return
	}
	if r.Day != 0 {
		t.add(atIssuer(r), Kind(r.Moves), r.Amount, in)
	}
	if r.MerchantDay != 0 {
		t.add(atMerchant(r), Kind(r.Moves), r.Amount, in)
	}
}

func (t *Table) add(key Key, k Kind, amount uint64, in *Dirty) {
	near := &t.near[(key.Center*31+key.Other)%uint16(len(t.near))]
	w := *near
	if w == nil || w.key != key {
		if w = t.rows[key]; w == nil {
			w = &row{key: key}
			t.rows[key] = w
		}
		*near = w
	}
	if k >= Kinds {
		return // of a newer version
	}
	w.sums.Add(k, amount)
	if w.in != in || w.at >= len(in.Rows) || in.Rows[w.at].Key != key {
		w.in, w.at = in, len(in.Rows)
		in.Rows = append(in.Rows, Row{key, w.sums})
		return
	}
	in.Rows[w.at].Sums[k] = w.sums[k]
}

// Of adds up the rows of a center's day by currency: of one slice, or of all if it is zero.
func (t *Table) Of(center uint16, day uint32, slice uint16) map[uint16]Sums {
	out := make(map[uint16]Sums)
	for key, w := range t.rows {
		if key.Center == center && key.Day == day && (slice == 0 || key.Slice == slice) {
			s := out[key.Currency]
			s.Plus(&w.sums)
			out[key.Currency] = s
		}
	}
	return out
}

// List gives the rows that a filter takes, in order.
func (t *Table) List(take func(Key) bool) []Row {
	var out []Row
	for key, w := range t.rows {
		if take(key) {
			out = append(out, Row{key, w.sums})
		}
	}
	slices.SortFunc(out, func(a, b Row) int { return a.Key.Compare(b.Key) })
	return out
}

// Compare orders keys as they are written.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Center, o.Center), cmp.Compare(k.Day, o.Day),
		cmp.Compare(k.Slice, o.Slice), cmp.Compare(k.Currency, o.Currency),
		cmp.Compare(k.Other, o.Other))
}

// Forget drops the rows of a center's day, when nobody can ask for them any more, and says which.
func (t *Table) Forget(center uint16, day uint32) (dropped []Key) {
	for key := range t.rows {
		if key.Center == center && key.Day == day {
			delete(t.rows, key)
			dropped = append(dropped, key)
		}
	}
	t.near = [len(t.near)]*row{}
	return dropped
}

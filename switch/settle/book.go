package settle

import (
	"fmt"
	"slices"
)

// State is where a period stands.
type State uint8

// The states.
const (
	Unknown State = iota
	Open          // what is new counts in it
	Ended         // cut over: only what names it, or was given it before, still counts in it
	Agreed        // both sides have the same figures: nothing counts in it any more
)

// String names it.
func (s State) String() string {
	if names := [...]string{"unknown", "open", "ended", "agreed"}; int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// Period is one business day of one center.
type Period struct {
	Day      Day
	State    State
	Slice    uint16 // DE 29: the last one begun, from 1
	Since    uint64 // journal number of the record that opened it: nothing before counts in it
	Opened   int64  // unix nanoseconds, as are the others; 0: not yet
	Ended    int64
	Agreed   int64
	Versions uint16   // how often it was compared
	Checked  int64    // when that was last
	Out      bool     // it was out of balance then
	SliceAt  int64    // when the last slice began
	Told     uint16   // the last slice that the center was told of; 0: not even of the day
	Sliced   uint16   // slices up to this one were compared
	OutAt    []uint16 // those of them that were out of balance
	Closed   []uint16 // currencies that are agreed
}

// Book is the periods of one center, by day. The last one is open.
type Book struct{ Periods []Period }

// farthest is how many days ahead of the open one a center may name a day: holidays in a row, and
// some. What is farther is a mistake.
const farthest = 14

// Current is the open period; nil before the first.
func (b *Book) Current() *Period {
	if len(b.Periods) == 0 {
		return nil
	}
	return &b.Periods[len(b.Periods)-1]
}

// Find gives the period of a day, or nil.
func (b *Book) Find(d Day) *Period {
	at, ok := slices.BinarySearchFunc(b.Periods, d, func(p Period, d Day) int {
		return int(p.Day) - int(d)
	})
	if !ok {
		return nil
	}
	return &b.Periods[at]
}

// Assigned is what became of the day that a message names.
type Assigned uint8

// The outcomes.
const (
	AsNamed  Assigned = iota // it counts where it says, or where everything counts that says nothing
	Moved                    // it names an agreed day: it counts in the open one
	NotThere                 // it names a day that isn't there
)

// Assign gives the period in which something counts that names a day, or none (0). What names a day
// that is agreed or isn't there gets the open one; whether that will do, the profile says.
func (b *Book) Assign(named Day) (d Day, slice uint16, how Assigned) {
	current := b.Current()
	if current == nil {
		return 0, 0, NotThere
	}
	if named == 0 || named == current.Day {
		return current.Day, current.Slice, AsNamed
	}
	switch p := b.Find(named); {
	case p == nil:
		return current.Day, current.Slice, NotThere
	case p.State == Agreed:
		return current.Day, current.Slice, Moved
	default:
		return p.Day, p.Slice, AsNamed
	}
}

// MayOpen tells why a day can't be the next one; nil if it can.
func (b *Book) MayOpen(d Day) error {
	current := b.Current()
	switch {
	case !d.Valid():
		return fmt.Errorf("%v is no date", d)
	case current == nil:
		return nil
	case d <= current.Day:
		return fmt.Errorf("day %v is open, %v isn't after it", current.Day, d)
	case d.Date(utc()).Sub(current.Day.Date(utc())).Hours() > 24*farthest:
		return fmt.Errorf("%v is more than %d days after the open day %v", d, farthest, current.Day)
	}
	return nil
}

// CutOver ends the open period and opens the next, under the record seq.
func (b *Book) CutOver(d Day, at int64, seq uint64) {
	if p := b.Current(); p != nil {
		p.State, p.Ended = Ended, at
	}
	b.Periods = append(b.Periods, Period{Day: d, State: Open, Slice: 1, Since: seq,
		Opened: at, SliceAt: at})
}

// Checkpoint begins the next slice of the open period.
func (b *Book) Checkpoint(slice uint16, at int64) {
	p := b.Current()
	p.Slice, p.SliceAt = slice, at
}

// MayCheck tells why a slice can't be the next one; nil if it can.
func (b *Book) MayCheck(d Day, slice uint16) error {
	current := b.Current()
	switch {
	case current == nil || d != current.Day:
		return fmt.Errorf("day %v isn't open", d)
	case slice != current.Slice+1 || slice > 999:
		return fmt.Errorf("slice %d is open, %d isn't the next", current.Slice, slice)
	}
	return nil
}

// Compared notes a comparison of a whole period in one currency. When all currencies that were
// moved are agreed, so is the period.
func (p *Period) Compared(at int64, currency uint16, equal bool, moved []uint16) {
	p.Versions++
	p.Checked, p.Out = at, !equal
	if !equal {
		return
	}
	if !slices.Contains(p.Closed, currency) {
		p.Closed = append(p.Closed, currency)
	}
	for _, c := range moved {
		if !slices.Contains(p.Closed, c) {
			return
		}
	}
	p.Agree(at)
}

// Moved notes that something more counts in the period in a currency: what was agreed of that must
// be compared again. It tells whether that is so.
func (p *Period) Moved(currency uint16) bool {
	if p.State != Ended || !slices.Contains(p.Closed, currency) {
		return false
	}
	p.Closed = slices.DeleteFunc(p.Closed, func(c uint16) bool { return c == currency })
	return true
}

// SliceCompared notes the comparison of one slice.
func (p *Period) SliceCompared(slice uint16, equal bool) {
	p.Sliced = max(p.Sliced, slice)
	p.OutAt = slices.DeleteFunc(p.OutAt, func(s uint16) bool { return s == slice })
	if !equal {
		p.OutAt = append(p.OutAt, slice)
	}
}

// Agree seals a period that has ended.
func (p *Period) Agree(at int64) {
	if p.State == Ended {
		p.State, p.Agreed = Agreed, at
	}
}

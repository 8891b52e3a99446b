package keyring

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Set is all keys of an installation at one moment. It is a value: a change makes another Set, and
// readers of the old one are never disturbed. The zero Set is empty.
type Set struct {
	records []Record // by slot, then generation
}

// NewSet makes a set of records in any order. Each must be valid, and another key than the others.
func NewSet(records []Record) (Set, error) {
	sorted := slices.SortedFunc(slices.Values(records), func(a, b Record) int {
		return compareID(a.ID, b.ID)
	})
	alike := map[string][]int{} // by what two check values of one key have in common at least
	for i := range sorted {
		r := &sorted[i]
		if err := r.Validate(); err != nil {
			return Set{}, fmt.Errorf("key %s: %w", r.ID, err)
		}
		if i > 0 && sorted[i-1].ID == r.ID {
			return Set{}, fmt.Errorf("key %s is there twice", r.ID)
		}
		begin := r.Check().Hex[:4]
		for _, j := range alike[begin] {
			if sorted[j].Check().Matches(r.Check()) {
				return Set{}, &DuplicateError{Old: sorted[j].ID, New: r.ID}
			}
		}
		alike[begin] = append(alike[begin], i)
	}
	return Set{sorted}, nil
}

// Records lists all records by slot and generation. The caller may keep it.
func (s Set) Records() []Record { return slices.Clone(s.records) }

// Len counts the records.
func (s Set) Len() int { return len(s.records) }

func compareID(a, b ID) int {
	return cmp.Or(strings.Compare(a.Slot.String(), b.Slot.String()),
		cmp.Compare(a.Generation, b.Generation))
}

func (s Set) find(id ID) (int, bool) {
	return slices.BinarySearchFunc(s.records, id, func(r Record, id ID) int {
		return compareID(r.ID, id)
	})
}

// Get is the record of a key.
func (s Set) Get(id ID) (Record, bool) {
	at, ok := s.find(id)
	if !ok {
		return Record{}, false
	}
	return s.records[at], true
}

// Generations are the records of a slot, the oldest first.
func (s Set) Generations(slot Slot) []Record {
	from, _ := s.find(ID{slot, 0})
	to := from
	for to < len(s.records) && s.records[to].ID.Slot == slot {
		to++
	}
	return s.records[from:to:to]
}

// put adds a valid record. The key must be another than all before, also than those that were
// destroyed: the same check value means that a key came twice (PCI PIN requirements 19 and 20).
func (s Set) put(r Record) (Set, error) {
	if err := r.Validate(); err != nil {
		return s, err
	}
	at, there := s.find(r.ID)
	if there {
		return s, fmt.Errorf("there is such a key already (hint: key list shows it)")
	}
	for i := range s.records {
		if s.records[i].Check().Matches(r.Check()) {
			return s, &DuplicateError{Old: s.records[i].ID, New: r.ID}
		}
	}
	return Set{slices.Insert(slices.Clone(s.records), at, r)}, nil
}

// DuplicateError is a key that has the check value of another.
type DuplicateError struct{ Old, New ID }

// Error names both keys.
func (e *DuplicateError) Error() string {
	return fmt.Sprintf("%s has the check value of %s: it would be the same key in two places "+
		"(hint: make another key)", e.New, e.Old)
}

// MostPending is how many generations of a slot may wait at a time for being used. Two are enough
// for a change that was not finished before the next began.
const MostPending = 2

// Next is the generation that a new key of a slot gets. There is none while too many wait.
func (s Set) Next(slot Slot) (uint16, error) {
	if err := slot.Validate(); err != nil {
		return 0, err
	}
	last, pending := uint16(0), 0
	for _, r := range s.Generations(slot) {
		last = r.ID.Generation
		if r.State == Received || r.State == Confirmed {
			pending++
		}
	}
	switch {
	case pending >= MostPending:
		return 0, fmt.Errorf("%d generations of %s wait to be used (hint: activate or destroy them)",
			pending, slot)
	case last == 65535:
		return 0, fmt.Errorf("the generations of %s are used up (hint: give the link another name)",
			slot)
	}
	return last + 1, nil
}

// Add puts a new key, which must be the next generation of its slot; a partner that makes the keys
// may have passed some over, so a later one will do.
func (s Set) Add(r Record) (Set, error) {
	next, err := s.Next(r.ID.Slot)
	if err != nil {
		return s, err
	}
	if r.ID.Generation < next {
		return s, fmt.Errorf("the next generation of %s is %d, not %d", r.ID.Slot, next,
			r.ID.Generation)
	}
	return s.put(r)
}

// Step does a step to a key, and to the older generations what follows from it: when a new one
// sends, the one before retires. Generations go in order; to skip one it must be destroyed or
// retired, as a partner may have it and not the next.
func (s Set) Step(id ID, what Step, now time.Time, window time.Duration) (Set, error) {
	at, ok := s.find(id)
	if !ok {
		return s, &StepError{id, what, "there is no such key", "key list shows all"}
	}
	for _, older := range s.Generations(id.Slot) {
		if older.ID.Generation < id.Generation && blocks(what, older.State) {
			return s, &StepError{id, what, fmt.Sprintf("%s is %s", older.ID, older.State),
				"generations go in order: use, retire or destroy the older one first"}
		}
	}
	next, err := step(s.records[at], what, now, window)
	if err != nil {
		return s, err
	}
	records := slices.Clone(s.records)
	records[at] = next
	for i := at - 1; what == Send && i >= 0 && records[i].ID.Slot == id.Slot; i-- {
		if records[i].State == Sending {
			if records[i], err = step(records[i], Retire, now, window); err != nil {
				return s, err
			}
		}
	}
	return Set{records}, nil
}

// blocks tells whether an older generation in a state holds up a step of a younger one.
func blocks(what Step, older State) bool {
	switch what {
	case Activate:
		return older == Received || older == Confirmed
	case Send:
		return older == Received || older == Confirmed || older == Accepting
	}
	return false
}

package routing

import (
	"cmp"
	"fmt"
	"slices"
)

// ambiguities refuses pairs of rules between which neither width nor the order of the file decides:
// ranges of equal width that overlap in part, and rules that an earlier one of the same range never
// lets be reached.
func (t *Table) ambiguities() error {
	order := make([]int, len(t.rules))
	for place := range order {
		order[place] = place
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := &t.origins[a].cards, &t.origins[b].cards
		return cmp.Or(cmp.Compare(x.Width(), y.Width()), cmp.Compare(x.From, y.From),
			cmp.Compare(a, b))
	})
	var found faults
	for at, place := range order {
		for _, next := range order[at+1:] {
			x, y := &t.origins[place].cards, &t.origins[next].cards
			if x.Width() != y.Width() || !x.Overlaps(*y) {
				break
			}
			t.compare(&found, place, next)
		}
	}
	return found.join()
}

// compare blames the later one of two rules of equal width that overlap.
func (t *Table) compare(found *faults, place, next int) {
	first, second := min(place, next), max(place, next)
	a, b := &t.rules[first], &t.rules[second]
	origin := t.origins[second]
	earlier, where := t.origins[first].cards, t.origins[first].where()
	switch {
	case earlier.Clashes(origin.cards) && a.meets(b):
		found.add(origin.file, origin.line,
			fmt.Sprintf("overlaps the range of %s, which is as wide", where),
			"make one narrower, or let their times not overlap")
	case earlier.Clashes(origin.cards):
	case a.repeats(b):
		found.add(origin.file, origin.line,
			"has the range, conditions and time of "+where, "remove one")
	case a.covers(b):
		found.add(origin.file, origin.line,
			"is never reached, as "+where+" takes all of its range", "put it before that one")
	}
}

func (o origin) where() string { return fmt.Sprintf("%s:%d", o.file, o.line) }

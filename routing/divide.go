package routing

import (
	"cmp"
	"fmt"
	"slices"
)

// Nearest gives the route of the narrowest rule that holds a card number, whatever else the rule
// asks for. The number is filled with zeros on the right to nineteen digits.
func (t *Table) Nearest(pan uint64) (Route, bool) {
	at := t.index.Narrowest(pan)
	if at == 0 {
		return Route{}, false
	}
	place := t.index.Place(at)
	return Route{Rule: uint32(place), To: t.rules[place].to}, true
}

// Keeps makes sure that all cards of a table that divides go to the same part by the next one,
// which may have more cards: what is known of a card stays where it is. The error names the first
// rule of either by which one would move.
func (t *Table) Keeps(next *Table, part func(destination string) string) error {
	for _, table := range []*Table{t, next} {
		for place := range table.rules {
			o := table.origins[place]
			for _, pan := range []uint64{o.cards.From, o.cards.To + 1} {
				was, known := t.Nearest(pan)
				is, ok := next.Nearest(pan)
				if !known {
					continue
				}
				from := part(t.destinations[was.To[0]])
				if ok && part(next.destinations[is.To[0]]) == from {
					continue
				}
				return &Error{File: o.file, Line: o.line,
					What: "cards of " + from + " would go elsewhere",
					Hint: "what is known of them would stay behind: let their business day end, then start " +
						"all nodes again"}
			}
		}
	}
	return nil
}

// Divides makes sure that the card number alone says to which part of the destinations a message
// goes: so what follows a transaction, with other amounts and times, goes to the same part.
// The error names every rule by which it could go to two.
func (t *Table) Divides(part func(destination string) string) error {
	var found faults
	parts := make([]string, len(t.rules))
	order := make([]int, len(t.rules))
	for place := range t.rules {
		order[place] = place
		to := t.rules[place].to
		parts[place] = part(t.destinations[to[0]])
		for _, other := range to[1:] {
			if is := part(t.destinations[other]); is != parts[place] {
				o := t.origins[place]
				found.add(o.file, o.line,
					fmt.Sprintf("has destinations of %s and of %s", parts[place], is),
					"name centers of one shard")
			}
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Compare(t.origins[a].cards.From, t.origins[b].cards.From)
	})
	var open []int // rules whose ranges reach as far as the present one's beginning
	for _, place := range order {
		cards := t.origins[place].cards
		open = slices.DeleteFunc(open, func(o int) bool { return !t.origins[o].cards.Overlaps(cards) })
		for _, o := range open {
			t.divided(&found, parts, o, place)
		}
		open = append(open, place)
	}
	return found.join()
}

// divided blames the narrower of two overlapping rules, or the later one, if messages of the same
// cards could go by either, to different parts.
func (t *Table) divided(found *faults, parts []string, a, b int) {
	if parts[a] == parts[b] {
		return
	}
	x, y := t.origins[a].cards.Width(), t.origins[b].cards.Width()
	if x > y {
		a, b = b, a
	}
	if r := &t.rules[a]; x != y && r.when == nil && r.effective == 0 && r.until == forever {
		return // it takes all of its cards
	}
	if x == y && a < b {
		a, b = b, a
	}
	o := t.origins[a]
	found.add(o.file, o.line, fmt.Sprintf("sends cards to %s that %s sends to %s", parts[a],
		t.origins[b].where(), parts[b]),
		"more than the card number would decide between shards: put these centers into one")
}

// Package routing decides which centers a message goes to.
//
// A table is read once from a text, checked whole, and never changes: a reload swaps it for
// another. The narrowest range of card numbers goes first; among rules of the same range the
// first in the file whose conditions hold. In Japan the range alone often doesn't name the
// destination: the merchant's contract, the company code or the KID does, so those are conditions.
package routing

import (
	"cardswitch/routing/cardrange"
	"cardswitch/spec"
)

// Table is an immutable routing table, safe for use by many at once.
type Table struct {
	rules        []rule
	origins      []origin // of each rule
	index        *cardrange.Index
	destinations []string
	merchants    []string
	byItems      bool // some rule asks for items of element 48
	kept         Kept
}

// Route is where a message goes: the first of To that is up gets it. It must not be changed.
type Route struct {
	Rule uint32   // place of the rule in the table
	To   []uint16 // places in the list of destinations, in order of preference
}

// Choose gives the route of the first rule that takes q.
func (t *Table) Choose(q *Query) (Route, bool) {
	for at := t.index.Narrowest(q.PAN); at != 0; at = t.index.Wider(at) {
		place := t.index.Place(at)
		if r := &t.rules[place]; r.test(q) == taken {
			return Route{Rule: uint32(place), To: r.to}, true
		}
	}
	return Route{}, false
}

// Query takes from m what this table's rules ask for: element 48 is only read for rules that need
// its items.
func (t *Table) Query(m *spec.Message, at int64) Query {
	q := plainQuery(m, at)
	if t.byItems {
		q.addItems(m)
	}
	return q
}

// Len is how many rules the table has.
func (t *Table) Len() int { return len(t.rules) }

// Destination names a destination of a Route.
func (t *Table) Destination(place uint16) string { return t.destinations[place] }

// Package queue defines what the switch still owes a center: an advice that must arrive sooner or
// later.
//
// Entries live in two places under the same id: in the queue of their center, from where store and
// forward delivers them, or on the work list, where an operator decides. Both change only together
// with the journal record that says why.
package queue

import "cardswitch/spec"

// Entry is one owed advice. Its message is the Advice image of the record with Seq ID.
type Entry struct {
	ID     uint64 // Seq of the record that holds the Advice image
	Txn    uint64 // the transaction it belongs to
	Card   [16]byte
	STAN   uint32
	MTI    spec.MTI
	DE12   uint64 // local time of the advice, YYMMDDhhmmss
	Reason uint16
	At     int64  // unix nanoseconds: owed since
	Source uint16 // the center whose transaction it is; 0: our own
	// What its delivery moves in the totals: a total.Kind (0: nothing) by an amount, of a partial
	// reversal the difference, and DE 3, 49, 28 and 29 on the issuer's leg. Day 0: the issuer names
	// it. Of a reversal also the period of what it reverses.
	Moves                uint8
	Slice, OriginalSlice uint16
	Day, OriginalDay     uint32
	Amount               uint64
	Processing           uint32
	Currency             uint16
}

// Owed is an entry with the center it is owed to.
type Owed struct {
	Center uint16
	Entry
}

package index

import "cardswitch/store/journal"

// Note is what the index needs to know of one record.
type Note struct {
	Seq, Txn  uint64
	Segment   uint64 // first record of the segment it lies in
	Kind      journal.Kind
	Key       journal.Key
	Card      [16]byte
	Reference [12]byte
}

// NoteOf takes it from a record.
func NoteOf(r *journal.Record) Note {
	n := Note{Seq: r.Seq, Txn: r.Txn, Kind: r.Kind, Key: r.Key, Card: r.Card, Reference: r.Reference}
	if n.Txn == 0 {
		n.Txn = n.Seq
	}
	return n
}

// first: only the first record of a transaction is found by question, card and reference.
func (n *Note) first() bool { return n.Txn == n.Seq }

package index

import "cardswitch/store/journal"

// Note is what the index needs to know of one record.
type Note struct {
	Seq, Txn  uint64
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

// Near is how many records after its first the end of a transaction is looked for in the journal
// itself. Under the highest load a transaction ends within so many, and with less load at once; so
// the index has no key for the end of nearly all of them.
const Near = 4096

// near: the end of a transaction that is found without the index.
func (n *Note) near() bool { return n.Kind == journal.Closed && n.Seq-n.Txn <= Near }

// first: only the first record of a transaction is found by question, card and reference.
func (n *Note) first() bool { return n.Txn == n.Seq }

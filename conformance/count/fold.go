package count

import (
	"strings"

	"cardswitch/conformance/ledger"
	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/txn"
)

// Replayer is a store, or whatever else gives the journal's records in order.
type Replayer interface {
	Replay(from uint64, fn func(*journal.Record) error) error
}

// Dialects gives the format of an image by its registered number. Without it, whether the money
// goes to the cardholder is taken from the receipt.
type Dialects func(id uint16) (*spec.Dialect, error)

// PartlyApproved stands for an amount that only the messages tell, not the records.
const PartlyApproved = -1

// FromJournal folds the journal into what the switch believes, by retrieval reference number.
// The store must not be in use by a switch at the same time, unless it's that switch's own.
func FromJournal(r Replayer, dialects Dialects) (map[string]Entry, error) {
	f := fold{dialects: dialects, transactions: make(map[uint64]*transaction),
		owed: make(map[uint64]uint64)}
	if err := r.Replay(0, f.take); err != nil {
		return nil, err
	}
	return f.entries(), nil
}

// transaction is one transaction of the journal.
type transaction struct {
	seq    uint64
	rrn    string
	state  ledger.State
	live   int64
	credit bool
	undo   bool // a reversal: it moves nothing itself
	owed   int  // advices on their way
	shelf  int  // advices on the work list
}

type fold struct {
	dialects     Dialects
	transactions map[uint64]*transaction
	order        []*transaction
	owed         map[uint64]uint64 // advice → its transaction
}

func (f *fold) take(r *journal.Record) error {
	t := f.transactions[r.Txn]
	switch r.Kind {
	case journal.Opened:
		_, err := f.begin(r, ledger.Open)
		return err
	case journal.Settled:
		return f.settled(r)
	case journal.Closed:
		f.closed(t, r)
	case journal.StoodIn:
		return f.stoodIn(t, r)
	case journal.Adjusted:
		if t != nil && txn.Reason(r.Reason) == txn.PartReversed && t.live != PartlyApproved {
			t.live -= int64(r.Amount)
		}
	case journal.Reversed:
		if t != nil {
			t.state, t.live = ledger.Cancelled, 0
		}
	case journal.Delivered, journal.Shelved, journal.Resolved:
		f.ended(r)
	}
	return nil
}

func (f *fold) begin(r *journal.Record, state ledger.State) (*transaction, error) {
	t := &transaction{
		seq: r.Seq, state: state,
		rrn: strings.TrimRight(string(r.Reference[:]), " \x00"),
	}
	f.transactions[r.Seq] = t
	f.order = append(f.order, t)
	var err error
	t.credit, err = f.isCredit(r)
	return t, err
}

func (f *fold) settled(r *journal.Record) error {
	t, err := f.begin(r, ledger.Declined)
	t.undo = r.MTI.Class() == 4
	if r.Image(journal.Advice) != nil {
		f.owes(t, r.Seq)
		if !t.undo {
			t.state, t.live = ledger.Approved, int64(r.Amount)
		}
	}
	return err
}

// stoodIn takes a decision of stand-in, on a new request or on one that its issuer left unanswered.
func (f *fold) stoodIn(t *transaction, r *journal.Record) error {
	if t == nil {
		var err error
		if t, err = f.begin(r, ledger.Declined); err != nil {
			return err
		}
	}
	if r.Image(journal.Advice) != nil {
		f.owes(t, r.Seq)
	}
	if r.Action < 100 {
		t.state, t.live = ledger.Approved, int64(r.Amount)
	}
	return nil
}

func (f *fold) closed(t *transaction, r *journal.Record) {
	if t == nil {
		return
	}
	if r.Image(journal.Advice) != nil {
		f.owes(t, r.Seq)
	}
	switch {
	case t.state == ledger.Cancelled: // the merchant's reversal came before the answer
	case r.Action >= 100:
		t.state = ledger.Declined
	case r.Action == 2 || r.Action == 6:
		t.state, t.live = ledger.Approved, PartlyApproved
	default:
		t.state, t.live = ledger.Approved, int64(r.Amount)
	}
}

// isCredit reads the processing code, which only the message has. Of a message that was refused
// because it can't be read, nothing is known, and nothing moves.
func (f *fold) isCredit(r *journal.Record) (bool, error) {
	image := r.Image(journal.Request)
	if image == nil || f.dialects == nil {
		return false, nil
	}
	d, err := f.dialects(image.Dialect)
	if err != nil {
		return false, err
	}
	var m spec.Message
	if !d.Index(&m, image.Data).OK() {
		return false, nil
	}
	code, _ := m.Number(3)
	return code/100_000 == 2, nil
}

func (f *fold) owes(t *transaction, advice uint64) {
	t.owed++
	f.owed[advice] = t.seq
}

// ended takes an advice off what is owed; one that was shelved waits for a person until resolved.
func (f *fold) ended(r *journal.Record) {
	t := f.transactions[f.owed[r.Advice]]
	if t == nil && r.Kind == journal.Shelved { // it could not even be written
		if t = f.transactions[r.Txn]; t != nil {
			f.owes(t, r.Advice)
		}
	}
	if t == nil {
		return
	}
	switch r.Kind {
	case journal.Delivered:
		t.owed--
		delete(f.owed, r.Advice)
	case journal.Shelved:
		t.owed--
		t.shelf++
	case journal.Resolved:
		t.shelf--
		if txn.Reason(r.Reason) == txn.OperatorRetried {
			t.owed++
		}
	}
}

func (f *fold) entries() map[string]Entry {
	entries := make(map[string]Entry)
	for _, t := range f.order {
		if t.rrn == "" {
			continue
		}
		e, seen := entries[t.rrn]
		e.Txns = append(e.Txns, t.seq)
		e.Owed = e.Owed || t.owed > 0
		e.Shelf = e.Shelf || t.shelf > 0
		if !t.undo {
			// A refused question beside the real one, such as a 913, changes nothing about it.
			if !seen || e.State == "" || e.State == ledger.Declined {
				e.State, e.Credit = t.state, t.credit
			}
			if t.state == ledger.Approved {
				e.State, e.Live = ledger.Approved, e.Live+t.live
			}
		}
		entries[t.rrn] = e
	}
	for rrn, e := range entries {
		if e.State == "" { // only reversals, of something the switch never saw
			e.State = ledger.Declined
			entries[rrn] = e
		}
	}
	return entries
}

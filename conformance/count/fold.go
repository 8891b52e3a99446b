package count

import (
	"strings"
	"sync"

	"cardswitch/conformance/ledger"
	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/txn"
)

// Fold reads a switch's journal and keeps what it believes about each retrieval reference number. It
// takes the records in their order, as Replay or Follow give them, and may be read meanwhile.
type Fold struct {
	dialect func(id uint16) (*spec.Dialect, error)

	mu    sync.Mutex
	byRRN map[string]*Entry
	byTxn map[uint64]*Entry
	owed  map[uint64]*Entry // by the advice that is owed
}

// NewFold begins a fold. dialect gives the format of an image by its registered number.
func NewFold(dialect func(id uint16) (*spec.Dialect, error)) *Fold {
	return &Fold{dialect: dialect, byRRN: make(map[string]*Entry),
		byTxn: make(map[uint64]*Entry), owed: make(map[uint64]*Entry)}
}

// Add folds one record.
func (f *Fold) Add(r *journal.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.Kind {
	case journal.Opened:
		return f.opened(r)
	case journal.Closed:
		f.closed(r)
	case journal.Settled:
		return f.settled(r)
	case journal.Reversed:
		if e := f.byTxn[r.Txn]; e != nil {
			e.State, e.Live, e.Owed = ledger.Cancelled, 0, true
			f.owed[r.Advice] = e
		}
	case journal.Delivered:
		if e := f.owed[r.Advice]; e != nil {
			e.Owed = false
			delete(f.owed, r.Advice)
		}
	case journal.Shelved:
		if e := f.owed[r.Advice]; e != nil {
			e.Owed, e.Shelf = false, true
		}
	}
	return nil
}

// Entries is what the journal believes by now.
func (f *Fold) Entries() map[string]Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	entries := make(map[string]Entry, len(f.byRRN))
	for rrn, e := range f.byRRN {
		entries[rrn] = *e
	}
	return entries
}

// entry is that of the record's reference number, a new one if there is none yet.
func (f *Fold) entry(r *journal.Record) *Entry {
	rrn := strings.Trim(string(r.Reference[:]), " \x00")
	e := f.byRRN[rrn]
	if e == nil {
		e = &Entry{State: ledger.Declined}
		f.byRRN[rrn] = e
	}
	e.Txns = append(e.Txns, r.Seq)
	return e
}

func (f *Fold) opened(r *journal.Record) error {
	credit, err := f.isCredit(r)
	if err != nil {
		return err
	}
	e := f.entry(r)
	e.State, e.Credit = ledger.Open, credit
	f.byTxn[r.Seq] = e
	return nil
}

func (f *Fold) closed(r *journal.Record) {
	e := f.byTxn[r.Txn]
	if e == nil {
		return // one of the switch's own, as an echo test
	}
	switch {
	case r.Image(journal.Advice) != nil:
		e.State, e.Live, e.Owed = ledger.Reversed, 0, true
		f.owed[r.Seq] = e
	case e.State == ledger.Cancelled: // the merchant's reversal came first
	case r.Action < 100:
		e.State, e.Live = ledger.Approved, int64(r.Amount)
	default:
		e.State, e.Live = ledger.Declined, 0
	}
}

// settled folds what was answered at once: of those, only an advice that was kept moves money. A
// reversal tells by its own Reversed record what it undid.
func (f *Fold) settled(r *journal.Record) error {
	class := r.MTI.Class()
	if r.Reference == [12]byte{} || class != 1 && class != 2 {
		return nil
	}
	e := f.entry(r)
	if txn.Reason(r.Reason) != txn.AdviceKept {
		return nil
	}
	credit, err := f.isCredit(r)
	e.State, e.Live, e.Owed, e.Credit = ledger.Approved, int64(r.Amount), true, credit
	f.byTxn[r.Seq], f.owed[r.Seq] = e, e
	return err
}

// isCredit reads the processing code, which only the message has.
func (f *Fold) isCredit(r *journal.Record) (bool, error) {
	image := r.Image(journal.Request)
	if image == nil {
		return false, nil
	}
	d, err := f.dialect(image.Dialect)
	if err != nil {
		return false, err
	}
	var m spec.Message
	if fault := d.Index(&m, image.Data); !fault.OK() {
		return false, fault.Err()
	}
	code, _ := m.Number(3)
	return code/10_000 >= 20 && code/10_000 < 30, nil
}

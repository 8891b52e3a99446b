package cardswitch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"cardswitch/store"
	"cardswitch/store/journal"
)

// When a site is lost and another one is promoted, what the lost one did last is missing here: the
// window. Once a disk of it is found, its journal is laid beside this one. Each transaction beyond
// what both have in common is told with what became of it there and here; taken in, those that are
// clear go on as a restart of the lost site would have had them go on, and those in doubt come onto
// the work list.

// Window is what a lost site had more.
type Window struct {
	Common       uint64         `json:"common"` // the last record that both journals have
	Last         uint64         `json:"last"`   // of the lost one
	Records      int            `json:"records"`
	Transactions []Lost         `json:"transactions"`
	Others       map[string]int `json:"others"` // records that are of no transaction, by kind
	Doubtful     int            `json:"doubtful"`
	Taken        int            `json:"taken"` // now
}

// Lost is one transaction of the window. Its numbers are those of the lost journal.
type Lost struct {
	Txn      uint64    `json:"txn"`
	At       time.Time `json:"at"`
	Center   string    `json:"center"`
	Issuer   string    `json:"issuer,omitempty"`
	MTI      string    `json:"mti"`
	PAN      string    `json:"pan,omitempty"` // masked
	Amount   uint64    `json:"amount,omitempty"`
	RRN      string    `json:"rrn,omitempty"`
	STAN     string    `json:"stan,omitempty"`
	There    string    `json:"there"`
	Here     string    `json:"here"`
	Act      string    `json:"act"` // what is to be done, or was
	Doubtful bool      `json:"doubtful"`
	Taken    uint64    `json:"taken,omitempty"` // its number here
}

// lost is one with its records, as far as they are beyond what is common.
type lost struct {
	Lost
	records []journal.Record
	closed  *journal.Record // nil: not there
	sent    bool            // its request went to the issuer
	stood   *journal.Record // the approval of stand-in
	known   uint64          // here: its transaction, 0: none
	plan    plan
	keyless bool // its question is another's here
	stands  bool // it was taken in before, and what followed on it follows on that
}

// begun tells that it began after what is common.
func (one *lost) begun() bool { return one.records[0].Seq == one.Txn }

// plan is what a transaction of the window needs.
type plan uint8

const (
	nothing  plan = iota
	takeIn        // as it is: it stands here as it did there
	finish        // it was open: answered and reversed, as after a restart
	undo          // a reversal, as its merchant has reversed it
	undoIf        // a reversal, if a person says so: it was asked again here
	affirm        // an advice that it stands after all, if a person says so: it isn't approved here
	passOnIf      // as takeIn, if a person says so: its original doesn't bear it here
)

func (p plan) String() string {
	return [...]string{"nothing to do", "take it into the books", "answer and reverse it",
		"reverse it",
		"for people: reverse it, unless the issuer took both for one",
		"for people: tell the issuer that it stands, or call the merchant",
		"for people: pass it on, or settle it with both: its original doesn't bear it here"}[p]
}

// forPeople tells whether somebody must decide.
func (p plan) forPeople() bool { return p == undoIf || p == affirm || p == passOnIf }

// mostWindow is how many records are taken into memory.
const mostWindow = 1 << 20

// Window reads the data directory of a lost node, and says of each transaction that is only there
// what became of it. With take it is also done; then by says who wants it and why.
func (s *Switch) Window(dir string, take bool, by Resolution) (*Window, error) {
	if take {
		s.taking.Lock()
		defer s.taking.Unlock()
	}
	f, err := s.store.OpenFound(dir)
	if err != nil {
		return nil, err
	}
	w := &Window{Others: make(map[string]int), Transactions: []Lost{}}
	v := &reading{Switch: s, found: f, window: w, of: make(map[uint64]*lost),
		sequels: make(map[uint64][]*journal.Record)}
	err = v.read()
	if err == nil && take {
		err = v.take(by)
	}
	for _, one := range v.list {
		w.Transactions = append(w.Transactions, one.Lost)
		if one.Doubtful {
			w.Doubtful++
		}
	}
	return w, errors.Join(err, f.Close())
}

// reading is a window on its way: the lost journal laid beside this one.
type reading struct {
	*Switch
	found   *store.Found
	window  *Window
	list    []*lost // in the order in which they began or went on
	of      map[uint64]*lost
	sequels map[uint64][]*journal.Record // see followed
}

func (v *reading) read() (err error) {
	w := v.window
	if w.Common, err = v.found.Common(); err != nil {
		return err
	}
	w.Last = w.Common
	err = v.found.Beyond(w.Common, func(r *journal.Record) error {
		w.Last = r.Seq
		if w.Records++; w.Records > mostWindow {
			return fmt.Errorf("more than %d records are only there; ask for help", mostWindow)
		}
		if !ofMoney(r) {
			w.Others[r.Kind.String()]++
			return nil
		}
		one := v.of[r.Txn]
		if one == nil {
			one = &lost{Lost: Lost{Txn: r.Txn}}
			v.of[r.Txn], v.list = one, append(v.list, one)
		}
		one.records = append(one.records, r.Clone())
		return nil
	})
	if err != nil {
		return err
	}
	v.followed()
	for _, one := range v.list {
		if err := v.judge(one); err != nil {
			return fmt.Errorf("transaction %d of the lost journal: %w", one.Txn, err)
		}
	}
	return nil
}

// followed gathers the records by which a transaction changed another one, by the number of the
// later of the two.
func (v *reading) followed() {
	for _, one := range v.list {
		for i := range one.records {
			if r := &one.records[i]; isSequel(r) {
				last := max(r.Txn, r.Advice)
				v.sequels[last] = append(v.sequels[last], r)
			}
		}
	}
}

func isSequel(r *journal.Record) bool {
	return r.Kind == journal.Reversed && r.Seq != r.Txn || r.Kind == journal.Adjusted
}

// ofMoney tells records of transactions from those of links, days, lists and files.
func ofMoney(r *journal.Record) bool {
	switch r.Kind {
	case journal.Opened, journal.Closed, journal.Settled, journal.Delivered, journal.Shelved,
		journal.Late, journal.Moved, journal.Repeated, journal.Resolved, journal.Reversed,
		journal.StoodIn, journal.Sent, journal.Adjusted:
		return r.MTI.Class() != 8 && (r.Txn != 0 || r.Seq != 0)
	}
	return false
}

// known tells whether all names in some records stand for the same here.
func known(f *store.Found, records []journal.Record) bool {
	for i := range records {
		r := &records[i]
		if !f.Knows(r.Center) || !f.Knows(r.Dest) || !f.Knows(r.Key.Center()) {
			return false
		}
		for n := range r.Images[:r.ImageCount] {
			if !f.Knows(r.Images[n].Link) || !f.Knows(r.Images[n].Dialect) {
				return false
			}
		}
	}
	return true
}

// familyTaken begins the keys beside the journal that say what of a window was taken in: the last
// common record, the lost journal's number and the time. The value is the number here.
const familyTaken = 'w'

func (v *reading) takenKey(one *lost) []byte {
	key := binary.BigEndian.AppendUint64([]byte{familyTaken}, v.window.Common)
	key = binary.BigEndian.AppendUint64(key, one.Txn)
	return binary.BigEndian.AppendUint64(key, uint64(one.records[0].At))
}

package cardswitch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/switch/txn"
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
	known   uint64          // here: its transaction, 0: none
	plan    plan
	keyless bool // its question is another's here
}

// plan is what a transaction of the window needs.
type plan uint8

const (
	nothing plan = iota
	takeIn       // as it is: it stands here as it did there
	finish       // it was open: answered and reversed, as after a restart
	undo         // a reversal, as its merchant has reversed it
	undoIf       // a reversal, if a person says so: it was asked again here
	affirm       // an advice that it stands after all, if a person says so: it was reversed here
)

func (p plan) String() string {
	return [...]string{"nothing to do", "take it into the books", "answer and reverse it",
		"reverse it",
		"for people: reverse it, unless the issuer took both for one",
		"for people: tell the issuer that it stands, or call the merchant"}[p]
}

// mostWindow is how many records are taken into memory.
const mostWindow = 1 << 20

// Window reads the data directory of a lost node, and says of each transaction that is only there
// what became of it. With take it is also done; then by says who wants it and why.
func (s *Switch) Window(dir string, take bool, by Resolution) (*Window, error) {
	f, err := s.store.OpenFound(dir)
	if err != nil {
		return nil, err
	}
	w, list, err := s.readWindow(f)
	if err == nil && take {
		err = s.takeWindow(f, w, list, by)
	}
	for _, one := range list {
		w.Transactions = append(w.Transactions, one.Lost)
		if one.Doubtful {
			w.Doubtful++
		}
	}
	return w, errors.Join(err, f.Close())
}

func (s *Switch) readWindow(f *store.Found) (*Window, []*lost, error) {
	w := &Window{Others: make(map[string]int), Transactions: []Lost{}}
	var err error
	if w.Common, err = f.Common(); err != nil {
		return w, nil, err
	}
	w.Last = w.Common
	var list []*lost
	of := make(map[uint64]*lost)
	err = f.Beyond(w.Common, func(r *journal.Record) error {
		w.Last = r.Seq
		if w.Records++; w.Records > mostWindow {
			return fmt.Errorf("more than %d records are only there; ask for help", mostWindow)
		}
		if !ofMoney(r) {
			w.Others[r.Kind.String()]++
			return nil
		}
		one := of[r.Txn]
		if one == nil {
			one = &lost{Lost: Lost{Txn: r.Txn}}
			of[r.Txn], list = one, append(list, one)
		}
		one.records = append(one.records, r.Clone())
		return nil
	})
	if err != nil {
		return w, nil, err
	}
	for _, one := range list {
		if err := s.judgeLost(f, w, one); err != nil {
			return w, nil, fmt.Errorf("transaction %d of the lost journal: %w", one.Txn, err)
		}
	}
	return w, list, nil
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

// judgeLost says what became of a transaction there and here, and what it needs.
func (s *Switch) judgeLost(f *store.Found, w *Window, one *lost) error {
	first := &one.records[0]
	isNew := first.Seq == one.Txn
	for i := range one.records {
		switch r := &one.records[i]; {
		case r.Kind == journal.Closed:
			one.closed = r
		case r.Kind == journal.Opened:
			one.sent = txn.Reason(r.Reason) != txn.HeldForCard
		case r.Kind == journal.Sent:
			one.sent = true
		}
	}
	if !isNew {
		own, err := s.store.Record(one.Txn)
		if err != nil {
			return err
		}
		first = &own
	}
	one.describe(f, first)
	taken, ok, err := s.store.Get(s.takenKey(w, one))
	switch {
	case err != nil:
		return err
	case ok && len(taken) == 8:
		one.There, one.Here, one.Act = one.outcome(first), "taken in before", plan(nothing).String()
		one.Taken = binary.BigEndian.Uint64(taken)
		return nil
	case isNew:
		err = s.judgeNew(one, first)
	default:
		err = s.judgeOld(one, first)
	}
	if !known(f, one.records) && one.plan != nothing {
		one.plan, one.Doubtful = nothing, true
		one.Here += "; it has names (a center, link or format) that are unknown here"
	}
	one.Act = one.plan.String()
	one.Doubtful = one.Doubtful || one.plan == undoIf || one.plan == affirm
	return err
}

func (one *lost) describe(f *store.Found, first *journal.Record) {
	one.At, one.MTI = time.Unix(0, first.At), first.MTI.String()
	one.Center, one.Issuer = f.Name(first.Center), f.Name(first.Dest)
	one.Amount, one.RRN = first.Amount, strings.TrimRight(string(first.Reference[:]), " \x00")
	if first.STAN != 0 {
		one.STAN = fmt.Sprintf("%06d", first.STAN)
	}
	if !first.PAN.IsZero() {
		one.PAN = first.PAN.String()
	}
}

// outcome is what became of it there, in words.
func (one *lost) outcome(first *journal.Record) string {
	switch c := one.closed; {
	case first.Kind == journal.Settled && first.Image(journal.Advice) != nil:
		return "taken, to be passed on"
	case first.Kind == journal.Settled:
		return fmt.Sprintf("answered %03d by the switch", first.Action)
	case first.Kind == journal.StoodIn:
		return fmt.Sprintf("stand-in answered %03d", first.Action)
	case first.Kind == journal.Reversed:
		return "reversed before it came"
	case c == nil && first.Kind == journal.Opened && !one.sent && first.Seq == one.records[0].Seq:
		return "not yet sent"
	case c == nil && first.Seq == one.records[0].Seq:
		return "sent, not answered"
	case c == nil:
		return "went on"
	case c.Image(journal.Advice) != nil:
		return fmt.Sprintf("answered %03d by the switch, and reversed", c.Action)
	case one.approved():
		return fmt.Sprintf("approved with %03d", c.Action)
	default:
		return fmt.Sprintf("declined with %03d", c.Action)
	}
}

// approved tells that the issuer's approval went to the merchant, or was about to.
func (one *lost) approved() bool {
	c := one.closed
	return c != nil && txn.Approves(int(c.Action)) && c.Image(journal.Advice) == nil
}

// judgeNew is about one that began after what is common.
func (s *Switch) judgeNew(one *lost, first *journal.Record) error {
	one.There = one.outcome(first)
	again, err := s.askedHere(one, first.Key)
	if err != nil {
		return err
	}
	switch {
	case first.Kind == journal.Settled && first.Image(journal.Advice) == nil,
		first.Kind == journal.Opened && !one.sent && one.closed == nil:
		return nil // nothing left the lost site but an answer
	case first.Kind != journal.Opened && one.known == 0:
		one.plan = takeIn
	case first.Kind == journal.Reversed || first.MTI.Class() == 4:
		return nil // both sites undo it
	case one.closed != nil && !one.approved():
		if one.closed.Image(journal.Advice) != nil { // the reversal that it owes
			one.plan, one.keyless = takeIn, one.known != 0
		}
	case one.known == 0 && one.approved():
		one.plan = takeIn
	case one.known == 0:
		one.plan = finish
	case !again:
		one.plan = undo
	default:
		one.plan = undoIf
	}
	return nil
}

// askedHere looks for the question here; again: it was asked again, not only reversed.
func (s *Switch) askedHere(one *lost, k journal.Key) (again bool, err error) {
	one.Here = "unknown"
	if k.IsZero() {
		return false, nil
	}
	number, ok, err := s.store.Find(k)
	if err != nil || !ok {
		return false, err
	}
	r, err := s.store.Record(number)
	if err != nil {
		return false, err
	}
	one.known = number
	if r.Kind == journal.Reversed {
		one.Here = fmt.Sprintf("its merchant reversed it, record %d", number)
		return false, nil
	}
	one.Here = fmt.Sprintf("asked again as %d", number)
	return true, nil
}

// judgeOld is about one that both sites knew, and that went on at the lost one.
func (s *Switch) judgeOld(one *lost, first *journal.Record) error {
	one.There, one.Here = one.outcome(first), "went on by itself"
	if !one.approved() {
		return nil
	}
	reversed := slices.ContainsFunc(one.records, func(r journal.Record) bool {
		return r.Kind == journal.Reversed
	})
	if here, err := s.reversedHere(first); err != nil || here || reversed {
		one.Here = "its merchant reversed it"
		return err
	}
	records, err := s.store.Transaction(one.Txn)
	if err != nil {
		return err
	}
	for i := range records {
		if r := &records[i]; r.Kind == journal.Closed && r.Image(journal.Advice) != nil {
			one.Here, one.plan = fmt.Sprintf("answered %03d, and reversed", r.Action), affirm
		}
	}
	return nil
}

// reversedHere tells whether a merchant's reversal with a transaction's reference came here: it may
// have found nothing left to reverse, and so not be noted there.
func (s *Switch) reversedHere(of *journal.Record) (bool, error) {
	rrn := strings.TrimRight(string(of.Reference[:]), " \x00")
	found, err := s.store.FindReference(rrn, 16)
	for _, number := range found {
		r, err := s.store.Record(number)
		if err != nil {
			return false, err
		}
		if r.MTI.Class() == 4 && r.Center == of.Center && r.Kind == journal.Settled {
			return true, nil
		}
	}
	return false, err
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

func (s *Switch) takenKey(w *Window, one *lost) []byte {
	key := binary.BigEndian.AppendUint64([]byte{familyTaken}, w.Common)
	key = binary.BigEndian.AppendUint64(key, one.Txn)
	return binary.BigEndian.AppendUint64(key, uint64(one.records[0].At))
}

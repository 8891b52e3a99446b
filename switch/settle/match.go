package settle

import (
	"cmp"
	"fmt"
	"slices"

	"cardswitch/spec"
	"cardswitch/store/total"
)

// Ours is one transaction of the switch on a center's leg: what it moved, if it moved anything.
type Ours struct {
	Leg
	Txn      uint64
	Kind     total.Kind // None: it counted in no total
	Amount   uint64
	Currency uint16
	Day      Day
	Slice    uint16
	Note     string // how it stands with us, where it didn't count
	Undoing  string // and, of what was never answered, how its reversal stands
}

// Difference is one transaction of which the two books don't say the same.
type Difference struct {
	ID       uint64 `json:"id,omitempty"` // on the work list
	Center   string `json:"center,omitempty"`
	Day      string `json:"day"`
	MTI      string `json:"mti"`
	STAN     string `json:"stan"`
	Local    string `json:"local_time"`
	Txn      uint64 `json:"txn,omitempty"` // in our journal; 0: not there
	Line     int    `json:"line,omitempty"`
	Kind     string `json:"kind"`
	Ours     uint64 `json:"ours"` // amounts; zero where it isn't in the book
	Theirs   uint64 `json:"theirs"`
	Currency uint16 `json:"currency"`
	Cause    string `json:"cause"`
	Why      string `json:"why,omitempty"`
}

// The causes.
const (
	OnlyOurs      = "only with us"
	OnlyTheirs    = "only with them"
	OtherAmount   = "amount differs"
	OtherCurrency = "currency differs"
	OtherPeriod   = "other period"
	OtherKind     = "counted otherwise"
	Duplicate     = "duplicate"
	ReversedOurs  = "reversed with us only"
	ReversedThem  = "reversed with them only"
	LateApproved  = "late approval"
)

// Scope is what a comparison is about.
type Scope struct {
	Day      Day
	Slice    uint16 // 0: the whole day
	Currency uint16 // of entries that name none
}

// Matcher compares a center's listing with what our journal says, told record by record.
type Matcher struct {
	scope   Scope
	listed  map[Leg]*listed
	Theirs  map[uint16]*total.Sums // what the listing comes to, by currency
	Ours    map[uint16]*total.Sums // and what we counted
	Slices  map[uint16]*[2]total.Sums
	Entries int
	found   []Difference
}

type listed struct {
	first Entry
	again []Entry // of the same transaction
	txn   uint64  // ours; 0: not there
	seen  bool    // we counted it in the period
	other Ours    // what we know of it otherwise
}

// NewMatcher compares within a scope.
func NewMatcher(scope Scope) *Matcher {
	return &Matcher{scope: scope, listed: make(map[Leg]*listed), Theirs: make(map[uint16]*total.Sums),
		Ours: make(map[uint16]*total.Sums), Slices: make(map[uint16]*[2]total.Sums)}
}

// List takes an entry of the listing. One of another day or slice is passed over.
func (m *Matcher) List(e Entry) error {
	if e.Day != 0 && e.Day != m.scope.Day ||
		e.Slice != 0 && m.scope.Slice != 0 && e.Slice != m.scope.Slice {
		return nil
	}
	e.Day, e.Currency = m.scope.Day, cmp.Or(e.Currency, m.scope.Currency)
	m.Entries++
	sumsOf(m.Theirs, e.Currency).Add(e.Kind(), e.Amount)
	m.slice(e.Slice)[1].Add(e.Kind(), e.Amount)
	if before := m.listed[e.Leg]; before != nil {
		before.again = append(before.again, e)
		return nil
	}
	m.listed[e.Leg] = &listed{first: e}
	return nil
}

func sumsOf(of map[uint16]*total.Sums, currency uint16) *total.Sums {
	if of[currency] == nil {
		of[currency] = new(total.Sums)
	}
	return of[currency]
}

func (m *Matcher) slice(n uint16) *[2]total.Sums {
	if m.Slices[n] == nil {
		m.Slices[n] = new([2]total.Sums)
	}
	return m.Slices[n]
}

// Journal takes a transaction as it ended with us, or as it stands.
func (m *Matcher) Journal(o Ours) {
	counts := o.Kind != total.None && o.Day == m.scope.Day &&
		(m.scope.Slice == 0 || o.Slice == m.scope.Slice)
	l := m.listed[o.Leg]
	if l != nil {
		l.txn = o.Txn
	}
	if !counts {
		if l != nil && l.other.Kind == total.None {
			l.other = o
		}
		return
	}
	sumsOf(m.Ours, o.Currency).Add(o.Kind, o.Amount)
	m.slice(o.Slice)[0].Add(o.Kind, o.Amount)
	if l == nil {
		d := Difference{Txn: o.Txn, Ours: o.Amount, Cause: OnlyOurs, Why: "they don't have it"}
		if o.Kind.Reversed() != total.None {
			d.Cause, d.Why = ReversedOurs, "they accepted the reversal and don't have it"
		}
		m.differ(d, o.Leg, o.Kind, o.Currency)
		return
	}
	l.seen = true
	d := Difference{Txn: o.Txn, Line: l.first.Line, Ours: o.Amount, Theirs: l.first.Amount}
	switch theirs := l.first.Kind(); {
	case theirs != o.Kind:
		d.Cause, d.Why = OtherKind, fmt.Sprintf("%v with us, %v with them", o.Kind, theirs)
	case l.first.Currency != o.Currency:
		d.Cause = OtherCurrency
		d.Why = fmt.Sprintf("%03d with us, %03d with them", o.Currency, l.first.Currency)
	case o.Kind.HasAmount() && l.first.Amount != o.Amount:
		d.Cause = OtherAmount
		d.Why = fmt.Sprintf("%d with us, %d with them", o.Amount, l.first.Amount)
	default:
		return
	}
	m.differ(d, o.Leg, o.Kind, o.Currency)
}

func (m *Matcher) differ(d Difference, l Leg, k total.Kind, currency uint16) {
	d.Day, d.MTI, d.Kind, d.Currency = m.scope.Day.String(), l.MTI.String(), k.String(), currency
	d.STAN, d.Local = fmt.Sprintf("%06d", l.STAN), fmt.Sprintf("%012d", l.LocalTime)
	m.found = append(m.found, d)
}

// Differences are what the two books don't agree on, when both were told: by local time, then trace
// number.
func (m *Matcher) Differences() []Difference {
	for leg, l := range m.listed {
		for _, e := range l.again {
			m.differ(Difference{Txn: l.txn, Line: e.Line, Theirs: e.Amount, Cause: Duplicate,
				Why: fmt.Sprintf("also in line %d", l.first.Line)}, leg, e.Kind(), e.Currency)
		}
		if l.seen {
			continue
		}
		e, o := &l.first, &l.other
		d := Difference{Txn: o.Txn, Line: e.Line, Theirs: e.Amount, Cause: OnlyTheirs}
		switch {
		case o.Kind != total.None:
			d.Cause, d.Ours = OtherPeriod, o.Amount
			d.Why = fmt.Sprintf("it counts in %v, slice %d, with us", o.Day, o.Slice)
		case o.Txn == 0:
			d.Why = "our journal doesn't have it"
		case e.Kind().Reversed() != total.None:
			d.Cause, d.Why = ReversedThem, o.Note
		case o.Note == NoteTimedOut:
			d.Cause, d.Why = LateApproved, "no answer came with us, and it was reversed"
			if o.Undoing != "" {
				d.Why = "no answer came with us; its reversal " + o.Undoing
			}
		default:
			d.Why = o.Note
		}
		m.differ(d, leg, e.Kind(), e.Currency)
	}
	slices.SortFunc(m.found, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.Local, b.Local), cmp.Compare(a.STAN, b.STAN),
			cmp.Compare(a.MTI, b.MTI), cmp.Compare(a.Line, b.Line))
	})
	return m.found
}

// NoteTimedOut is how a transaction stands whose answer never came.
const NoteTimedOut = "unanswered, reversed"

// LegOf is the leg of a message of ours or of its answer.
func LegOf(m spec.MTI, stan uint32, localTime uint64) Leg {
	m = m.Original()
	if m.IsResponse() {
		m -= 0x10
	}
	return Leg{m, stan, localTime}
}

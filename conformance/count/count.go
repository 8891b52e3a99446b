// Package count lays receipts, journal and ledgers side by side and names every difference.
//
// The three books share nothing but the retrieval reference number. Zero lost, zero double, zero
// unexplained: a test that moved money ends here.
package count

import (
	"cmp"
	"maps"
	"slices"

	"cardswitch/conformance/ledger"
)

// Books are the three sides. Switch may be nil where no switch stood between the two.
type Books struct {
	Receipts []ledger.Receipt
	Switch   map[string]Entry // by retrieval reference number
	Issuers  map[string][]ledger.Posting
}

// Entry is what the switch's journal says about one reference number.
type Entry struct {
	State  ledger.State `json:"state"`
	Live   int64        `json:"live"`
	Credit bool         `json:"credit,omitempty"`
	Owed   bool         `json:"owed,omitempty"`  // an advice or reversal is still on its way
	Shelf  bool         `json:"shelf,omitempty"` // it waits on the work list for a person
	Txns   []uint64     `json:"txns"`            // the journal's transactions
}

// Kind is what is wrong with a reference number.
type Kind string

const (
	Lost     Kind = "lost"     // the shop counts on money that no issuer posted
	Double   Kind = "double"   // more than one posting stands
	Orphan   Kind = "orphan"   // an issuer posted what the shop doesn't count on
	Amount   Kind = "amount"   // both sides post, but not the same
	Unknown  Kind = "unknown"  // the shop never learned what became of it
	Stranger Kind = "stranger" // an issuer knows a reference that no shop gave
	Conflict Kind = "conflict" // one message key came with two contents
	Journal  Kind = "journal"  // the switch believes something else than the shop
	Twice    Kind = "twice"    // one reference number on two receipts
)

// Difference is one reference number on which the books disagree.
type Difference struct {
	RRN      string                      `json:"rrn"`
	Kind     Kind                        `json:"kind"`
	Why      string                      `json:"why"`
	Owed     bool                        `json:"owed,omitempty"` // explained: the switch still owes it
	Receipt  *ledger.Receipt             `json:"receipt,omitempty"`
	Switch   *Entry                      `json:"switch,omitempty"`
	Postings map[string][]ledger.Posting `json:"postings,omitempty"`
}

// Sum is the money of one side.
type Sum struct {
	Sales, Returns, Holds                   int
	SalesAmount, ReturnsAmount, HoldsAmount int64
}

// Report is the result of a count.
type Report struct {
	Transactions int            `json:"transactions"`
	States       map[string]int `json:"states"` // receipts by state
	Receipts     Sum            `json:"receipts"`
	Switch       Sum            `json:"switch"`
	Issuers      Sum            `json:"issuers"`
	Reversed     int            `json:"reversed"` // postings that were undone
	Repeats      int            `json:"repeats"`  // repeats that issuers answered from the ledger
	Differences  []Difference   `json:"differences,omitempty"`
}

// OK reports whether the books agree, save for what the switch still owes and knows it does.
func (r *Report) OK() bool { return r.Unexplained() == 0 }

// Unexplained is the number of differences that nothing explains.
func (r *Report) Unexplained() int {
	n := 0
	for _, d := range r.Differences {
		if !d.Owed {
			n++
		}
	}
	return n
}

// Of is the number of differences of one kind.
func (r *Report) Of(k Kind) int {
	n := 0
	for _, d := range r.Differences {
		if d.Kind == k {
			n++
		}
	}
	return n
}

// standing is one posting that stands, with the issuer that holds it.
type standing struct {
	issuer string
	ledger.Posting
}

// page is everything known under one reference number.
type page struct {
	rrn      string
	receipts []ledger.Receipt
	entry    *Entry
	postings map[string][]ledger.Posting
	stands   []standing
	conflict bool
}

// Count compares the books, number by number.
func (b Books) Count() *Report {
	r := &Report{States: make(map[string]int)}
	pages := b.pages(r)
	r.Transactions = len(pages)
	for _, rrn := range slices.Sorted(maps.Keys(pages)) {
		p := pages[rrn]
		for _, rc := range p.receipts {
			r.States[string(rc.State)]++
			if rc.State == ledger.Approved {
				r.Receipts.add(rc.Money(), rc.Credit(), rc.Live)
			}
		}
		for _, s := range p.stands {
			r.Issuers.add(s.Money(), s.Credit(), s.Live)
		}
		if kind, why := p.judge(b.Switch != nil); kind != "" {
			r.Differences = append(r.Differences, p.difference(kind, why))
		}
	}
	slices.SortStableFunc(r.Differences, func(a, b Difference) int {
		return cmp.Compare(a.Kind, b.Kind)
	})
	return r
}

func (b Books) pages(r *Report) map[string]*page {
	pages := make(map[string]*page, len(b.Receipts))
	at := func(rrn string) *page {
		if pages[rrn] == nil {
			pages[rrn] = &page{rrn: rrn, postings: make(map[string][]ledger.Posting)}
		}
		return pages[rrn]
	}
	for _, rc := range b.Receipts {
		at(rc.RRN).receipts = append(at(rc.RRN).receipts, rc)
	}
	for issuer, postings := range b.Issuers {
		for _, p := range postings {
			pg := at(p.RRN)
			pg.postings[issuer] = append(pg.postings[issuer], p)
			pg.conflict = pg.conflict || p.Conflicts > 0
			r.Repeats += p.Repeats
			switch p.State {
			case ledger.Approved:
				pg.stands = append(pg.stands, standing{issuer, p})
			case ledger.Reversed:
				r.Reversed++
			}
		}
	}
	for rrn, e := range b.Switch {
		pg := at(rrn)
		pg.entry = &e
		if e.State != ledger.Approved {
			continue
		}
		// What kind of money it is, and how much of it in part, the records don't say: the receipt does.
		money, credit, live := true, e.Credit, e.Live
		if len(pg.receipts) > 0 {
			rc := &pg.receipts[0]
			money, credit = rc.Money(), rc.Credit()
			if live == PartlyApproved {
				live = rc.Live
			}
		}
		r.Switch.add(money, credit, live)
	}
	return pages
}

func (s *Sum) add(money, credit bool, amount int64) {
	switch {
	case !money:
		s.Holds++
		s.HoldsAmount += amount
	case credit:
		s.Returns++
		s.ReturnsAmount += amount
	default:
		s.Sales++
		s.SalesAmount += amount
	}
}

func (p *page) difference(kind Kind, why string) Difference {
	d := Difference{RRN: p.rrn, Kind: kind, Why: why, Switch: p.entry, Postings: p.postings}
	if len(p.receipts) > 0 {
		d.Receipt = &p.receipts[0]
	}
	// What the switch still owes explains a posting that isn't undone yet and an advice that isn't
	// posted yet, but never a double posting or a contradiction.
	owes := p.entry != nil && (p.entry.Owed || p.entry.Shelf)
	d.Owed = owes && (kind == Orphan || kind == Lost || kind == Unknown)
	return d
}

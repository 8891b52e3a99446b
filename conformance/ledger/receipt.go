// Package ledger keeps what merchants and issuers of a test believe about the money.
//
// A merchant's receipts and an issuer's postings are two books written by two parties that
// only share the retrieval reference number. Package count lays them beside the journal.
package ledger

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Kind is the business a receipt is about.
type Kind string

const (
	Sale          Kind = "sale"          // 1200: approve and post
	Return        Kind = "return"        // 1200 with processing code 20: money goes back
	Authorization Kind = "authorization" // 1100: approve, nothing posted
	Completion    Kind = "completion"    // 1220: the sale of an earlier authorization
	Offline       Kind = "offline"       // 1220: a sale that the terminal approved
	Validity      Kind = "validity"      // 1100 with function code 108: is the card good?
)

// Receipt is what a shop believes about one transaction.
type Receipt struct {
	RRN       string    `json:"rrn"`
	Kind      Kind      `json:"kind"`
	Key       string    `json:"key"` // MTI, STAN, local time and acquirer of the message
	Shop      string    `json:"shop"`
	Card      string    `json:"card"` // masked
	Amount    int64     `json:"amount"`
	Live      int64     `json:"live"` // what the shop counts on, without sign
	State     State     `json:"state"`
	Action    string    `json:"action,omitempty"`
	Approval  string    `json:"approval,omitempty"`
	Repeats   int       `json:"repeats,omitempty"`
	Reversals int       `json:"reversals,omitempty"` // reversal messages sent for it
	Sent      time.Time `json:"sent"`
	Done      time.Time `json:"done,omitzero"`

	Day     string `json:"day,omitempty"`     // business day that its answer named (DE 28), YYMMDD
	Undone  int64  `json:"undone,omitempty"`  // what was taken back of an approved amount
	UndoDay string `json:"undoDay,omitempty"` // business day of that
}

// Money reports whether the receipt moves money.
func (r *Receipt) Money() bool { return r.Kind != Authorization && r.Kind != Validity }

// Credit reports whether the money goes to the cardholder.
func (r *Receipt) Credit() bool { return r.Kind == Return }

// Receipts is the book of one merchant center.
type Receipts struct {
	// Keep bounds the book for endless runs: the oldest are forgotten. 0 keeps all.
	Keep int

	mu    sync.Mutex
	byRRN map[string]*Receipt
	order []string
}

// NewReceipts returns an empty book.
func NewReceipts() *Receipts { return &Receipts{byRRN: make(map[string]*Receipt)} }

// Add writes a new receipt.
func (b *Receipts) Add(r Receipt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.byRRN[r.RRN] = &r
	b.order = append(b.order, r.RRN)
	if b.Keep > 0 && len(b.order) > b.Keep {
		delete(b.byRRN, b.order[0])
		b.order = b.order[1:]
	}
}

// Change lets fn alter a receipt and returns it as it then stands.
func (b *Receipts) Change(rrn string, fn func(*Receipt)) Receipt {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.byRRN[rrn]
	if r == nil {
		return Receipt{RRN: rrn}
	}
	fn(r)
	return *r
}

// Get is the receipt with this reference number.
func (b *Receipts) Get(rrn string) (Receipt, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.byRRN[rrn]; r != nil {
		return *r, true
	}
	return Receipt{}, false
}

// All is a copy of the book, in the order of writing.
func (b *Receipts) All() []Receipt {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Receipt, 0, len(b.order))
	for _, rrn := range b.order {
		list = append(list, *b.byRRN[rrn])
	}
	return list
}

// Write exports the book as JSON.
func (b *Receipts) Write(w io.Writer) error { return write(w, b.All()) }

// ReadReceipts reads an exported book.
func ReadReceipts(r io.Reader) ([]Receipt, error) {
	var list []Receipt
	err := json.NewDecoder(r).Decode(&list)
	return list, err
}

// counts is where a receipt counts, as its issuer would count it.
func (r *Receipt) counts() Bucket {
	switch r.Kind {
	case Return:
		return Credit
	case Authorization, Validity:
		return Authorized
	}
	return Debit
}

// Totals adds up what counts in a business day: what was approved in it, and what was taken back in
// it.
func (b *Receipts) Totals(day string) Totals {
	t := make(Totals)
	for _, r := range b.All() {
		if r.Day == day && (r.State == Approved || r.State == Cancelled || r.Undone > 0) {
			t.add(r.counts(), r.Live+r.Undone)
		}
		if r.Undone > 0 && r.UndoDay == day {
			t.add(r.counts().Reversal(), r.Undone)
		}
	}
	return t
}

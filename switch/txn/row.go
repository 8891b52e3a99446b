package txn

import (
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/vault"
)

// Kind is what a row waits for.
type Kind uint8

const (
	// Forwarded: a merchant's request that was forwarded and waits for the issuer's decision.
	Forwarded Kind = iota + 1
	// Delivery: an owed advice that was sent and waits for its acceptance.
	Delivery
	// Management: a network management request of our own.
	Management
)

// Carrier is the connection that carried a message: it counts what is in flight on it and learns
// how it went.
type Carrier interface {
	Release()
	Reported(answered bool, latency time.Duration)
}

// Row is one message of ours that a center must still answer, or the mark that it once was asked.
type Row struct {
	Kind  Kind
	State State
	Txn   uint64 // journal number of the transaction

	Source uint16  // center that asked; zero for our own
	Dest   uint16  // center that must answer
	From   Carrier // connection on which it asked last
	Held   Carrier // connection that counts it as in flight: where it was asked first
	Sent   Carrier // connection that the message was given to

	// What the answer must echo.
	MTI       spec.MTI // as sent
	STAN      uint32   // ours
	LocalTime uint64   // DE 12
	Acquirer  uint64   // DE 32

	Key      journal.Key // the merchant's question
	Place    Place       // where it is remembered
	Asked    spec.MTI    // as the merchant asked
	Aside    bool        // it isn't on a link yet: the security module has it
	Function int         // DE 24 of a network management request
	Item     uint64      // number of the owed advice
	Card     [16]byte    // keyed hash of the card number
	Amount   uint64
	// What its answer moves in the totals: DE 3, 49, and 28 and 29 as the issuer was given them.
	Processing uint32
	Currency   uint16
	Slice      uint16
	Day        uint32
	// MerchantDay is DE 28 on the merchant's leg.
	MerchantDay uint32

	Arrived  int64 // unix nanoseconds
	Deadline int64
	LeaveBy  int64 // of a held one: its deadline once it has left

	Token *vault.Op // the token for the answer; nil: none

	raw     []byte        // the merchant's request, byte for byte
	request *spec.Message // what was read of it
	// Of a request that follows another transaction.
	Sequel Sequel
	Of     uint64      // number of that
	OfKey  journal.Key // its question

	Prefix [5]byte // TPDU that came with it

	next, prev *Row
	bucket     int32
}

// Table is the rows by the trace number that we gave them, for one center. It hands rows out and
// takes them back, so that the path allocates none.
type Table struct {
	rows map[uint32]*Row
	free []*Row
	last uint32
}

// NewTable gives an empty table. Its trace numbers begin at the journal's last sequence number:
// each trace number that was ever given out has a record of its own, so that the journal always
// counts further than the trace numbers, and a restart gives none of the last ones out again.
func NewTable(lastSeq uint64) *Table {
	return &Table{rows: make(map[uint32]*Row), last: uint32(lastSeq % maxSTAN)}
}

// maxSTAN is the largest systems trace audit number (DE 11, n6).
const maxSTAN = 999999

// Len counts the rows, the closed ones that are kept as marks included.
func (t *Table) Len() int { return len(t.rows) }

// maxRows leaves so many trace numbers free that Fresh finds one soon. Windows are smaller; marks
// of requests that an issuer lets pass in crowds could come near.
const maxRows = 3 * maxSTAN / 4

// Fresh gives a trace number that no row holds; false when too many are taken.
func (t *Table) Fresh() (uint32, bool) {
	if len(t.rows) >= maxRows {
		return 0, false
	}
	for range maxSTAN {
		t.last++
		if t.last > maxSTAN {
			t.last = 1
		}
		if _, taken := t.rows[t.last]; !taken {
			return t.last, true
		}
	}
	return 0, false
}

// Taken tells whether a row holds the trace number.
func (t *Table) Taken(stan uint32) bool {
	_, taken := t.rows[stan]
	return taken
}

// Take gives an empty row.
func (t *Table) Take() *Row {
	if n := len(t.free); n > 0 {
		r := t.free[n-1]
		t.free = t.free[:n-1]
		*r = Row{raw: r.raw[:0], request: r.request, bucket: noBucket}
		return r
	}
	return &Row{request: new(spec.Message), bucket: noBucket}
}

// Hold keeps a copy of the merchant's request, as it was read: the answer needs it, and reading it
// again would cost what reading it once did.
func (r *Row) Hold(m *spec.Message) {
	r.raw = append(r.raw[:0], m.Raw()...)
	m.CopyTo(r.request, r.raw)
}

// Request is the request that was held, good until the row is dropped; of a row that holds none it
// is empty.
func (r *Row) Request() *spec.Message {
	if len(r.raw) == 0 {
		*r.request = spec.Message{}
	}
	return r.request
}

// Put enters a row under its trace number.
func (t *Table) Put(r *Row) { t.rows[r.STAN] = r }

// Find gives the row with the trace number, or nil.
func (t *Table) Find(stan uint32) *Row { return t.rows[stan] }

// Drop takes a row out and keeps it for reuse. It must not be in a wheel any more.
func (t *Table) Drop(r *Row) {
	clear(r.raw) // there are card data in it
	if t.rows[r.STAN] == r {
		delete(t.rows, r.STAN)
	}
	t.free = append(t.free, r)
}

// Each calls fn for every row, in no particular order.
func (t *Table) Each(fn func(*Row)) {
	for _, r := range t.rows {
		fn(r)
	}
}

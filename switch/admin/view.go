package admin

import (
	"time"

	cardswitch "cardswitch/switch"
)

// The values of the API. They change only by addition: scripts read them.

// Line is one journal record as operators read it. The card number in it is masked.
type Line struct {
	Seq        uint64    `json:"seq"`
	Txn        uint64    `json:"txn"`
	At         time.Time `json:"at"`
	Kind       string    `json:"kind"`
	MTI        string    `json:"mti,omitempty"`
	Center     string    `json:"center,omitempty"`
	Link       string    `json:"link,omitempty"`
	Dest       string    `json:"dest,omitempty"`
	DestLink   string    `json:"dest_link,omitempty"`
	STAN       string    `json:"stan,omitempty"` // ours, on the issuer leg
	RRN        string    `json:"rrn,omitempty"`
	Amount     uint64    `json:"amount,omitempty"`
	Currency   string    `json:"currency,omitempty"`
	PAN        string    `json:"pan,omitempty"`
	Action     string    `json:"action,omitempty"`
	Reason     uint16    `json:"reason,omitempty"`
	ReasonText string    `json:"reason_text,omitempty"`
	Text       string    `json:"text,omitempty"`
	Advice     uint64    `json:"advice,omitempty"` // the owed one that it is about
	Day        string    `json:"day,omitempty"`    // DE 28 on the issuer leg
	Slice      uint16    `json:"slice,omitempty"`  // DE 29 there
	Counts     string    `json:"counts,omitempty"` // the total that it moves
	US         int64     `json:"us"`               // since the transaction's start, in microseconds
}

// Cut is the last line for a reader that was too slow, or for whom the journal failed.
type Cut struct {
	Error  string `json:"error"`
	Resume uint64 `json:"resume,omitempty"`
}

// Transaction is everything that happened to one transaction.
type Transaction struct {
	Txn   uint64 `json:"txn"`
	Steps []Step `json:"steps"`
}

// Step is one record with the messages that it holds.
type Step struct {
	Line
	Messages []Message `json:"messages,omitempty"`
}

// Message is one message, its card data blanked.
type Message struct {
	Role     string    `json:"role"`
	Link     string    `json:"link,omitempty"`
	Dialect  string    `json:"dialect,omitempty"`
	MTI      string    `json:"mti,omitempty"`
	Elements []Element `json:"elements,omitempty"`
	Raw      string    `json:"raw,omitempty"`   // hex, on request
	Fault    string    `json:"fault,omitempty"` // why it can't be shown
}

// Element is one data element. Binary ones are in hex.
type Element struct {
	Number int    `json:"number"`
	Name   string `json:"name"`
	Value  string `json:"value"`
	Text   string `json:"text,omitempty"` // what a code means
}

// LinkLine is one configured link with the sum of its connections.
type LinkLine struct {
	Center      string    `json:"center"`
	Role        string    `json:"role"`
	Link        string    `json:"link"`
	Order       int       `json:"order"`
	Address     string    `json:"address"`
	Listens     bool      `json:"listens"`
	State       string    `json:"state"`
	Best        bool      `json:"best"` // new requests of its center take it
	Held        bool      `json:"held"` // drained by an operator
	Sick        bool      `json:"sick"`
	Connections int       `json:"connections"`
	Remote      []string  `json:"remote,omitempty"`
	InFlight    int       `json:"in_flight"`
	Window      int       `json:"window"` // of the center
	FramesIn    uint64    `json:"frames_in"`
	FramesOut   uint64    `json:"frames_out"`
	Faulty      uint64    `json:"faulty"`
	Since       time.Time `json:"since,omitzero"`
	LastError   string    `json:"last_error,omitempty"`
	Protection  string    `json:"protection"`         // envelope, TLS, both, or none
	Envelope    []string  `json:"envelope,omitempty"` // of each connection: suite and keys
}

// WorkItem is an advice on the work list with what its transaction says of it.
type WorkItem struct {
	ID         uint64    `json:"id"`
	Txn        uint64    `json:"txn"`
	Center     string    `json:"center"`
	MTI        string    `json:"mti"`
	STAN       string    `json:"stan"`
	PAN        string    `json:"pan,omitempty"`
	Amount     uint64    `json:"amount,omitempty"`
	Action     string    `json:"action,omitempty"` // with which it was refused
	Reason     uint16    `json:"reason"`
	ReasonText string    `json:"reason_text,omitempty"`
	Shelved    string    `json:"shelved,omitempty"` // why it is not delivered
	Since      time.Time `json:"since"`
}

// Done answers an act.
type Done struct {
	Done string `json:"done"`
}

// LinkDone answers an act on links. Connections say what came back of what was asked of a center.
type LinkDone struct {
	Done
	Connections []cardswitch.Told `json:"connections,omitempty"`
}

// Problem answers a request that failed.
type Problem struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

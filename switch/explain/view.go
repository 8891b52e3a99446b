package explain

import (
	"time"

	"cardswitch/routing"
	"cardswitch/spec"
)

// The values below are read by scripts as JSON: they change by addition only. No card number in
// them is whole.

// Explanation is one transaction from its first message to the last debt that came of it.
type Explanation struct {
	Txn      uint64    `json:"txn"`
	Began    time.Time `json:"began"`
	Summary  []string  `json:"summary"`        // what it was, how it ended, what is still to be done
	Open     bool      `json:"open"`           // it waits for its issuer, a delivery or a person
	Left     *Left     `json:"left,omitempty"` // of what was approved
	Route    *Decision `json:"route,omitempty"`
	Steps    []Step    `json:"steps"`
	Messages []Message `json:"messages,omitempty"`
	Owed     []Debt    `json:"owed,omitempty"`
	Related  []Related `json:"related,omitempty"`
}

// Decision is why the issuer was asked that was asked.
type Decision struct {
	Why   string              `json:"why"`
	Since uint64              `json:"since,omitempty"` // record since which the table was in use
	Rules routing.Explanation `json:"rules,omitzero"`
}

// Step is one record: what changed, when and why.
type Step struct {
	Seq    uint64    `json:"seq"`
	At     time.Time `json:"at"`
	US     int64     `json:"us"` // since the transaction began, in microseconds
	Kind   string    `json:"kind"`
	Action string    `json:"action,omitempty"`
	Reason uint16    `json:"reason,omitempty"`
	Why    string    `json:"reason_text,omitempty"`
	Says   []string  `json:"says"`
	Hint   string    `json:"hint,omitempty"`
}

// Message is one image, and how it differs from the one that it came of.
type Message struct {
	Seq      uint64            `json:"seq"` // of the record that has it
	US       int64             `json:"us"`
	Role     string            `json:"role"`
	From     string            `json:"from"`
	To       string            `json:"to"`
	Link     string            `json:"link,omitempty"`
	Dialect  string            `json:"dialect,omitempty"`
	MTI      string            `json:"mti,omitempty"`
	Name     string            `json:"name,omitempty"`
	Elements []spec.Line       `json:"elements,omitempty"`
	Against  string            `json:"against,omitempty"` // role of the one that it is compared to
	Changes  []spec.Difference `json:"changes,omitempty"`
	Fault    string            `json:"fault,omitempty"` // why it can't be shown, or not to its end
}

// The states of a debt.
const (
	Owing   = "owed"      // store and forward delivers it until it is accepted
	Paid    = "paid"      // its center has accepted it
	Decides = "work list" // a person has to decide
	Dropped = "dropped"   // a person decided that it isn't to be delivered
)

// Debt is an advice or a reversal that a center must get.
type Debt struct {
	ID       uint64    `json:"id"`
	Txn      uint64    `json:"txn"`
	Center   string    `json:"center"`
	MTI      string    `json:"mti"`
	Why      string    `json:"why"`
	Since    time.Time `json:"since"`
	State    string    `json:"state"`
	Ended    time.Time `json:"ended,omitzero"`
	US       int64     `json:"us,omitempty"` // from Since to Ended, in microseconds
	Action   string    `json:"action,omitempty"`
	Attempts int       `json:"attempts,omitempty"` // since the switch started; a running one knows
	Next     time.Time `json:"next,omitzero"`
	Says     []string  `json:"says"`
}

// Related is another transaction that this one came of, or that came of it.
type Related struct {
	Txn  uint64 `json:"txn"`
	What string `json:"what"`
	Owed []Debt `json:"owed,omitempty"`
}

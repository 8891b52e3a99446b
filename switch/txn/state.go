// Package txn holds what a transaction is: its states, what may follow what, and why.
//
// A transaction is a row in a table, not a goroutine. Everything here is a value or a pure
// function; the table itself is guarded by the switch, which also writes the journal.
package txn

// State is where a transaction stands.
type State uint8

const (
	// Open waits for the issuer's answer.
	Open State = iota + 1
	// Cancelled waits for the issuer's answer although the merchant has already reversed it.
	Cancelled
	// Closed has its outcome; its row stays only as the mark by which a late answer is known.
	Closed
	// Held has not been sent: something older is still owed to the issuer for the same card.
	Held
)

// Event is what moves a transaction from one state to another.
type Event uint8

const (
	// AnswerCame: the issuer answered.
	AnswerCame Event = iota + 1
	// TimeIsUp: the deadline passed, the link was lost or the process was restarted.
	TimeIsUp
	// MerchantReversed: the merchant's reversal came before the issuer's answer.
	MerchantReversed
	// Departed: what was owed before it is paid, so it goes out.
	Departed
)

// After gives the state that follows s on e, and whether e is legal in s at all.
func (s State) After(e Event) (State, bool) {
	switch {
	case e == MerchantReversed && s == Open:
		return Cancelled, true
	case e == MerchantReversed && s == Cancelled:
		return Cancelled, true
	case (e == AnswerCame || e == TimeIsUp) && (s == Open || s == Cancelled):
		return Closed, true
	case e == Departed && s == Held:
		return Open, true
	case e == TimeIsUp && s == Held:
		return Closed, true // as never sent
	case e == AnswerCame && s == Closed:
		return Closed, true // a late answer
	}
	return s, false
}

// String names the state.
func (s State) String() string {
	switch s {
	case Open:
		return "open"
	case Cancelled:
		return "cancelled"
	case Closed:
		return "closed"
	case Held:
		return "held"
	}
	return "unknown"
}

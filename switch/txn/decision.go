package txn

import "cardswitch/spec"

// Act is what a service wants done with what came through a door.
type Act uint8

const (
	// Refuse answers at once with the reason's action code; nothing is forwarded.
	Refuse Act = iota + 1
	// Forward journals the request and sends it to the destination.
	Forward
	// Keep answers at once and owes the destination an advice.
	Keep
	// Acknowledge answers at once and owes nobody anything.
	Acknowledge
	// TakeKey hands a key that a center brings to who keeps the keys; the answer comes later.
	TakeKey
	// CutOver begins a business day or a slice of one, if that may be the next.
	CutOver
	// Compare answers with how the two sides' figures compare.
	Compare
	// TakeFile hands a file action, or the frame of a load, to the issuer's negative list.
	TakeFile
	// Wait leaves the question with its open transaction; the answer goes to who asked last.
	Wait
	// Repeat gives the kept answer again.
	Repeat
	// Relay closes the transaction with the issuer's own answer.
	Relay
	// Close closes it with an answer of the switch's own.
	Close
	// Note records what came and does nothing else.
	Note
	// Done takes an owed advice off its queue.
	Done
	// Retry sends an owed advice again later, as a repeat.
	Retry
	// Shelve puts an owed advice on the work list: people decide.
	Shelve
	// StandIn decides in the issuer's place, if that is allowed to it.
	StandIn
)

// Decision is what a service decides, from values alone.
type Decision struct {
	Act    Act
	Reason Reason
	Action uint16 // DE 39 of the answer, where the switch itself answers
	// Owe is the message reason code (DE 25) of the reversal that the decision owes the issuer
	// of this transaction; zero when it owes none.
	Owe uint16
	// Moves is how much it takes back or uses up of the original, in its smallest units.
	Moves uint64
	// Next is what a network management request asks of its link.
	Next Session
	// Change is what it changes of stand-in for its sender; None: nothing.
	Change Reason
}

// Session is a change of a link's session.
type Session uint8

// What a network management message does to the link that it came on.
const (
	Stay Session = iota
	SignOn
	SignOff
)

// Message reason codes of reversals (DE 25; reference iso8583-1993 section 3.3).
const (
	ReverseCancelled     = 4000
	ReverseTooLate       = 4006
	ReverseUndeliverable = 4013
	ReverseInvalid       = 4020
	ReverseExpired       = 4351 // private, as others have it
	ReverseTimeout       = 4021
)

// Asked is what the switch already knows of a question when it is asked.
type Asked uint8

const (
	// New has never been asked.
	New Asked = iota
	// Pending was asked and waits for the issuer.
	Pending
	// Answered was asked and has its answer.
	Answered
	// Differs was asked with the same trace number but other content.
	Differs
	// Overtaken was not asked yet, but its reversal has come.
	Overtaken
)

// Path says whether a destination can take a request now.
type Path uint8

const (
	// Clear: a link is up, signed on and has room.
	Clear Path = iota
	// NoDestination: routing found nobody.
	NoDestination
	// SignedOff: the issuer's links are up but signed off.
	SignedOff
	// Down: no link of the issuer is connected.
	Down
	// Full: the issuer's window of requests in flight is used up.
	Full
)

// Original is what the switch knows of the transaction that DE 56 names.
type Original uint8

const (
	// NotNamed: the message names no original.
	NotNamed Original = iota
	// NotFound: it names one that the journal doesn't have.
	NotFound
	// Awaited: it names one that hasn't come, and is refused if it does: it is reversed already.
	Awaited
	// Waiting: the issuer has not answered it yet.
	Waiting
	// Unsent: it is held, so the issuer doesn't know of it yet.
	Unsent
	// Approved: it stands approved at the issuer.
	Approved
	// Declined: it never took effect.
	Declined
	// Reversed: a reversal of it is already owed or delivered.
	Reversed
	// OtherCard: it names one of another card.
	OtherCard
)

// Request is everything from which a service decides on a request.
type Request struct {
	MTI      spec.MTI
	Function int // DE 24, or -1
	// MessageReason is DE 25 of network management, or 0.
	MessageReason int
	Asked         Asked
	Path          Path
	Original      Original
	// Of a message that follows another.
	Sequel         Sequel
	OriginalMTI    spec.MTI
	OriginalType   uint8     // DE 3, positions 1 and 2
	OtherCurrency  bool      // than the original's
	Left           Remainder // of the original
	Amount         uint64    // DE 4
	OriginalAmount uint64    // DE 30, its first part
	Rules          Adjustments
	// Denies: an advice of what was denied (DE 39): it moves no money.
	Denies bool
	// TolerateUnknown accepts reversals of unknown originals with 400 instead of 914.
	TolerateUnknown bool
	// Of a message about reconciliation: how its period stands, and how the figures compare.
	Period  Period
	Balance Balance
	// StandIn: stand-in decides for the destination now.
	StandIn bool
	// Change is what a network management request asks of stand-in for its sender; None: nothing.
	Change Reason
}

// Answer is everything from which a service decides on an answer of an issuer.
type Answer struct {
	Action    int  // DE 39, or -1
	Valid     bool // has what an answer must have and echoes what it must echo
	Reachable bool // a link of the merchant is up
	Cancelled bool // the merchant has reversed the transaction meanwhile
	Closed    bool // the transaction was closed before this answer came
	Attempts  int  // how often an advice has been sent
	Retry     bool // the action code is one that the issuer's profile retries
	Accepted  bool // the action code accepts an advice of this kind
	// MayBeUnknown: the issuer may never have got the original, so that 914 is good news.
	MayBeUnknown bool
	// Balance: the figures in an answer about reconciliation, against ours.
	Balance Balance
}

// Approves tells whether an action code grants the request: 000 to 099
// (reference iso8583-1993 section 3.5).
func Approves(action int) bool { return action >= 0 && action < 100 }

// Package journal defines what one line of the switch's books holds and how it is written to disk.
//
// A Record is one thing that happened. It carries everything that a decision used (time included),
// so that every table of the switch can be rebuilt from the records in order, on any machine.
// Records are packed into chunks (Writer, Chunk): one chunk is one value in the store. What may not
// be kept in clear, card numbers, travels apart in one sealed block a chunk; the messages arrive
// here already blanked (spec.Message.AppendKept), with what was cut out of them.
package journal

import "cardswitch/spec"

// Kind says what happened.
type Kind uint8

const (
	Opened     Kind = iota + 1 // a request is forwarded; it is open until its Closed
	Closed                     // the outcome of an opened request
	Settled                    // answered at once: refused, advice accepted, network management
	Delivered                  // an owed advice was answered by its center
	Shelved                    // an owed advice went to the work list
	Late                       // an answer to a closed request
	Originated                 // a request of our own, such as an echo test
	Moved                      // frames that never left went to another link
	Repeated                   // a repeat got the kept answer
	Event                      // a link, the process or the configuration changed
	Resolved                   // an operator acted on the work list
	Reversed                   // the merchant reversed the transaction Txn; Advice is its reversal

	Listed Kind = 17 // an entry of the negative list of Dest changed
	Filed  Kind = 18 // a regular negative file of Dest was imported, or took over
)

// What stands between a request and its issuer.
const (
	StandIn Kind = 13 // whether an issuer (Dest) is stood in for has changed, by the reason
	StoodIn Kind = 14 // stand-in decided, and owes the issuer the advice if there is one
	// Sent is a request that was opened with reason HeldForCard and goes out only now. One without
	// it never left.
	Sent Kind = 15
	// Adjusted: Advice followed on the transaction Txn; the reason says how, Amount by how much.
	Adjusted Kind = 16
)

// Of business days; Dest is the center whose day it is.
const (
	CutOver    Kind = 19 // Day (and Slice) began
	Reconciled Kind = 20 // its totals were compared
)

// Role says which message of a transaction an image is.
type Role uint8

const (
	Request      Role = iota + 1 // as the merchant center sent it
	Forward                      // as it went to the issuer center
	Answer                       // as the issuer center answered
	Reply                        // as the merchant center was answered
	Advice                       // as it is owed to the issuer center
	AdviceAnswer                 // as the issuer center answered that
)

// Image is one message without card data. Base 0: Data is the whole safe message; else Data is what
// differs (spec.AppendDelta) from the image of role Base in the same transaction.
type Image struct {
	Role, Base Role
	Link       uint16 // registry ids
	Dialect    uint16
	Data       []byte
	Cut        []byte // of Data, for spec.PutBack; kept sealed
}

// MaxImages is how many messages one record can carry: request, forward, answer and reply.
const MaxImages = 4

// Record is one thing that happened. The zero value of a field costs nothing on disk.
type Record struct {
	Seq, Txn     uint64 // Txn: Seq of the transaction's first record; 0 to Append: this one
	At           int64  // unix nanoseconds
	Kind         Kind
	Center, Dest uint16 // registry ids; 0: none
	STAN         uint32 // ours on the issuer leg
	MTI          spec.MTI
	Action       uint16 // DE 39
	Reason       uint16
	Function     uint16 // DE 24
	Currency     uint16 // DE 49
	Amount       uint64 // DE 4
	Processing   uint32 // DE 3
	// What it moves in the totals (package total): a total.Kind by Amount, of Currency, in the period
	// of the issuer's leg and in that of the merchant's. An opened request moves nothing yet.
	Moves       uint8  // 0: nothing
	Slice       uint16 // DE 29 on the issuer's leg; 0: none
	Day         uint32 // DE 28 there, YYMMDD; 0: none
	MerchantDay uint32 // DE 28 on the merchant's leg; 0: none
	Key         Key    // the question, where the record is one or answers one
	PAN         spec.PAN
	Card        [16]byte // keyed hash of the PAN
	Reference   [12]byte // DE 37
	Deadline    int64    // unix nanoseconds
	Advice      uint64   // id of the owed advice
	Text        string   // of events and of the operator's acts
	Images      [MaxImages]Image
	ImageCount  int
}

// Add appends an image. It reports false when the record is full.
func (r *Record) Add(i Image) bool {
	if r.ImageCount == MaxImages {
		return false
	}
	r.Images[r.ImageCount] = i
	r.ImageCount++
	return true
}

// Image returns the image of a role, nil if the record doesn't carry it.
func (r *Record) Image(role Role) *Image {
	for i := range r.Images[:r.ImageCount] {
		if r.Images[i].Role == role {
			return &r.Images[i]
		}
	}
	return nil
}

var kindNames = [...]string{"", "opened", "closed", "settled", "delivered", "shelved", "late",
	"originated", "moved", "repeated", "event", "resolved",
	"reversed",
	StandIn: "stand-in", StoodIn: "stood in", Sent: "sent", Adjusted: "adjusted",
	Listed: "listed", Filed: "filed",
	CutOver: "cut over", Reconciled: "reconciled",
}

var roleNames = [...]string{"", "request", "forward", "answer", "reply", "advice", "advice answer"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return "unknown"
}

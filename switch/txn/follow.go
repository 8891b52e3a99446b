package txn

import (
	"math/bits"

	"cardswitch/spec"
	"cardswitch/store/journal"
)

// Sequel is what a message wants of the transaction that it refers to.
type Sequel uint8

const (
	// NoSequel refers to nothing.
	NoSequel Sequel = iota
	// Reverses all that is left of it.
	Reverses
	// ReversesPart takes back a part of it.
	ReversesPart
	// Completes an authorization: the sale that it was for.
	Completes
	// Returns gives back of a sale.
	Returns
	// Raises supplements an authorization.
	Raises
	// Credits gives back as well, in another way than a return: an adjustment, say. It need not be
	// of a sale, as a deposit isn't, but one that names its sale is bounded as a return is.
	Credits
)

// SequelOf tells it from type, function code (DE 24, or -1) and processing code (DE 3): reference
// iso8583-1993 sections 3.2 and 3.4.
func SequelOf(m spec.MTI, function int, processing uint32) Sequel {
	switch m.Class() {
	case 4:
		if function == 401 {
			return ReversesPart
		}
		return Reverses
	case 2:
		switch {
		case function == 201 || function == 202:
			return Completes
		case processing/10_000 == 20:
			return Returns
		case GivesBack(uint8(processing / 10_000)):
			return Credits
		}
	case 1:
		if function == 106 || function == 107 {
			return Raises
		}
	}
	return NoSequel
}

// GivesBack tells whether a transaction of this type (DE 3, positions 1 and 2) gives money to the
// card: there is nothing of it to return.
func GivesBack(transaction uint8) bool { return transaction/10 == 2 }

// Class is the class of message (the second digit of the MTI) that the original is of; 0: any.
func (s Sequel) Class() int {
	switch s {
	case Completes, Raises:
		return 1
	case Returns, Credits:
		return 2
	}
	return 0
}

// Remainder is what is left of an approved transaction after what followed it.
type Remainder struct {
	Approved uint64 // supplements included
	Reversed uint64
	Spent    uint64 // completed of an authorization, returned of a sale
	Closed   bool   // an authorization that is completed for good
	Expired  bool   // one that was not completed in time
	Of       uint64 // the transaction that it completes, returns or supplements itself
	// Where its issuer reconciles in another currency: how much counted in the totals, and in which.
	Counted   uint64
	CountedIn uint16 // 0: what was approved
	currency  uint16
}

// Left is what can still be reversed, completed or returned. What an authorization was more than
// its completion, the issuer has let go with that.
func (r Remainder) Left() uint64 {
	if gone := r.Reversed + r.Spent; r.Approved > gone && !r.Closed {
		return r.Approved - gone
	}
	return 0
}

// Counts is how much a part counts in the totals, and in which currency, 0: in that of the
// transaction. All parts together count what the whole did.
func (r Remainder) Counts(part uint64) (amount uint64, currency uint16) {
	if r.CountedIn == 0 || r.Approved == 0 {
		return part, 0
	}
	upTo := func(n uint64) uint64 {
		high, low := bits.Mul64(r.Counted, min(n, r.Approved))
		counted, _ := bits.Div64(high, low, r.Approved) // high is less: n is at most what was approved
		return counted
	}
	gone := r.Reversed + r.Spent
	return upTo(gone+part) - upTo(gone), r.CountedIn
}

// After folds one record of the transaction into what is left of it.
func (r Remainder) After(rec *journal.Record) Remainder {
	switch rec.Kind {
	case journal.Closed:
		if rec.Amount != 0 && (rec.Currency == 0 || rec.Currency == r.currency) {
			r.Approved = rec.Amount // perhaps a part of what was asked
		}
		if rec.Moves != 0 && r.currency != 0 && rec.Currency != r.currency {
			r.Counted, r.CountedIn = rec.Amount, rec.Currency
		}
	case journal.Adjusted:
		return r.adjusted(rec)
	default:
		if rec.Txn == rec.Seq {
			r.Approved, r.currency = rec.Amount, rec.Currency
		}
	}
	return r
}

func (r Remainder) adjusted(rec *journal.Record) Remainder {
	switch Reason(rec.Reason) {
	case PartReversed:
		r.Reversed += rec.Amount
	case SpentOf:
		r.Spent += rec.Amount
	case SpentAll:
		r.Spent += rec.Amount
		r.Closed = true
	case SpentUndone:
		r.Spent -= min(rec.Amount, r.Spent)
		r.Closed = r.Closed && r.Spent != 0 // else nothing has completed it
	case RaisedBy:
		r.Approved += rec.Amount
	case LoweredBy:
		r.Approved -= min(rec.Amount, r.Approved)
	case AuthorizationExpired:
		r.Expired = true
		r.Reversed += rec.Amount
	case RefersTo:
		r.Of = rec.Advice
	}
	return r
}

// Adjustments is what is agreed with a center about what follows a transaction.
type Adjustments struct {
	Partial       Partial
	Returns       ReturnRule
	Over          uint64 // percent by which completions may exceed their authorization
	Several       bool   // an authorization may be completed in parts
	UnknownKept   bool   // completions of unknown authorizations are kept for the issuer
	ExpiredRefuse bool   // completions of expired authorizations are refused
}

// Partial is what DE 4 of a partial reversal says. Vendors differ (reference iso8583-1993 section
// 5.2, rule 3).
type Partial uint8

// The ways.
const (
	FinalAmount    Partial = iota // what then remains
	ReversedAmount                // what is taken back
	NoPartial                     // there are only full reversals
)

// ReturnRule is what is asked of returns.
type ReturnRule uint8

// The rules.
const (
	ReturnsBounded ReturnRule = iota // one that names its sale gives back no more than is left of it
	ReturnsLinked                    // and each must name its sale
	ReturnsFree                      // nothing is asked
)

// part decides how much a partial reversal takes back.
func (q *Request) part() (uint64, Reason) {
	left, moves := q.Left.Left(), q.Amount
	if q.OtherCurrency {
		return 0, CurrencyDiffers
	}
	switch q.Rules.Partial {
	case NoPartial:
		return 0, Unsupported
	case FinalAmount:
		if q.Amount >= left {
			return 0, PartTooMuch
		}
		moves = left - q.Amount
	}
	switch {
	case moves == 0 || moves > left:
		return 0, PartTooMuch
	case q.OriginalAmount != q.Left.Approved && q.OriginalAmount != left:
		return 0, OtherAmount
	}
	return moves, None
}

// Reversal decides how much a reversal of an approved transaction takes back.
func (q *Request) Reversal() (uint64, Reason) {
	if q.Sequel == ReversesPart {
		return q.part()
	}
	return q.Left.Left(), None
}

// Follow decides whether a message may follow its original, and how much it uses up of it. What
// follows nothing that is known uses up nothing.
func (q *Request) Follow() (uint64, Reason) {
	switch q.Sequel {
	case Completes:
		return q.complete()
	case Returns, Credits:
		return q.giveBack()
	case Raises:
		return q.raise()
	}
	return 0, None
}

func (q *Request) complete() (uint64, Reason) {
	switch q.Original {
	case NotNamed, NotFound:
		if !q.Rules.UnknownKept {
			return 0, OriginalUnknown
		}
		return 0, None
	case OtherCard:
		return 0, OriginalUnknown
	case Waiting, Unsent:
		return 0, InProgress
	case Awaited, Declined:
		return 0, NothingLeft
	}
	expired := q.Left.Expired
	switch {
	case q.OriginalMTI.Class() != 1 || q.Left.Of != 0: // a supplement is completed with its original
		return 0, NoAuthorization
	case q.OtherCurrency:
		return 0, CurrencyDiffers
	case q.Original == Reversed || q.Left.Closed:
		return 0, NothingLeft
	case expired && q.Rules.ExpiredRefuse:
		return 0, AuthorizationExpired
	case expired:
		return q.Amount, None // it is the issuer's to say
	case q.Function == 201 && q.Amount != q.Left.Left():
		return 0, OtherAmount
	case q.Left.Reversed+q.Left.Spent+q.Amount > q.Left.Approved+q.Left.Approved*q.Rules.Over/100:
		return 0, MoreThanLeft
	}
	return q.Amount, None
}

func (q *Request) giveBack() (uint64, Reason) {
	if q.Rules.Returns == ReturnsFree {
		return 0, None
	}
	switch q.Original {
	case NotNamed, NotFound:
		if q.Sequel == Returns && q.Rules.Returns == ReturnsLinked {
			return 0, OriginalUnknown
		}
		return 0, None
	case OtherCard:
		return 0, OriginalUnknown
	case Waiting, Unsent:
		return 0, InProgress
	case Awaited, Declined, Reversed:
		return 0, NothingLeft
	}
	switch {
	case q.OtherCurrency:
		return 0, CurrencyDiffers
	case q.OriginalMTI.Class() != 2 || GivesBack(q.OriginalType) || q.Amount > q.Left.Left():
		return 0, MoreThanLeft
	}
	return q.Amount, None
}

func (q *Request) raise() (uint64, Reason) {
	switch q.Original {
	case NotNamed, NotFound:
		return 0, None
	case OtherCard:
		return 0, OriginalUnknown
	case Waiting, Unsent:
		return 0, InProgress
	case Awaited, Declined, Reversed:
		return 0, NothingLeft
	}
	switch {
	case q.OtherCurrency:
		return 0, CurrencyDiffers
	case q.OriginalMTI.Class() != 1 || q.Left.Of != 0 || q.Left.Closed || q.Left.Expired:
		return 0, NothingLeft
	}
	return q.Amount, None
}

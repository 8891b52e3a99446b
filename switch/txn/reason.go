package txn

import "cardswitch/spec"

// Reason says why a transaction took the turn it took. Its number is kept in the journal and
// shown to operators; it is never reused for something else.
type Reason uint16

// 1xx: refused at the door, or taken back before it left. 2xx: decided by time or by a fault
// after the request had been forwarded. 3xx: advices and reversals. 4xx: answers that came too
// late or to nothing. 5xx: network management. 6xx: reason_standin.go. 7xx: reason_period.go.
// 8xx: reason_files.go.
const (
	None           Reason = 0
	IssuerAnswered Reason = 1

	Malformed       Reason = 101
	UnknownAcquirer Reason = 102
	NotAllowed      Reason = 103
	NoRoute         Reason = 104
	IssuerSignedOff Reason = 105
	IssuerDown      Reason = 106
	WindowFull      Reason = 107
	ShuttingDown    Reason = 108
	QuestionDiffers Reason = 109
	OriginalUnknown Reason = 110
	NotSignedOn     Reason = 112
	Unsupported     Reason = 113
	JournalNotReady Reason = 114
	NeverLeft       Reason = 115
	Untranslatable  Reason = 116
	InProgress      Reason = 118
	TooLong         Reason = 119
	ReversedBefore  Reason = 120

	MACMissing      Reason = 121
	MACWrong        Reason = 122
	MACKeyUnknown   Reason = 123
	PINKeyUnknown   Reason = 124
	NoKey           Reason = 125
	PINUnreadable   Reason = 126
	PINNotTaken     Reason = 127
	ModuleSilent    Reason = 128
	ModuleForbidden Reason = 129
	ModuleFailed    Reason = 130
	ModuleBusy      Reason = 131
	IssuerOutOfStep Reason = 132
	PINsTried       Reason = 133

	CardInClear    Reason = 141
	CardUnreadable Reason = 142
	CardKeyUnknown Reason = 143
	CardReplayed   Reason = 144
	CardSuspect    Reason = 145
	TokenUnknown   Reason = 151
	VaultFailed    Reason = 152

	IssuerTimedOut Reason = 201
	LinkLost       Reason = 202
	Restarted      Reason = 203
	Undeliverable  Reason = 204
	InvalidAnswer  Reason = 205

	AdviceKept          Reason = 301
	ReversalKept        Reason = 302
	ReversalNotNeeded   Reason = 303
	ReversalAhead       Reason = 304
	ReversalForetells   Reason = 305
	ReversalTooSoon     Reason = 306
	ReversalOfPart      Reason = 307
	AdviceAccepted      Reason = 311
	AdviceRefused       Reason = 312
	AdviceUnanswered    Reason = 313
	AdviceUndeliverable Reason = 314
	OperatorRetried     Reason = 321
	OperatorDropped     Reason = 322

	HeldForCard       Reason = 331
	HeldTooLong       Reason = 332
	TooManyHeld       Reason = 333
	OwedPaid          Reason = 334
	ReversalWithdraws Reason = 335
	OvertakenByCard   Reason = 336
	Withdrawn         Reason = 337
	FoundThere        Reason = 338

	LateApproval Reason = 401
	LateDenial   Reason = 402
	Unasked      Reason = 403

	NetworkDone    Reason = 501
	NetworkRefused Reason = 502
	NetworkTimeout Reason = 503
	NoKeys         Reason = 511
	KeyRefused     Reason = 512
	KeyOutOfStep   Reason = 513
	KeyMalformed   Reason = 514
)

type reasonText struct {
	action uint16
	name   string
	hint   string
}

// about holds for every reason the action code that the switch answers with when it is the one
// to answer (ISO 8583:1993 DE 39; reference iso8583-1993 section 3.5), a name and what to do.
func about(r Reason) reasonText {
	switch r {
	case None:
		return reasonText{0, "", ""}
	case IssuerAnswered:
		return reasonText{0, "issuer answered", ""}
	case Malformed:
		return reasonText{904, "format error", "decode the message with `cardswitch message decode`"}
	case UnknownAcquirer:
		return reasonText{905, "acquirer not known on this link", "add DE 32 to the center"}
	case NotAllowed:
		return reasonText{902, "message not allowed on this link", "see the center's `messages`"}
	case NoRoute:
		return reasonText{908, "no route", "ask `cardswitch route explain`"}
	case IssuerSignedOff:
		return reasonText{910, "issuer signed off", "`cardswitch link sign-on` or wait"}
	case IssuerDown:
		return reasonText{912, "no link to the issuer", "see `cardswitch link list`"}
	case WindowFull:
		return reasonText{907, "too many requests in flight", "raise `window` or find the slow issuer"}
	case ShuttingDown:
		return reasonText{907, "the switch is stopping", "use the other node"}
	case QuestionDiffers:
		return reasonText{913, "same trace number, other content", "the merchant reuses DE 11"}
	case OriginalUnknown:
		return reasonText{914, "original transaction not found", "check DE 56"}
	case NotSignedOn:
		return reasonText{910, "the center has not signed on", "the merchant sends 1804/801 first"}
	case Unsupported:
		return reasonText{902, "function not supported", ""}
	case JournalNotReady:
		return reasonText{907, "the journal takes no more", "look at the disk"}
	case NeverLeft:
		return reasonText{912, "the request never left", "see `cardswitch link list`"}
	case InProgress:
		return reasonText{923, "still in progress", "too many repeats at once"}
	case TooLong:
		return reasonText{904, "longer than the issuer's links take", "raise `max_frame`"}
	case ReversedBefore:
		return reasonText{902, "its reversal came before it", ""}
	case Untranslatable:
		return reasonText{904, "cannot be written in the issuer's dialect", "compare the dialects"}
	}
	return aboutSecurity(r)
}

// aboutSecurity is about keys, MACs and PINs. What a repeat with the same keys can't help is 921,
// what it may help is 920. A PIN block that can't be translated is 126 whatever is wrong with it.
func aboutSecurity(r Reason) reasonText {
	switch r {
	case MACMissing:
		return reasonText{916, "the message has no MAC", "see the center's `security`"}
	case MACWrong:
		return reasonText{916, "the MAC is wrong", "altered, or made with another key or way"}
	case MACKeyUnknown:
		return reasonText{917, "MAC key out of step", "exchange the MAC key (ZAK)"}
	case PINKeyUnknown:
		return reasonText{919, "PIN key out of step", "exchange the PIN key (ZPK)"}
	case NoKey:
		return reasonText{918, "no key to protect the message with", "see `cardswitch key list`"}
	case PINUnreadable:
		return reasonText{126, "the PIN block can't be translated", "wrong key, card number or format"}
	case PINNotTaken:
		return reasonText{921, "a PIN without an agreement about PIN keys",
			"see `security.pin` of both centers"}
	case ModuleSilent:
		return reasonText{920, "the security module doesn't answer", "look at the security module"}
	case ModuleForbidden:
		return reasonText{921, "security module not allowed", "production needs a payment HSM"}
	case ModuleFailed:
		return reasonText{921, "the security module refuses", "see the log"}
	case ModuleBusy:
		return reasonText{907, "too many wait for the security module", "look at its speed"}
	case PINsTried:
		return reasonText{126, "many PIN blocks of one card", "somebody may be trying"}
	case IssuerOutOfStep:
		return reasonText{920, "the issuer can't read what our keys protect", "exchange the key"}
	}
	return aboutCards(r)
}

// aboutCards is about card data that terminals encrypt, and about tokens. Data that can't be opened
// are out of step with their key, whatever is wrong with them; a counter that was used before is
// out of sequence.
func aboutCards(r Reason) reasonText {
	switch r {
	case CardInClear:
		return reasonText{904, "card data in clear", "this center may send them encrypted only"}
	case CardUnreadable:
		return reasonText{919, "encrypted card data can't be opened", "wrong key, or altered"}
	case CardKeyUnknown:
		return reasonText{919, "no key for encrypted card data", "give the center a BDK: `key ceremony`"}
	case CardReplayed:
		return reasonText{922, "the KSN's counter was used before", "sent again, or played back"}
	case CardSuspect:
		return reasonText{0, "a terminal fails again and again", "look at the terminal"}
	case TokenUnknown:
		return reasonText{111, "the token stands for no card here", "`cardswitch token lookup`"}
	case VaultFailed:
		return reasonText{909, "the token vault fails", "`cardswitch token status`, and the log"}
	}
	return aboutLater(r)
}

// Unsent tells whether the reason takes back a forwarded request of which not one byte left, so
// that no answer can come and there is nothing to reverse.
func (r Reason) Unsent() bool {
	return r == NeverLeft || r >= PINKeyUnknown && r <= ModuleBusy ||
		r == HeldTooLong || r == Withdrawn || r == OvertakenByCard
}

func aboutLater(r Reason) reasonText {
	switch r {
	case IssuerTimedOut:
		return reasonText{911, "issuer timed out", ""}
	case LinkLost:
		return reasonText{911, "link lost while waiting", ""}
	case Restarted:
		return reasonText{911, "the switch restarted while waiting", ""}
	case Undeliverable:
		return reasonText{907, "no link left to the merchant", ""}
	case InvalidAnswer:
		return reasonText{909, "the issuer's answer is invalid", "see the answer in `journal show`"}
	case AdviceKept:
		return reasonText{900, "advice kept for delivery", ""}
	case ReversalKept:
		return reasonText{400, "reversal kept for delivery", ""}
	case ReversalNotNeeded:
		return reasonText{400, "nothing left to reverse", ""}
	case ReversalAhead:
		return reasonText{400, "reversal kept until the original is known", ""}
	case ReversalForetells:
		return reasonText{400, "original not known; it is refused if it comes", ""}
	case ReversalOfPart:
		return reasonText{400, "reversal kept; its original was approved in part", ""}
	case ReversalTooSoon:
		return reasonText{914, "original not found; it is refused if it comes", "check DE 56"}
	case AdviceAccepted:
		return reasonText{0, "delivered", ""}
	case AdviceRefused:
		return reasonText{0, "refused by the issuer", "`cardswitch worklist list`"}
	case AdviceUnanswered:
		return reasonText{0, "not answered yet", "`cardswitch saf list`"}
	case AdviceUndeliverable:
		return reasonText{0, "cannot be delivered", "`cardswitch worklist list`"}
	case OperatorRetried:
		return reasonText{0, "retried by an operator", ""}
	case OperatorDropped:
		return reasonText{0, "dropped by an operator", ""}
	case LateApproval:
		return reasonText{0, "late approval, reversed", ""}
	case LateDenial:
		return reasonText{0, "late answer, not an approval", ""}
	case Unasked:
		return reasonText{0, "answer to nothing that was asked", ""}
	case NetworkDone:
		return reasonText{800, "network management done", ""}
	case NetworkRefused:
		return reasonText{0, "network management refused", ""}
	case NetworkTimeout:
		return reasonText{0, "network management not answered", ""}
	case NoKeys:
		return reasonText{918, "no key to take keys under", "give the center a KBPK: `key ceremony`"}
	case KeyRefused:
		return reasonText{921, "the key is not taken", "the log says why"}
	case KeyOutOfStep:
		return reasonText{917, "the key's generation is another key", "begin a new change"}
	case KeyMalformed:
		return reasonText{904, "elements 53 and 96 don't bring a key", "see package keychange"}
	}
	return aboutOrder(r)
}

// aboutOrder is about the order of what concerns one card. What was never sent is answered as what
// never left: the merchant may ask again.
func aboutOrder(r Reason) reasonText {
	switch r {
	case HeldForCard:
		return reasonText{0, "held behind what is owed for the card", "`cardswitch saf list`"}
	case HeldTooLong:
		return reasonText{912, "held too long behind what is owed for the card",
			"`cardswitch saf list`"}
	case TooManyHeld:
		return reasonText{907, "too many are held behind what is owed", "`cardswitch saf list`"}
	case OwedPaid:
		return reasonText{0, "sent: what was owed before it is paid", ""}
	case ReversalWithdraws:
		return reasonText{400, "the original was held and is never sent", ""}
	case Withdrawn:
		return reasonText{902, "reversed while it was held", ""}
	case FoundThere:
		return reasonText{911, "found on the disk of a lost site", "`cardswitch cluster window`"}
	case OvertakenByCard:
		return reasonText{912, "a later request of the card left before it", ""}
	}
	return aboutChecks(r)
}

// OwedFor says in words why an advice is owed: code is a Reason or, of a reversal of the switch's
// own, the message reason code that it carries (DE 25, from 4000 up).
func OwedFor(code uint16) string {
	if code >= 4000 {
		return spec.ReasonName(int(code))
	}
	return Reason(code).String()
}

// Action is the action code (DE 39) with which the switch itself answers for this reason.
func (r Reason) Action() uint16 { return about(r).action }

// Foretells tells whether a reversal was answered for this reason as one of what hasn't come.
func (r Reason) Foretells() bool { return r == ReversalForetells || r == ReversalTooSoon }

// String names the reason.
func (r Reason) String() string { return about(r).name }

// Hint says what an operator can do; empty where nothing needs doing.
func (r Reason) Hint() string { return about(r).hint }

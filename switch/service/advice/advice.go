// Package advice decides on messages that tell what has already happened.
//
// They are acknowledged once durable, and delivered to the issuer until it accepts them.
package advice

import "cardswitch/switch/txn"

// Request decides on an 1120, 1121, 1220 or 1221 of a merchant.
func Request(q txn.Request) txn.Decision {
	switch q.Asked {
	case txn.Pending, txn.Answered:
		return txn.Decision{Act: txn.Repeat}
	case txn.Differs:
		return refuse(txn.QuestionDiffers)
	case txn.Overtaken:
		// What happened and its reversal are even: the issuer needs neither, as it got neither.
		return txn.Decision{Act: txn.Acknowledge, Reason: txn.ReversedBefore, Action: 900}
	}
	if q.Path == txn.NoDestination {
		return refuse(txn.NoRoute)
	}
	if q.Denies {
		return txn.Decision{Act: txn.Keep, Reason: txn.DenialKept, Action: txn.DenialKept.Action()}
	}
	moves, why := q.Follow()
	if why != txn.None {
		return refuse(why)
	}
	return txn.Decision{Act: txn.Keep, Reason: txn.AdviceKept, Action: txn.AdviceKept.Action(),
		Moves: moves}
}

func refuse(r txn.Reason) txn.Decision {
	return txn.Decision{Act: txn.Refuse, Reason: r, Action: r.Action()}
}

// Accepts tells whether an action code of an 1130, 1230 or 1430 accepts the advice: 900 and 901
// as the standard has it, 400 for reversals, and 0xx as many links answer (reference 3.5).
func Accepts(action int) bool {
	return action == 900 || action == 901 || action == 400 || txn.Approves(action)
}

// Answer decides on the answer to an advice or reversal that the switch delivered.
func Answer(a txn.Answer) txn.Decision {
	switch {
	case a.Accepted:
		return txn.Decision{Act: txn.Done, Reason: txn.AdviceAccepted, Action: uint16(a.Action)}
	case a.Action == 914 && a.MayBeUnknown:
		return txn.Decision{Act: txn.Done, Reason: txn.AdviceAccepted, Action: 914}
	case a.Retry || a.Action < 0:
		return txn.Decision{Act: txn.Retry, Reason: txn.AdviceUnanswered}
	}
	return txn.Decision{Act: txn.Shelve, Reason: txn.AdviceRefused, Action: uint16(a.Action)}
}

// Deadline decides on an advice that was not answered in time: it is repeated, without an end.
func Deadline() txn.Decision {
	return txn.Decision{Act: txn.Retry, Reason: txn.AdviceUnanswered}
}

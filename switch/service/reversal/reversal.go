// Package reversal decides on reversal advices of merchants.
//
// A reversal cannot be declined; it can only have nothing to undo.
package reversal

import "cardswitch/switch/txn"

// Request decides on a 1420 or 1421 (reference iso8583-1993 section 5.2).
func Request(q txn.Request) txn.Decision {
	switch q.Asked {
	case txn.Pending, txn.Answered:
		return txn.Decision{Act: txn.Repeat}
	case txn.Differs:
		return refuse(txn.QuestionDiffers)
	}
	effective := q.Original == txn.Waiting || q.Original == txn.Approved
	if effective && q.Path == txn.NoDestination {
		return refuse(txn.NoRoute) // its issuer is gone: nobody to owe it to
	}
	switch q.Original {
	case txn.Waiting:
		return keep(txn.ReversalAhead)
	case txn.Approved:
		return keep(txn.ReversalKept)
	case txn.Declined, txn.Reversed:
		r := txn.ReversalNotNeeded
		return txn.Decision{Act: txn.Acknowledge, Reason: r, Action: r.Action()}
	}
	if q.TolerateUnknown {
		return txn.Decision{Act: txn.Acknowledge, Reason: txn.OriginalUnknown, Action: 400}
	}
	return refuse(txn.OriginalUnknown)
}

func keep(r txn.Reason) txn.Decision {
	return txn.Decision{Act: txn.Keep, Reason: r, Action: r.Action()}
}

func refuse(r txn.Reason) txn.Decision {
	return txn.Decision{Act: txn.Refuse, Reason: r, Action: r.Action()}
}

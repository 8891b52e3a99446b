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
	case txn.Overtaken:
		return acknowledge(txn.ReversalNotNeeded)
	}
	effective := q.Original == txn.Waiting || q.Original == txn.Approved
	if effective && q.Path == txn.NoDestination {
		return refuse(txn.NoRoute) // its issuer is gone: nobody to owe it to
	}
	switch q.Original {
	case txn.Waiting:
		return keep(txn.ReversalAhead)
	case txn.Unsent:
		return acknowledge(txn.ReversalWithdraws)
	case txn.Approved:
		return keep(txn.ReversalKept)
	case txn.Declined, txn.Reversed:
		return acknowledge(txn.ReversalNotNeeded)
	}
	// Who reverses a part has had an approval, so a part of nothing is never accepted.
	if q.TolerateUnknown && q.Function != partial {
		return acknowledge(txn.ReversalForetells)
	}
	return refuse(txn.OriginalUnknown)
}

// partial is the function code of a reversal of a part (DE 24; reference iso8583-1993 section 3.2).
const partial = 401

func acknowledge(r txn.Reason) txn.Decision {
	return txn.Decision{Act: txn.Acknowledge, Reason: r, Action: r.Action()}
}

func keep(r txn.Reason) txn.Decision {
	return txn.Decision{Act: txn.Keep, Reason: r, Action: r.Action()}
}

func refuse(r txn.Reason) txn.Decision {
	return txn.Decision{Act: txn.Refuse, Reason: r, Action: r.Action()}
}

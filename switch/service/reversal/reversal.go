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
	part := q.Sequel == txn.ReversesPart
	effective := q.Original == txn.Waiting || q.Original == txn.Approved
	if effective && q.Path == txn.NoDestination {
		return refuse(txn.NoRoute) // its issuer is gone: nobody to owe it to
	}
	switch q.Original {
	case txn.Waiting:
		if part {
			return refuse(txn.InProgress) // what was approved isn't known yet
		}
		return keep(txn.ReversalAhead, q.Amount)
	case txn.Unsent:
		if part {
			return refuse(txn.NothingLeft)
		}
		return acknowledge(txn.ReversalWithdraws)
	case txn.Approved:
		return approved(&q)
	case txn.Declined, txn.Reversed:
		if part {
			return refuse(txn.NothingLeft)
		}
		return acknowledge(txn.ReversalNotNeeded)
	}
	return unknown(&q, part)
}

// unknown decides on the reversal of what isn't known. It may have overtaken its original on
// another connection, and whatever the merchant is told of it, it has given that up: it must not
// take effect any more. Who reverses a part has had an approval, so a part of nothing is never
// accepted, and holds back nothing.
func unknown(q *txn.Request, part bool) txn.Decision {
	switch {
	case part || q.Original == txn.NotNamed || q.Original == txn.OtherCard:
		return refuse(txn.OriginalUnknown)
	case q.Original == txn.Awaited && q.TolerateUnknown:
		return acknowledge(txn.ReversalNotNeeded)
	case q.TolerateUnknown:
		return acknowledge(txn.ReversalForetells)
	}
	return refuse(txn.ReversalTooSoon)
}

// approved decides on the reversal of what stands approved, or of what is left of it.
func approved(q *txn.Request) txn.Decision {
	moves, why := q.Reversal()
	switch {
	case why != txn.None:
		return refuse(why)
	case moves == 0 && q.Left.Approved != 0:
		return acknowledge(txn.ReversalNotNeeded)
	}
	return keep(txn.ReversalKept, moves)
}

func acknowledge(r txn.Reason) txn.Decision {
	return txn.Decision{Act: txn.Acknowledge, Reason: r, Action: r.Action()}
}

func keep(r txn.Reason, moves uint64) txn.Decision {
	return txn.Decision{Act: txn.Keep, Reason: r, Action: r.Action(), Moves: moves}
}

func refuse(r txn.Reason) txn.Decision {
	return txn.Decision{Act: txn.Refuse, Reason: r, Action: r.Action()}
}

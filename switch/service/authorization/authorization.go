// Package authorization decides on requests that wait for the issuer: 11xx and 12xx.
package authorization

import "cardswitch/switch/txn"

// Request decides on an 1100, 1101, 1200 or 1201.
func Request(q txn.Request) txn.Decision {
	switch q.Asked {
	case txn.Pending:
		return txn.Decision{Act: txn.Wait}
	case txn.Answered:
		return txn.Decision{Act: txn.Repeat}
	case txn.Differs:
		return refuse(txn.QuestionDiffers)
	case txn.Overtaken:
		return refuse(txn.ReversedBefore) // the merchant was told that it is undone: it stays so
	}
	moves, why := q.Follow()
	switch {
	case q.StandIn && why != txn.None:
		return refuse(why)
	case q.StandIn:
		return txn.Decision{Act: txn.StandIn}
	}
	switch q.Path {
	case txn.NoDestination:
		return refuse(txn.NoRoute)
	case txn.SignedOff:
		return refuse(txn.IssuerSignedOff)
	case txn.Down:
		return refuse(txn.IssuerDown)
	case txn.Full:
		return refuse(txn.WindowFull)
	}
	if why != txn.None {
		return refuse(why)
	}
	return txn.Decision{Act: txn.Forward, Moves: moves}
}

func refuse(r txn.Reason) txn.Decision {
	return txn.Decision{Act: txn.Refuse, Reason: r, Action: r.Action()}
}

// Answer decides on an 1110 or 1210.
func Answer(a txn.Answer) txn.Decision {
	approved := txn.Approves(a.Action)
	if a.Closed {
		// The reversal was owed when the transaction was closed; a late approval is thereby
		// reversed, and reversing a late denial does no harm (reference section 5.2).
		if approved {
			return txn.Decision{Act: txn.Note, Reason: txn.LateApproval}
		}
		return txn.Decision{Act: txn.Note, Reason: txn.LateDenial}
	}
	if !a.Valid {
		return closing(txn.InvalidAnswer, txn.ReverseInvalid, a.Cancelled)
	}
	if !a.Reachable && approved {
		return closing(txn.Undeliverable, txn.ReverseUndeliverable, a.Cancelled)
	}
	return txn.Decision{Act: txn.Relay, Reason: txn.IssuerAnswered, Action: uint16(a.Action)}
}

// Deadline decides on a request that the issuer left unanswered, for the reason given: the
// outcome is unknown, so it is reversed (promise 4).
func Deadline(r txn.Reason, cancelled bool) txn.Decision {
	return closing(r, txn.ReverseTimeout, cancelled)
}

// NeverSent decides on a request of which not one byte left, for the reason given: nothing to
// reverse.
func NeverSent(r txn.Reason) txn.Decision {
	return txn.Decision{Act: txn.Close, Reason: r, Action: r.Action()}
}

// closing owes no reversal of its own when the merchant's reversal is already on the way.
func closing(r txn.Reason, owe uint16, cancelled bool) txn.Decision {
	if cancelled {
		owe = 0
	}
	return txn.Decision{Act: txn.Close, Reason: r, Action: r.Action(), Owe: owe}
}

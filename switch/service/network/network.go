// Package network decides on network management messages (18xx): sign-on, sign-off, echo, keys.
package network

import "cardswitch/switch/txn"

// Function codes of network management (DE 24; reference iso8583-1993 section 3.2).
const (
	SignOn  = 801
	SignOff = 802
	Echo    = 831
	// KeyChange brings a key, or asks for one (package keychange).
	KeyChange = 811
	// Cutover begins a business day (DE 28), Checkpoint a slice of it (DE 29).
	Cutover    = 821
	Checkpoint = 822
)

// Request decides on an 1804 or 1805 of a center.
func Request(q txn.Request) txn.Decision {
	d := txn.Decision{Act: txn.Acknowledge, Reason: txn.NetworkDone,
		Action: txn.NetworkDone.Action(), Change: q.Change}
	switch q.Function {
	case SignOn:
		d.Next = txn.SignOn
	case SignOff:
		d.Next = txn.SignOff
	case Echo:
	case KeyChange:
		return txn.Decision{Act: txn.TakeKey}
	case Cutover, Checkpoint:
		return txn.Decision{Act: txn.CutOver}
	default:
		if q.Change != txn.None {
			return d
		}
		// The frame of a load has a reason of its own, and no function that all agree on.
		if q.MessageReason >= 8000 && q.MessageReason <= 8002 {
			return txn.Decision{Act: txn.TakeFile}
		}
		return txn.Decision{Act: txn.Refuse, Reason: txn.Unsupported,
			Action: txn.Unsupported.Action()}
	}
	return d
}

// Answer decides on an 1814 to a request of our own with the given function code.
func Answer(function, action int) txn.Decision {
	d := txn.Decision{Act: txn.Note, Reason: txn.NetworkDone, Action: uint16(max(action, 0))}
	if action < 800 || action > 899 {
		d.Reason = txn.NetworkRefused
		return d
	}
	switch function {
	case SignOn:
		d.Next = txn.SignOn
	case SignOff:
		d.Next = txn.SignOff
	}
	return d
}

// Told decides on an 1814 to a cutover or checkpoint that a center was told of. One that it refuses
// is for people; its messages go on all the same, each with its day.
func Told(action int, retry bool) txn.Decision {
	switch {
	case action >= 800 && action <= 899:
		return txn.Decision{Act: txn.Done, Reason: txn.DayAnnounced, Action: uint16(action)}
	case action == 915:
		return txn.Decision{Act: txn.Done, Reason: txn.DayRefused, Action: 915}
	case retry || action < 0:
		return txn.Decision{Act: txn.Retry, Reason: txn.AdviceUnanswered}
	}
	return txn.Decision{Act: txn.Shelve, Reason: txn.AdviceRefused, Action: uint16(action)}
}

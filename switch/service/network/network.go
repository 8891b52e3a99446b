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
)

// Request decides on an 1804 or 1805 of a center.
func Request(q txn.Request) txn.Decision {
	d := txn.Decision{Act: txn.Acknowledge, Reason: txn.NetworkDone,
		Action: txn.NetworkDone.Action()}
	switch q.Function {
	case SignOn:
		d.Next = txn.SignOn
	case SignOff:
		d.Next = txn.SignOff
	case Echo:
	case KeyChange:
		return txn.Decision{Act: txn.TakeKey}
	default:
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

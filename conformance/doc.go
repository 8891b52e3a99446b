// Package conformance holds the tests that keep the house in order.
//
// Its folders are the other side of the wire: simulators of merchants and issuers on moov's
// codec, the count of the money, and the scenarios that certify a partner. None of them parses
// a message with package spec, so that the two ends never share a bug.
package conformance

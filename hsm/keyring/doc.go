// Package keyring holds the zone keys of an installation: what each is for and what it may do now.
//
// A key is a generation of a slot: one purpose, one center or link, one direction. It is received,
// confirmed, accepted, sent with, retires and is destroyed; a step is a pure function of a record
// (state.go), a change makes a new immutable Set (set.go), and which key to use, what to accept and
// what is due are questions to a Set and a time (choose.go, due.go). Sources: reference crypto.md
// sections 4, 7 and 8; PCI PIN 18 to 20, PCI DSS 3.7.
//
// Why generations: a partner's message names the one it is under. What is accepted is looked up,
// never tried, so a forged message can't find a key that fits.
//
// Why the ring swaps a whole value: the path of a message reads it without a lock, and sees either
// the keys before a change or those after it. A change is written down before it is in force: first
// to the audit log, then to the store, then it is swapped in.
//
// No goroutines: whoever owns the ring calls Tend now and then.
package keyring

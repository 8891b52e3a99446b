// Package protect plays a center's end of message codes, PINs and what terminals encrypt.
//
// It is what a simulator does with a message just before it leaves and just after it came: a
// merchant's dresses a request with a PIN block and encrypted card data, both ends put element 53
// and the code (element 64 or 128) around every message and refuse one with a wrong code, and an
// issuer's opens PINs and says whether they are right. Keys are in a file, in clear: of tests only.
//
// The PIN of a test card is the four digits before its check digit.
package protect

// Package keychange is a partner's part in changing keys: 1804 with function code 811. It makes
// those of links, and takes those of codes and PINs too.
//
// It follows what switch/service/keychange tells partners, without a line of its code: element 53
// is the order, element 96 brings the key in a block under the key of the two centers, and the
// answer shows a check value.
package keychange

// Function is element 24 of a message that brings a key.
const Function = "811"

// Action codes of answers.
const (
	Done      = "800"
	Malformed = "904" // elements 53 and 96 don't bring a key
	OutOfStep = "917" // the generation is another key
	NoKeys    = "918" // there is no key block protection key
	Refused   = "921" // the block is wrong, its key isn't for this link, or comes too late
)

// Then is what is left to do when the answer has been sent.
type Then uint8

// What is left to do.
const (
	Nothing Then = iota
	Use          // send under the key
	Took         // the key is in use already
	Make         // make a key and bring it
)

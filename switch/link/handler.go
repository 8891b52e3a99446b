package link

import "cardswitch/spec"

// Handler is the switch behind the links. The calls of one Link come from one goroutine, in this
// order: Up, Received any number of times, Down.
type Handler interface {
	// Up says that a connection stands. Nothing was read from it yet.
	Up(l *Link)

	// Received hands over what one read brought, in order. Slices are valid during the call only.
	// It may block: then this link reads no further, and its peer feels it.
	Received(l *Link, in []Inbound)

	// Down says that the connection ended, once. Unsent are the frames of which provably not one
	// byte left, in the order of Queue, valid during the call only; whatever else was queued and
	// not answered may or may not have arrived.
	Down(l *Link, unsent []Unsent, cause error)
}

// Inbound is one message as it came.
type Inbound struct {
	Frame   []byte // the message without length, TPDU and header
	Message spec.Message
	Fault   spec.Fault
	Prefix  Prefix // for the Queue of its answer
}

// Unsent is a queued frame that never left.
type Unsent struct {
	Tag   uint64
	Frame []byte // the message without length, TPDU and header
}

// Prefix is the TPDU before a message: identity, destination (2), origin (2). The zero value stands
// for the configured one.
type Prefix [5]byte

// answer is the TPDU of the answer to a message that came with p.
func (p Prefix) answer() Prefix {
	return Prefix{p[0], p[3], p[4], p[1], p[2]}
}

// Package envelope is a center's own end of the link envelope, written from the partner's paper.
//
// The paper is hsm/envelope/SPEC.md with its vectors, and sections named here are those of it. The
// switch has another implementation; the two share no code, so that the paper is what they have
// in common. A Session is either end of one connection. It does no input or output: frames go in,
// frames and messages come out, without the length that stands before a frame on the wire.
package envelope

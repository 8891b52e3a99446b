package link

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"cardswitch/hsm/envelope"
)

// Cause is why a connection ended, or was not taken at all. It is an error itself, so that
// errors.Is(cause, link.Silence) works on what Handler.Down is told.
type Cause uint8

// The causes.
const (
	Unknown       Cause = iota
	PeerClosed          // the center ended it
	ReadFailed          // reset or unreachable
	WriteFailed         //
	Silence             // nothing came within the read timeout
	WriteStall          // the peer took nothing within the write timeout
	LengthFault         // a length that can't be: no digits, or less than its own size
	TooLong             // a frame over the bound
	EmptyFrame          // where empty frames are no heartbeat
	ShortFrame          // less than TPDU or header
	WrongHeader         // not the fixed header
	EchoMissed          // too many echoes without answer
	Drained             // the drain is complete
	DrainTooLong        // requests stayed in flight for the whole drain timeout
	Removed             // no longer configured
	Stopped             // the switch stops
	Closed              // by the switch or an operator
	Panicked            // a programming error, confined to this connection
	NotAllowed          // the source address
	HandshakeFail       // TLS
	WrongName           // the certificate's names
	Unidentified        // no center recognised by its first message
	TooMany             // connections of the line, or waiting to be known
	NotServing          // the line is drained
	Refused             // an envelope that isn't the next one of this connection, or no agreement
	OldTerm             // the center has another active node since
	KeyExpired          // the link key's crypto-period has ended
	Fenced              // this node is not the active one any more
	Cut                 // by a drill
	causes
)

var causeTexts = [causes]string{
	Unknown:       "unknown",
	PeerClosed:    "peer closed",
	ReadFailed:    "read failed",
	WriteFailed:   "write failed",
	Silence:       "silence",
	WriteStall:    "write stall",
	LengthFault:   "length fault",
	TooLong:       "frame too long",
	EmptyFrame:    "empty frame",
	ShortFrame:    "short frame",
	WrongHeader:   "wrong header",
	EchoMissed:    "echo missed",
	Drained:       "drained",
	DrainTooLong:  "drain too long",
	Removed:       "removed",
	Stopped:       "stopped",
	Closed:        "closed",
	Panicked:      "panic",
	NotAllowed:    "source not allowed",
	HandshakeFail: "TLS handshake failed",
	WrongName:     "wrong certificate name",
	Unidentified:  "center not identified",
	TooMany:       "too many connections",
	NotServing:    "not serving",
	Refused:       "envelope refused",
	OldTerm:       "old term",
	KeyExpired:    "link key expired",
	Fenced:        "node not active",
	Cut:           "cut by a drill",
}

// String is the cause in words; also its label in metrics.
func (c Cause) String() string {
	if c < causes {
		return causeTexts[c]
	}
	return causeTexts[Unknown]
}

// Error is String.
func (c Cause) Error() string { return c.String() }

// causeOf finds the cause in an error; any other error is a Closed one.
func causeOf(err error) Cause {
	if c, ok := errors.AsType[Cause](err); ok && c < causes {
		return c
	}
	return Closed
}

// refusal is the cause for what an envelope refuses.
func refusal(err error) Cause {
	if envelope.CauseOf(err) == envelope.OldTerm {
		return OldTerm
	}
	return Refused
}

// isRefusal tells whether our side refused what the center sent, so that it is told.
func (c Cause) isRefusal() bool { return c == Refused || c == OldTerm }

func because(c Cause, err error) error {
	return fmt.Errorf("%w: %w", c, err)
}

func readCause(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return PeerClosed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Silence
	case errors.Is(err, net.ErrClosed):
		return Closed
	}
	return because(ReadFailed, err)
}

func writeCause(err error) error {
	if errors.Is(err, Fenced) {
		return Fenced
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return WriteStall
	}
	return because(WriteFailed, err)
}

package envelope

import "errors"

// ErrRefused is what every Cause is: errors.Is(cause, ErrRefused).
var ErrRefused = errors.New("envelope: refused")

// Cause is why a frame, a handshake or an order was refused. It is for audit and metrics on our
// side; the peer is told nothing but that we refused. It is an error itself, and its text holds no
// part of a message or key.
type Cause uint8

// The causes.
const (
	// None is no refusal.
	None Cause = iota

	Short           // less than the smallest frame of its kind
	TooLong         // over the bound
	WrongMagic      // the first byte
	WrongVersion    //
	WrongType       // unknown, or out of turn
	WrongSuite      // not the session's
	WrongFlags      // a flag that must be 0
	WrongDirection  // a frame of our own side
	WrongSession    // the session id of another connection
	WrongGeneration // neither the current one nor one installed and still to come
	WrongEpoch      // neither the current one nor the next
	WrongSequence   // not exactly the next
	WrongTag        // the tag or MAC
	WrongContent    // padding, or what a close says
	KeyLimit        // the peer used a key longer than it may

	BadHello      // a hello or its answer that can't be read
	UnknownKey    // no such link, or no key of that generation
	NoSuite       // no suite in common
	NoShare       // a share that we require is missing
	BadShare      // a share that is no key
	WrongFinished // the two sides did not see the same hellos: a downgrade
	OldTerm       // of a node that isn't the peer's active one any more
	KeyFailed     // whoever holds the link key did not answer
	Alerted       // the peer refused us

	Empty        // a message of no bytes
	Exhausted    // the last epoch of the generation is used up
	NotInstalled // a switch to a generation that is not pending
	NotLater     // a generation at or before the last installed
	TooManyKeys  // too many generations installed that were never used
	Ended        // the session, or this half of it, is over
	BadPolicy    // a policy or a link id that can't be

	causes // how many there are
)

var causeTexts = [causes]string{
	None:            "none",
	Short:           "short frame",
	TooLong:         "frame too long",
	WrongMagic:      "wrong magic",
	WrongVersion:    "wrong version",
	WrongType:       "wrong type",
	WrongSuite:      "wrong suite",
	WrongFlags:      "wrong flags",
	WrongDirection:  "wrong direction",
	WrongSession:    "wrong session",
	WrongGeneration: "wrong generation",
	WrongEpoch:      "wrong epoch",
	WrongSequence:   "wrong sequence",
	WrongTag:        "wrong tag",
	WrongContent:    "wrong content",
	KeyLimit:        "key limit passed",
	BadHello:        "bad hello",
	UnknownKey:      "unknown link or key",
	NoSuite:         "no common suite",
	NoShare:         "no share",
	BadShare:        "bad share",
	WrongFinished:   "hellos differ",
	OldTerm:         "old term",
	KeyFailed:       "link key failed",
	Alerted:         "refused by the peer",
	Empty:           "empty message",
	Exhausted:       "generation exhausted",
	NotInstalled:    "generation not installed",
	NotLater:        "generation not later",
	TooManyKeys:     "too many pending generations",
	Ended:           "session ended",
	BadPolicy:       "bad policy",
}

// Causes are all there are, in order, as for metrics that begin at zero.
func Causes() []Cause {
	all := make([]Cause, 0, causes-1)
	for c := None + 1; c < causes; c++ {
		all = append(all, c)
	}
	return all
}

// String is the cause in words; also its label in metrics.
func (c Cause) String() string {
	if c < causes {
		return causeTexts[c]
	}
	return "unknown"
}

// Error is String.
func (c Cause) Error() string { return "envelope: " + c.String() }

// Is makes every cause an ErrRefused.
func (c Cause) Is(target error) bool { return target == ErrRefused }

// CauseOf finds the cause in an error of this package; None if there is none.
func CauseOf(err error) Cause {
	c, _ := errors.AsType[Cause](err)
	return c
}

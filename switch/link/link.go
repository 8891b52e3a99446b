package link

import "time"

// State is how far a link's session is.
type State uint32

// The states of a link.
const (
	Down     State = iota
	Up             // connected, not signed on
	SignedOn       // ready for requests
	Draining       // no new requests; it ends when those in flight are answered
)

// String is the state as operators read it.
func (s State) String() string {
	switch s {
	case Up:
		return "up"
	case SignedOn:
		return "signed-on"
	case Draining:
		return "draining"
	}
	return "down"
}

// Link is one live connection.
type Link struct {
	// Data is the handler's own. It may be set in Handler.Up and read in later calls.
	Data any

	line *Line
}

// ID is the registry's number of the line, Number counts connections since the start.
func (l *Link) ID() uint16      { return l.line.config.ID }
func (l *Link) Number() uint64  { return 0 }
func (l *Link) Name() string    { return l.line.config.Name }
func (l *Link) Order() int      { return l.line.config.Order }
func (l *Link) Line() *Line     { return l.line }
func (l *Link) Center() *Center { return l.line.center }
func (l *Link) State() State    { return Down }

// SetSignedOn is told by the switch when sign-on or sign-off was agreed.
func (l *Link) SetSignedOn(on bool) {}

// Queue copies frame, with its length and prefix, to what waits to be written. Prefix is the one of
// the message that frame answers, else zero. It is false, and nothing is queued, if the link is down
// or too much waits already. It makes no system call: Flush does.
func (l *Link) Queue(tag uint64, frame []byte, prefix Prefix) bool { return false }

// Flush wakes the writer: all that waits leaves in one write.
func (l *Link) Flush() {}

// Acquire counts a request in flight on this link and its center. It is false, and nothing is
// counted, if the center's window, or the part of it that a slow start allows, is full.
func (l *Link) Acquire() bool { return false }

// Release is told once for each Acquire, whatever became of the request, on a dead link too.
func (l *Link) Release()      {}
func (l *Link) InFlight() int { return 0 }

// Reported tells the outcome of a request on this link: answered in so much time, or timed out.
func (l *Link) Reported(answered bool, latency time.Duration) {}

// Drain lets no new requests in; Due says when to sign off and the link ends.
func (l *Link) Drain() {}

// Close writes what waits, then ends the connection.
func (l *Link) Close(cause error) {}

// Duty is network management that is owed on a link.
type Duty uint8

// The duties.
const (
	Nothing     Duty = iota
	SendSignOn       // 1804/801
	SendEcho         // 1804/831
	SendSignOff      // 1804/802
)

// Due says what the switch must send on this link now; the answer (or none) is waited for from then
// on. It also ends the link if too many echoes stayed without answer, or if its drain is complete.
// Call it for every link some times a second.
func (l *Link) Due(now time.Time) Duty { return Nothing }

// NetworkAnswered says that the answer to a Duty came. Accepted sign-ons and sign-offs change the
// state.
func (l *Link) NetworkAnswered(duty Duty, accepted bool) {}

// LastReceived and LastSent are when bytes last came and went.
func (l *Link) LastReceived() time.Time { return time.Time{} }
func (l *Link) LastSent() time.Time     { return time.Time{} }

package link

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"cardswitch/spec"
)

// Config is all that a Network must know. Zero values of times and bounds mean the defaults.
type Config struct {
	Centers []CenterConfig
	Logger  *slog.Logger // nil: slog.Default

	// Listen and Dial are where connections come from; nil is TCP. Simulations bring their own.
	Listen func(address string) (net.Listener, error)
	Dial   func(ctx context.Context, address string) (net.Conn, error)

	// Ready gives the connections that were made for lines ahead of time; nil: there are none. Start
	// asks for them once, and closes those that no line has a use for.
	Ready func() []*Idle

	// MayLeave tells whether this node may send now; nil: always. It is asked before each system call
	// that writes, from many goroutines, so it must be cheap. Where it says no, nothing is written,
	// what waits is dropped and the connection is reset.
	MayLeave func() bool

	// Term is that in which this node was made the active one, for centers that heed it; 0: there is
	// none, as where several nodes serve at once.
	Term uint64

	// Seed makes the jitter of the dialers repeatable; 0 draws one.
	Seed uint64
}

// Role is the side of a center.
type Role uint8

// The roles.
const (
	Merchant Role = iota + 1
	Issuer
)

// String is the role as the configuration writes it.
func (r Role) String() string {
	switch r {
	case Merchant:
		return "merchant"
	case Issuer:
		return "issuer"
	}
	return "unknown"
}

// SignOn says who signs on over a fresh connection.
type SignOn uint8

// The ways to sign on.
const (
	SignOnPeer SignOn = iota + 1 // the center sends 1804/801
	SignOnUs                     // the switch does
	SignOnNone                   // connected is signed on
)

// CenterConfig is one center with its lines.
type CenterConfig struct {
	ID      uint16 // of the registry
	Name    string
	Role    Role
	Dialect *spec.Dialect

	// Identities are the values of DE 32, DE 33 and DE 94 that tell this center from others that
	// connect to the same address.
	Identities []string

	Window   int // requests in flight
	SignOn   SignOn
	Echo     Echo
	Failover Failover
	Links    []LinkConfig
}

// Echo is when a silent link is tested: after that much silence, waiting that long for the answer,
// closing the link after that many without one.
type Echo struct {
	After  time.Duration // 0: never
	Wait   time.Duration
	Misses int
}

// Failover is when a line that still stands counts as sick. Answers later than Slow count as
// errors.
type Failover struct {
	Errors    int           // so many errors (0: never) ...
	Within    time.Duration // ... in this time ...
	Share     int           // ... if they are at least this percentage of all outcomes
	Slow      time.Duration // 0: however late
	Hold      time.Duration // a sick or lost line isn't preferred again for so long
	SlowStart time.Duration // then its window opens over this time
}

// LinkConfig is one line to a center: an address to listen on or one to dial.
type LinkConfig struct {
	ID     uint16 // of the registry
	Name   string
	Order  int // 0 primary, 1 standby, 2 DR
	Listen string
	Dial   string

	From           []netip.Prefix // who may connect; empty is nobody
	MaxConnections int            // of a listening line

	Framing   Framing
	TLS       *TLS      // nil: plain
	Envelope  *Envelope // nil: messages travel as they are
	MaxFrame  int       // bytes after the length header, without what an envelope adds
	KeepAlive bool      // an empty frame is the peer's heartbeat; otherwise a fault
	Greeting  Greeting  // of connections kept ready; nil: nothing is said on them
	Passed    string    // the protection of who passes its connections on; empty: nobody does

	QueueBytes     int           // of frames waiting to be written
	ReadTimeout    time.Duration // silence that ends a connection
	WriteTimeout   time.Duration // for the peer to take some bytes
	ConnectTimeout time.Duration
	DrainTimeout   time.Duration
	Redial         Redial
}

// Framing is how messages are cut from the stream: length, then TPDU or header, then message.
type Framing struct {
	Length    string // binary2, binary4, ascii4
	Inclusive bool   // the length counts itself
	TPDU      bool   // 5 bytes before each message, turned around in answers
	Header    string // hex: fixed bytes before each message, or our own TPDU
}

// TLS asks for TLS 1.3 with certificates on both sides. All of it must be there.
type TLS struct {
	Cert, Key, CA string   // PEM files
	Names         []string // DNS names, one of which the peer's certificate must have
}

// Redial is the back-off of a dialer: from First doubling to Max, each with jitter; a connection
// that stood for Stable resets it.
type Redial struct {
	First, Max, Stable time.Duration
}

package envelope

import (
	"bytes"
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Options are what an end has agreed on by contract.
type Options struct {
	Link      string         // link id, 1 to 64 characters
	Keys      map[uint16]Key // link keys by generation; the latest is proposed
	Initiator bool           // it dialled the connection
	Suites    []Suite        // that it allows; default GCM alone
	Padding   bool           // an initiator asks for it, an acceptor adds it
	Share     bool           // X25519 and ML-KEM-768 are offered, or answered
	NeedShare bool           // without the other's share it refuses

	Terms *Terms // of the other end, which is asked for its term; nil: nobody asks, and heeds none
	Term  uint64 // ours, 0 if we are no cluster
	// Standby is, of an initiator, that it says its term later (Raise), and of an acceptor, that it
	// takes such. It needs Terms.
	Standby bool
	Over    func() // called once if a higher term ends the session; it may be nil

	EpochFrames uint64        // of our choice an epoch, default 2^24
	EpochTime   time.Duration // of our choice, default an hour
	Random      io.Reader     // default the system's
}

// phase is how far a session is.
type phase int

const (
	greets  phase = iota // the next frame is a hello, or a hello-ack
	proving              // it is the other's finished
	standing
	dead
)

// Session is one end of one connection. Its methods may be called from several goroutines; what
// Seal returns must go out in the order in which it was made.
type Session struct {
	mu      sync.Mutex
	options Options
	phase   phase
	connection
	hello    []byte // of an initiator: the frame that it sent
	proposed uint16
	x25519   *ecdh.PrivateKey
	mlkem    *mlkem.DecapsulationKey768
	out, in  way

	term  uint64 // of the other end, 0 if it said none
	waits bool   // for the term of a standby
	since uint64 // the highest term there was when the session began to stand
}

// Event is what came of a frame.
type Event struct {
	Message []byte   // a message of the other end, nil if there was none
	Send    [][]byte // frames to send now, also beside an error
	Closed  bool     // the other end sends nothing more
}

// Errors that tell ends apart. Any other error of Receive is the refusal of a frame.
var (
	ErrAlert       = errors.New("the other end refused a frame")
	ErrNotStanding = errors.New("the session doesn't stand")
	ErrInstalled   = errors.New("the generation is installed already")
	ErrExhausted   = errors.New("the keys are used up; a new generation is needed")
)

// Initiate begins a session of the end that dialled. The frame is its hello.
func Initiate(o Options) (*Session, []byte, error) {
	o.Initiator = true
	s, err := newSession(o)
	if err != nil {
		return nil, nil, err
	}
	g := greeting{link: o.Link, suites: s.options.Suites, padding: o.Padding, term: s.said(),
		standby: o.Standby}
	if _, err := io.ReadFull(s.options.Random, s.session[:]); err != nil {
		return nil, nil, err
	}
	if _, err := io.ReadFull(s.options.Random, s.nonceI[:]); err != nil {
		return nil, nil, err
	}
	g.nonce = s.nonceI
	if o.Share || o.NeedShare {
		if g.share, err = s.offerShare(); err != nil {
			return nil, nil, err
		}
	}
	s.proposed = latest(o.Keys)
	h := header{kind: hello, generation: s.proposed, session: s.session}
	s.hello = append(h.bytes(), g.bytes(hello)...)
	return s, s.hello, nil
}

// said is the term that we say, nil for none.
func (s *Session) said() *uint64 {
	if s.options.Terms == nil {
		return nil
	}
	return &s.options.Term
}

// Accept begins a session of the end that was dialled; it waits for a hello.
func Accept(o Options) (*Session, error) {
	o.Initiator = false
	return newSession(o)
}

func newSession(o Options) (*Session, error) {
	if !goodLink(o.Link) {
		return nil, errors.New("a link id has 1 to 64 characters from ! to ~")
	}
	if o.Standby && (o.Terms == nil || o.Initiator && o.Term != 0) {
		return nil, errors.New("a standby has terms, and none of its own")
	}
	if len(o.Keys) == 0 {
		return nil, fmt.Errorf("link %s has no key", o.Link)
	}
	if len(o.Suites) == 0 {
		o.Suites = []Suite{GCM}
	}
	if o.EpochFrames == 0 {
		o.EpochFrames = 1 << 24
	}
	if o.EpochTime == 0 {
		o.EpochTime = time.Hour
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	s := &Session{options: o}
	s.link = o.Link
	s.out, s.in = way{label: "a2i", number: 1}, way{label: "i2a"}
	if o.Initiator {
		s.out, s.in = s.in, s.out
	}
	return s, nil
}

// latest is the generation that comes after all others.
func latest(keys map[uint16]Key) uint16 {
	first := true
	var last uint16
	for g := range keys {
		if first || later(g, last) {
			first, last = false, g
		}
	}
	return last
}

// later reports whether a is 1 to 32,767 ahead of b, counted round.
func later(a, b uint16) bool { return a != b && a-b <= 32767 }

func (s *Session) allows(suite Suite) bool { return slices.Contains(s.options.Suites, suite) }

// Receive takes one frame as it came. After an error the session is dead; send what the event
// has, and hang up.
func (s *Session) Receive(frame []byte) (Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == dead {
		return Event{}, ErrNotStanding
	}
	if s.phase != standing && isClearAlert(frame, s.in.number) {
		s.phase = dead
		return Event{}, ErrAlert
	}
	e, err := s.take(frame)
	if err == nil {
		return e, nil
	}
	var alert []byte
	switch {
	case errors.Is(err, ErrAlert):
	case s.phase == standing:
		alert, _ = s.sealNext(closing, []byte{1}) // without keys there's nothing to say
	default:
		alert = clearAlert(s.out.number)
	}
	s.phase = dead
	if alert == nil {
		return Event{}, err
	}
	return Event{Send: [][]byte{alert}}, err
}

func isClearAlert(frame []byte, direction byte) bool {
	return bytes.Equal(frame, clearAlert(direction))
}

func (s *Session) take(frame []byte) (Event, error) {
	h, body, err := split(frame)
	if err != nil {
		return Event{}, err
	}
	if h.direction != s.in.number {
		return Event{}, errors.New("a frame of our own direction")
	}
	switch s.phase {
	case greets:
		if len(frame) > maxHello {
			return Event{}, errors.New("a hello that is too long")
		}
		if s.options.Initiator {
			return Event{}, s.takeAck(h, body, frame)
		}
		return s.takeHello(h, body, frame)
	case proving:
		return s.takeFinished(h, body, frame)
	default:
		return s.takeSealed(h, body, frame)
	}
}

// Standing reports whether messages may be sent.
func (s *Session) Standing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase == standing
}

// State is what a handshake settled, and where both directions are.
type State struct {
	Suite                     Suite
	Padded, Shared            bool
	Sending, Receiving        uint16 // generations
	SendingEpoch, TakingEpoch uint16
	Term                      uint64 // of the other end, 0 if it said none
	Waits                     bool   // for the term of a standby
}

// State is zero before the session stands.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase < standing {
		return State{}
	}
	return State{s.suite, s.padded, s.shares != nil, s.out.generation, s.in.generation,
		s.out.epoch, s.in.epoch, s.term, s.waits}
}

package envelope

import (
	"fmt"
	"io"
	"math"
	"sync"
)

// Session is the envelope of one connection, once both sides have proven themselves. Its halves
// are for one goroutine each; its own methods are for any.
type Session struct {
	sealer Sealer
	opener Opener
	suite  Suite
	padded bool
	termed bool // the peer said a term, be it 0
	waits  bool // it was agreed that the initiator says its term later

	mu     sync.Mutex
	origin origin
	last   uint16 // generation installed
	span   int    // how far last is from the first generation
	ended  bool
}

// Position is the generation and epoch that one direction stands at.
type Position struct{ Generation, Epoch uint16 }

// Sealer is the sending half.
func (s *Session) Sealer() *Sealer { return &s.sealer }

// Opener is the receiving half.
func (s *Session) Opener() *Opener { return &s.opener }

// Link is the link id that the initiator named, and has proven to have the key of.
func (s *Session) Link() string { return s.origin.link }

// ID is the session id: random, not secret, for logs of both sides.
func (s *Session) ID() [8]byte { return s.origin.session }

// Suite is what both sides agreed on.
func (s *Session) Suite() Suite { return s.suite }

// Padded tells whether contents are padded to multiples of 64 bytes.
func (s *Session) Padded() bool { return s.padded }

// Hybrid tells whether shares were exchanged, so that the link key alone opens nothing later.
func (s *Session) Hybrid() bool { return s.origin.hybrid }

// Term is the term that the peer has proven to be of; 0: it said none, or has none.
func (s *Session) Term() uint64 { return s.opener.said.Load() }

// hear takes in what the peer says of its term, nil for nothing.
func (s *Session) hear(term *uint64) {
	if term != nil {
		s.opener.said.Store(*term)
		s.termed = true
	}
}

// Waits tells whether it was agreed that the initiator, a standby, says its term later.
func (s *Session) Waits() bool { return s.waits }

// Heed has other Terms of the same peer count for the session from now on; false: they have heard
// of a higher one than the peer's. Nobody opens frames meanwhile.
func (s *Session) Heed(terms *Terms) bool { return s.opener.admit(terms, s.Term()) }

// Heeded tells whether the peer knows of terms, so that it has heard ours.
func (s *Session) Heeded() bool { return s.termed }

// Over tells whether the peer has proven a higher term since, on another connection: nothing that
// comes over this one will be opened any more. It is for any goroutine.
func (s *Session) Over() bool { return s.opener.over() }

// Positions are where the two directions stand. An old link key has served on this connection when
// both have left it.
func (s *Session) Positions() (sending, receiving Position) {
	return s.sealer.place.get(), s.opener.place.get()
}

// Install makes a new generation of the link key usable on this connection, by us and by the peer.
// It asks the PRF, which may take long; traffic goes on meanwhile.
//
// Install before you tell the peer that you have the key: from then on it may send with it.
// Generations come in order, each later than the one before; a number is later if it is 1 to 32767
// ahead, counted round from 65535 to 0, and no number comes twice on a connection. One that waits
// is never replaced by the next; NotLater and TooManyKeys refuse, and change nothing.
func (s *Session) Install(number uint16, prf PRF) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ahead := int(number - s.last) // counted round
	switch {
	case s.ended:
		return Ended
	case ahead == 0, ahead > math.MaxInt16, s.span+ahead > math.MaxUint16:
		return NotLater
	case s.sealer.pending.len() == mostPending, s.opener.pending.len() == mostPending:
		return TooManyKeys
	}
	next, err := s.origin.secret(number, prf)
	if err != nil {
		return fmt.Errorf("%w: generation %d: %w", KeyFailed, number, err)
	}
	defer next.wipe()
	s.opener.pending.add(number, &next)
	s.sealer.pending.add(number, &next)
	s.last, s.span = number, s.span+ahead
	return nil
}

// Switch makes the sealer go on with an installed generation from its next frame. Generations
// between are skipped. Call it when the peer has said that it has the key. It is no error if the
// sealer is there already; NotInstalled if the generation isn't pending, as one that was passed.
func (s *Session) Switch(number uint16) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return Ended
	}
	fault := None
	s.sealer.orders.request(func(o *orders) {
		p := &s.sealer.pending
		p.mu.Lock()
		defer p.mu.Unlock()
		at, ordered := p.find(number), p.find(o.target)
		switch {
		case at < 0 && s.sealer.place.get().Generation == number && !o.turn:
		case at < 0, o.turn && at < ordered:
			fault = NotInstalled
		default:
			o.target, o.turn, o.ratchet = number, true, false
		}
	})
	if fault != None {
		return fault
	}
	return nil
}

// Ratchet makes the sealer go on with the next epoch from its next frame. The sealer does so itself
// after Policy.EpochFrames; call it by the clock, for connections that carry little.
func (s *Session) Ratchet() { s.sealer.orders.request(func(o *orders) { o.ratchet = true }) }

// End forgets all secrets. Call it when the goroutines of both halves have ended.
func (s *Session) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.origin.wipe()
	s.sealer.end()
	if s.opener.end == nil {
		s.opener.finish(Ended)
	}
}

// Format shows what isn't secret, whatever the verb.
func (s *Session) Format(f fmt.State, _ rune) {
	sending, receiving := s.Positions()
	fmt.Fprintf(f, "session %x of %s: %v, sends %d/%d, receives %d/%d", s.origin.session,
		s.origin.link, s.suite, sending.Generation, sending.Epoch,
		receiving.Generation, receiving.Epoch)
}

// Format shows nothing of the keys, whatever the verb.
func (s *Sealer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(sealer)") }

// Format shows nothing of the keys, whatever the verb.
func (o *Opener) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(opener)") }

// Format shows nothing of the keys, whatever the verb.
func (h *Handshake) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(handshake)") }

package envelope

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	mostFrames  = 1 << 32 // an epoch, section 10
	mostBlocks  = 1 << 20 // of 8 bytes an epoch, suite 81
	mostPending = 8       // generations
)

// way is one direction: where it is, and which generations wait for it.
type way struct {
	label  string // i2a or a2i
	number byte   // in the header

	generation, epoch uint16
	secret            []byte // S of the epoch
	keys              keys
	next              uint64 // sequence number
	blocks            uint64
	begun             time.Time
	closed            bool

	pending   []pending
	installed uint16 // the last generation installed
	used      map[uint16]bool
}

// pending is a generation that nothing came under yet.
type pending struct {
	generation uint16
	secret     []byte
}

// position is the way at the beginning of an epoch.
func (s *Session) position(w *way, generation, epoch uint16, secret []byte) (way, error) {
	material, err := s.material(w.label, generation, epoch, secret)
	if err != nil {
		return way{}, err
	}
	next := *w
	next.generation, next.epoch, next.secret = generation, epoch, secret
	next.next, next.blocks, next.begun = 0, 0, time.Now()
	next.keys, err = newKeys(s.suite, material, s.options.Random)
	return next, err
}

// ratchet is the way one epoch on.
func (s *Session) ratchet(w *way) (way, error) {
	if w.epoch == math.MaxUint16 {
		return way{}, ErrExhausted
	}
	secret, err := ratchet(w.secret)
	if err != nil {
		return way{}, err
	}
	return s.position(w, w.generation, w.epoch+1, secret)
}

// turn is the way at a pending generation; those before it are gone.
func (s *Session) turn(w *way, generation uint16) (way, error) {
	n := slices.IndexFunc(w.pending, func(p pending) bool { return p.generation == generation })
	if n < 0 {
		return way{}, fmt.Errorf("generation %d isn't pending", generation)
	}
	next, err := s.position(w, generation, 0, w.pending[n].secret)
	next.pending = slices.Clone(w.pending[n+1:])
	return next, err
}

// Seal puts a message in an envelope.
func (s *Session) Seal(message []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != standing || s.out.closed || s.options.Terms.over(s) {
		return nil, ErrNotStanding
	}
	if len(message) == 0 {
		return nil, errors.New("a message has a byte at least")
	}
	due := s.out.next >= s.options.EpochFrames || time.Since(s.out.begun) >= s.options.EpochTime
	if due && s.out.next > 0 && s.out.epoch < math.MaxUint16 {
		if err := s.advance(); err != nil {
			return nil, err
		}
	}
	return s.sealNext(data, message)
}

// Raise is the frame by which a standby says that it is the active node now, and of which term.
func (s *Session) Raise(term uint64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != standing || !s.waits || !s.options.Initiator {
		return nil, ErrNotStanding
	}
	s.waits = false
	return s.sealNext(raising, binary.BigEndian.AppendUint64(nil, term))
}

// Close is the frame that says that we send nothing more; of a session that a higher term ended,
// the alert. There is none if that was said, or if the session never stood.
func (s *Session) Close() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != standing || s.out.closed {
		return nil
	}
	why := byte(0)
	if s.options.Terms.over(s) {
		why = 1
	}
	frame, _ := s.sealNext(closing, []byte{why})
	s.out.closed = true
	return frame
}

// sealNext makes the next frame. One that would break a limit begins the next epoch.
func (s *Session) sealNext(k kind, content []byte) ([]byte, error) {
	if s.out.closed {
		return nil, ErrNotStanding
	}
	if s.padded {
		content = pad(content)
	}
	size := s.out.keys.size(len(content))
	if headerSize+size > maxFrame {
		return nil, fmt.Errorf("a message of %d bytes has no room in a frame", len(content))
	}
	if s.out.next >= mostFrames || s.out.blocks+s.out.keys.blocks(size) > mostBlocks {
		if err := s.advance(); err != nil {
			return nil, err
		}
	}
	h := header{k, s.suite, s.out.number, s.out.generation, s.out.epoch, s.session, s.out.next}
	head := h.bytes()
	body, err := s.out.keys.seal(head, s.out.next, content)
	if err != nil {
		return nil, err
	}
	s.out.next++
	s.out.blocks += s.out.keys.blocks(size)
	return append(head, body...), nil
}

// takeSealed is section 8.
func (s *Session) takeSealed(h header, body, frame []byte) (Event, error) {
	if h.kind != data && h.kind != closing && h.kind != raising {
		return Event{}, fmt.Errorf("a frame of type %d in a session", h.kind)
	}
	if s.in.closed {
		return Event{}, errors.New("a frame after the close")
	}
	content, next, err := s.open(h, body, frame)
	if err != nil {
		return Event{}, err
	}
	s.in = next
	if err := s.options.Terms.take(s, h.kind == data); err != nil {
		return Event{}, err
	}
	switch {
	case h.kind == data && len(content) > 0:
		return Event{Message: content}, nil
	case h.kind == raising:
		return Event{}, s.options.Terms.raise(s, content)
	case h.kind == closing && string(content) == "\x00":
		s.in.closed = true
		return Event{Closed: true}, nil
	case h.kind == closing && string(content) == "\x01":
		return Event{}, ErrAlert
	}
	return Event{}, errors.New("a wrong content")
}

// open opens a frame at the position that it claims, and gives the way as it is after it.
func (s *Session) open(h header, body, frame []byte) ([]byte, way, error) {
	if h.suite != s.suite || h.session != s.session {
		return nil, way{}, errors.New("a frame of another session or suite")
	}
	next, err := s.claimed(h)
	if err != nil {
		return nil, way{}, err
	}
	if len(body) < 16 {
		return nil, way{}, errTag
	}
	blocks := next.blocks + next.keys.blocks(len(body))
	if next.next >= mostFrames || blocks > mostBlocks {
		return nil, way{}, errors.New("more under one key than the limit")
	}
	content, err := next.keys.open(frame[:headerSize], h.sequence, body)
	if err != nil {
		return nil, way{}, err
	}
	if s.padded {
		if content, err = unpad(content); err != nil {
			return nil, way{}, err
		}
	}
	next.next++
	next.blocks = blocks
	return content, next, nil
}

// claimed is the way at the position of a header: this epoch, the next one, or a new generation.
func (s *Session) claimed(h header) (way, error) {
	w := &s.in
	switch {
	case h.generation == w.generation && h.epoch == w.epoch:
		if h.sequence != w.next {
			return way{}, fmt.Errorf("sequence number %d, not %d", h.sequence, w.next)
		}
		return *w, nil
	case h.sequence != 0:
		return way{}, errors.New("new keys begin with sequence number 0")
	case h.generation == w.generation && int(h.epoch) == int(w.epoch)+1:
		return s.ratchet(w)
	case h.generation != w.generation && h.epoch == 0:
		return s.turn(w, h.generation)
	}
	return way{}, errors.New("a generation or epoch that isn't next")
}

// Install adds a generation to those that the other end may use from now on, and we after Switch.
func (s *Session) Install(generation uint16, linkKey Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != standing {
		return ErrNotStanding
	}
	for _, w := range []*way{&s.out, &s.in} {
		switch {
		case generation == w.installed:
			return ErrInstalled
		case !later(generation, w.installed) || w.used[generation]:
			return fmt.Errorf("generation %d isn't later than %d", generation, w.installed)
		case len(w.pending) >= mostPending:
			return fmt.Errorf("%d generations are pending already", mostPending)
		}
	}
	secret, err := s.secret(generation, linkKey)
	if err != nil {
		return err
	}
	for _, w := range []*way{&s.out, &s.in} {
		w.pending = append(w.pending, pending{generation, secret})
		w.installed = generation
		w.used[generation] = true
	}
	return nil
}

// Switch lets what we send from now on go under an installed generation, if it doesn't already.
func (s *Session) Switch(generation uint16) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != standing {
		return ErrNotStanding
	}
	if generation == s.out.generation {
		return nil
	}
	next, err := s.turn(&s.out, generation)
	if err != nil {
		return err
	}
	s.out = next
	return nil
}

// Ratchet goes to the next epoch with the next frame. An epoch has one frame at least, since the
// other end can't follow two steps at once; so before that it does nothing.
func (s *Session) Ratchet() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != standing {
		return ErrNotStanding
	}
	if s.out.next == 0 {
		return nil
	}
	return s.advance()
}

func (s *Session) advance() error {
	next, err := s.ratchet(&s.out)
	if err != nil {
		return err
	}
	s.out = next
	return nil
}

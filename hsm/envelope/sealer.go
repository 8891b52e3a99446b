package envelope

import (
	"encoding/binary"
	"slices"
)

// Sealer is the sending half of a session. One goroutine uses it, the one that also decides the
// order on the wire; it needs no lock. Frames must leave in the order in which they were sealed,
// each exactly once.
type Sealer struct {
	channel     *channel
	epochFrames uint64
	most        int // bytes a frame
	ended       bool
	waits       bool // for our term
	pending     pending
	orders      orders
	place       place
}

// Headroom is how many bytes of a frame come before the message. It is the same for the whole
// session.
func (s *Sealer) Headroom() int { return s.channel.headroom() }

// Size is that of the frame for a message of n bytes, so that its length can be written first.
func (s *Sealer) Size(n int) int { return s.channel.size(n) }

// Seal appends the frame of message to dst. It writes no length: Size tells that beforehand.
//
// The message may lie apart from dst, or already at its place in dst's spare room, which begins at
// len(dst)+Headroom(). With capacity for Size(len(message)) more bytes nothing is allocated, and a
// message at its place isn't moved.
//
// Empty and TooLong refuse this message only. Any other error is the end of the sealer: Exhausted
// asks for a new generation or a new connection, Ended says that the session is over. With an error
// dst comes back as it was.
func (s *Sealer) Seal(dst, message []byte) ([]byte, error) {
	if s.orders.news.Load() {
		if fault := s.obey(typeData); fault != None {
			return dst, fault
		}
	}
	return s.seal(dst, message, typeData)
}

// Raise appends the frame by which a standby says that it is the active node now, and of which
// term: the next frame, before anything that counts. BadPolicy: the session doesn't wait for it.
func (s *Sealer) Raise(dst []byte, term uint64) ([]byte, error) {
	if !s.waits || term == 0 {
		return dst, BadPolicy
	}
	if fault := s.obey(typeData); fault != None {
		return dst, fault
	}
	s.waits = false
	return s.seal(dst, binary.BigEndian.AppendUint64(nil, term), typeTerm)
}

// Close appends the frame that ends our direction in order, and forgets its keys. The peer's
// direction goes on until it closes too. A connection that ends without it was cut.
func (s *Sealer) Close(dst []byte) ([]byte, error) { return s.last(dst, closeOrderly) }

// Alert appends the frame that tells the peer that we refused something, and forgets the keys. It
// never says what.
func (s *Sealer) Alert(dst []byte) ([]byte, error) { return s.last(dst, closeAlert) }

func (s *Sealer) last(dst []byte, code byte) ([]byte, error) {
	defer s.end()
	if fault := s.obey(typeClose); fault != None {
		return dst, fault
	}
	return s.seal(dst, []byte{code}, typeClose)
}

func (s *Sealer) seal(dst, message []byte, kind uint8) ([]byte, error) {
	c := s.channel
	n := len(message)
	if n == 0 {
		return dst, Empty
	}
	size := c.size(n)
	if size > s.most {
		return dst, TooLong
	}
	if c.header.sequence >= s.epochFrames || c.spent(n) {
		if fault := s.ratchet(); fault != None {
			return dst, fault
		}
		c = s.channel
	}
	at := len(dst)
	dst = slices.Grow(dst, size)[:at+size]
	c.seal(dst[at:], message, kind)
	return dst, nil
}

// obey does what was ordered since the last frame. It holds the lock meanwhile, so that Switch sees
// a turn either as ordered or as done.
func (s *Sealer) obey(kind uint8) Cause {
	o := &s.orders
	o.mu.Lock()
	defer o.mu.Unlock()
	// After an end there is news for ever.
	o.news.Store(o.broken || s.ended)
	switch {
	case s.ended, o.broken && kind == typeData:
		return Ended
	case o.turn:
		next := s.pending.follow(s.channel, o.target)
		if next == nil {
			return NotInstalled // Switch has seen to it that this can't be
		}
		s.move(next)
		s.pending.pass(o.target)
		// The ratchet is done as well: the epoch is new.
		o.turn, o.ratchet = false, false
	case o.ratchet:
		if fault := s.ratchet(); fault != None {
			o.news.Store(true) // it stays due, until a new generation comes
			return fault
		}
		o.ratchet = false
	}
	return None
}

func (s *Sealer) ratchet() Cause {
	next := s.channel.ratcheted()
	if next == nil {
		return Exhausted
	}
	s.move(next)
	return None
}

func (s *Sealer) move(next *channel) {
	s.channel.wipe()
	s.channel = next
	s.place.set(&next.header)
}

// end forgets the keys; nothing is sealed any more.
func (s *Sealer) end() {
	s.ended = true
	s.orders.news.Store(true)
	s.channel.wipe()
	s.pending.wipe()
}

// request gives an order, of which the sealer hears with its next frame.
func (o *orders) request(order func(o *orders)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	order(o)
	o.news.Store(true)
}

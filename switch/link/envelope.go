package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"cardswitch/hsm/envelope"
)

// Envelope asks for messages that travel wholly encrypted (package envelope), also the TPDU or
// header before them; only the length header stays in clear.
type Envelope struct {
	ID     string // the link's name on the wire, agreed with the center
	Keys   LinkKeys
	Policy envelope.Policy
	// EpochTime is how long keys of an epoch serve before fresh ones are derived; 0: until the
	// policy's number of frames.
	EpochTime time.Duration
}

// LinkKeys has the keys of the links, each named "center/link" as in the configuration. Its calls
// come from many goroutines; the keys that it gives may lie in a security module and take as long
// as that does.
type LinkKeys interface {
	// Newest is the generation that a new connection of the link begins with; false if there is no
	// key that may be used.
	Newest(link string) (uint16, bool)
	// Key gives the key of a generation that may be used now.
	Key(link string, generation uint16) (envelope.Key, bool)
}

const (
	// envelopeRoom is the most that an envelope adds to a message: header, padding and tag, or
	// with the legacy suite header, IV, padding, block padding and code.
	envelopeRoom = 24 + 8 + 64 + 8 + 8
	// partWait is how long a connection that ends over a refused envelope may take to say so.
	partWait = time.Second
)

// framing compiles the framing with the room that the envelope needs.
func (c *LinkConfig) framing() (framing, error) {
	extra := 0
	if c.Envelope != nil {
		extra = envelopeRoom
	}
	return c.Framing.compile(c.MaxFrame, extra, c.KeepAlive)
}

func (e *Envelope) faults() (out []error) {
	if e == nil {
		return nil
	}
	if len(e.ID) == 0 || len(e.ID) > envelope.MaxLink {
		out = append(out, fmt.Errorf("envelope: a link id has 1 to %d characters", envelope.MaxLink))
	}
	if e.Keys == nil {
		out = append(out, errors.New("envelope: there are no keys; configure keys"))
	}
	return out
}

// print is all of it by which one line is another than before. Keys change while it stands.
func (e *Envelope) print() string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf("%s|%+v|%v", e.ID, e.Policy, e.EpochTime)
}

// policy is the configured one with a line's bound, and with what is said of terms.
func (e *Envelope) policy(f *framing, terms *envelope.Terms, term uint64) envelope.Policy {
	p := e.Policy
	p.MaxFrame = min(f.wire, envelope.MaxFrame)
	p.Terms, p.Term = terms, term
	return p
}

func (n *Line) policy() envelope.Policy {
	return n.sealed.policy(&n.framing, &n.center.terms, n.center.network.term)
}

// key finds the key for a generation that a peer proposes, else the newest one.
func (n *Line) key(generation uint16) (envelope.Key, envelope.Policy, bool) {
	keys := n.sealed.Keys
	k, ok := keys.Key(n.fullName(), generation)
	if !ok {
		if generation, ok = keys.Newest(n.fullName()); ok {
			k, ok = keys.Key(n.fullName(), generation)
		}
	}
	return k, n.policy(), ok
}

func (n *Line) fullName() string { return n.center.name + "/" + n.config.Name }

// initiate agrees on the keys of a connection that we dialled, of the link named "center/link".
func (e *Envelope) initiate(trying context.Context, socket *socket, s *stream, link string,
	policy envelope.Policy) (*sealed, error) {
	if by, ok := trying.Deadline(); ok {
		socket.SetDeadline(by)
	}
	stop := context.AfterFunc(trying, func() { socket.SetDeadline(time.Unix(1, 0)) })
	newest, ok := e.Keys.Newest(link)
	if !ok {
		stop()
		return nil, because(Refused, fmt.Errorf("there is no key zek:%s that may be used", link))
	}
	h, err := envelope.NewInitiator(e.ID, newest,
		func(_ string, generation uint16) (envelope.Key, envelope.Policy, bool) {
			k, ok := e.Keys.Key(link, generation)
			return k, policy, ok
		})
	if err == nil {
		err = shake(h, s)
	}
	if !stop() && err == nil {
		err = trying.Err()
	}
	socket.SetDeadline(time.Time{})
	if err != nil {
		return nil, unshaken(err)
	}
	return seal(h.Session()), nil
}

// unshaken is why there is no agreement: one side refused, or the connection ended.
func unshaken(err error) error {
	if _, ok := errors.AsType[Cause](err); ok {
		return fmt.Errorf("the envelope's handshake: %w", err)
	}
	return because(refusal(err), err)
}

// admit agrees on the keys of a connection that came, and finds its line by what the peer has
// proven. All lines have the framing of the first.
func admit(s *stream, lines []*Line) (*Line, *sealed, error) {
	var line *Line
	h := envelope.NewAcceptor(func(id string, g uint16) (envelope.Key, envelope.Policy, bool) {
		for _, n := range lines {
			if n.sealed.ID == id {
				line = n
				return n.key(g)
			}
		}
		return envelope.Key{}, envelope.Policy{}, false
	})
	if err := shake(h, s); err != nil {
		err = unshaken(err)
		if line != nil {
			line.ends[causeOf(err)].Add(1)
		}
		return nil, nil, err
	}
	return line, seal(h.Session()), nil
}

// shake runs a handshake. The deadline of the connection bounds it.
func shake(h *envelope.Handshake, s *stream) error {
	var out []byte
	say := func(frame []byte) { out = append(s.framing.appendLength(out, len(frame)), frame...) }
	if hello := h.Hello(); hello != nil {
		say(hello)
	}
	for {
		if len(out) > 0 {
			if _, err := s.conn.Write(out); err != nil {
				return writeCause(err)
			}
			out = out[:0]
		}
		if h.Session() != nil {
			return nil
		}
		frame, err := s.wait()
		if err != nil {
			return err
		}
		answers, refused := h.Receive(frame)
		for _, frame := range answers {
			say(frame)
		}
		if refused != nil {
			s.conn.Write(out) // the alert, as a favour to an honest peer
			return refused
		}
	}
}

// sealed is the envelope of one connection.
type sealed struct {
	session *envelope.Session
	opener  *envelope.Opener // of the reader
	fault   error            // of the reader: why it refused
	sealer  *envelope.Sealer // of the writer
	buf     []byte           // of the writer
	fresh   time.Time        // when keys were last made anew; of who calls Due
}

func seal(s *envelope.Session) *sealed {
	return &sealed{session: s, opener: s.Opener(), sealer: s.Sealer(), fresh: time.Now()}
}

// open takes what lies in an envelope, decrypted in place.
func (s *sealed) open(body []byte) ([]byte, Cause) {
	message, err := s.opener.Open(body)
	switch {
	case err == nil:
		return message, 0
	case errors.Is(err, io.EOF):
		return nil, PeerClosed
	}
	s.fault = err
	return nil, refusal(err)
}

// over tells whether the center has proven a newer term since, on another connection.
func (l *Link) over() bool { return l.sealed != nil && l.sealed.session.Over() }

// explain adds to a fault what the envelope knows of it.
func (l *Link) explain(fault Cause) error {
	if l.sealed == nil {
		return fault
	}
	return l.sealed.explain(fault)
}

func (s *sealed) explain(fault Cause) error {
	if fault.isRefusal() && s.fault != nil {
		return because(fault, s.fault)
	}
	return fault
}

// part ends a connection whose peer sent an envelope that is not the next one: it is told so, and
// not why, and gets nothing more. What waited for it is unsent.
func (l *Link) part(cause error) {
	l.Close(cause)
	select {
	case <-l.written:
	case <-time.After(partWait):
	}
}

// farewell is the last frame of an orderly end, without which the peer must take the connection
// for cut.
func (l *Link) farewell() error {
	s, f := l.sealed, &l.line.framing
	last := s.sealer.Close
	if causeOf(l.cause).isRefusal() {
		last = s.sealer.Alert
	}
	frame, err := last(s.buf[:0])
	if err != nil {
		return nil // the keys are forgotten already: there is nothing left to say
	}
	_, err = l.put(append(f.appendLength(nil, len(frame)), frame...))
	return err
}

// sendSealed seals what was taken and writes it, a chunk at a time.
func (l *Link) sendSealed() error {
	o, s, f := &l.outbox, l.sealed, &l.line.framing
	for i := 0; i < len(o.taken.frames); {
		first, from := i, o.gone
		s.buf = s.buf[:0]
		for ; i < len(o.taken.frames) && len(s.buf) < writeChunk; i++ {
			message := o.taken.buf[from+f.head : o.taken.frames[i].end]
			s.buf = f.appendLength(s.buf, s.sealer.Size(len(message)))
			var err error
			if s.buf, err = s.sealer.Seal(s.buf, message); err != nil {
				return because(Refused, err)
			}
			from = o.taken.frames[i].end
		}
		gone, err := l.put(s.buf)
		if err != nil {
			l.tell(first, gone)
			return err
		}
		o.gone = from
	}
	if cap(s.buf) > keepBuffer {
		s.buf = nil
	}
	return nil
}

// tell notes what of the taken frames may have left, when of their envelopes, from the first one
// of the chunk on, so many bytes have.
func (l *Link) tell(first, gone int) {
	o, f := &l.outbox, &l.line.framing
	for _, q := range o.taken.frames[first:] {
		if gone <= 0 {
			return
		}
		gone -= f.head + l.sealed.sealer.Size(q.end-o.gone-f.head)
		o.gone = q.end
	}
}

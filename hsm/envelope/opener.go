package envelope

import (
	"encoding/binary"
	"io"
)

// Opener is the receiving half of a session. One goroutine uses it; it needs no lock.
type Opener struct {
	channel *channel
	most    int // bytes a frame
	end     error
	pending pending
	place   place
	orders  *orders // of our sealer
	standing
}

// Open decrypts the next frame, given without its length, in place. The message is a view of the
// frame. It allocates nothing, but at a change of key.
//
// No message and no error: the peer was a standby and has said its term, by which it is the active
// node now.
//
// io.EOF is the peer's orderly close of its direction. Any other error is a Cause, and the end of
// the session in both directions, for good: send Sealer.Alert (but not after Alerted, which is the
// peer's), end the connection, and write the cause to the audit log. After the first error there is
// never another one.
func (o *Opener) Open(frame []byte) ([]byte, error) {
	c := o.channel
	if o.end == nil && len(frame) >= headerSize && len(frame) <= o.most &&
		c.matches(frame, typeData) && !o.over() {
		message, fault := c.open(frame)
		if fault == None {
			return message, nil
		}
		return nil, o.refuse(fault)
	}
	return o.unusual(frame)
}

// unusual is for all but the next data frame of the same epoch.
func (o *Opener) unusual(frame []byte) ([]byte, error) {
	switch {
	case o.end != nil:
		return nil, o.end
	case o.over():
		return nil, o.refuse(OldTerm)
	}
	head, fault := o.inspect(frame)
	if fault != None {
		return nil, o.refuse(fault)
	}
	next, fault := o.choose(&head)
	if fault != None {
		return nil, o.refuse(fault)
	}
	message, fault := next.open(frame)
	if fault != None {
		if next != o.channel {
			next.wipe()
		}
		return nil, o.refuse(fault)
	}
	o.move(next)
	switch head.kind {
	case typeClose:
		return nil, o.closed(message)
	case typeTerm:
		return nil, o.raise(message)
	}
	return message, nil
}

// raise takes the term of a peer that was a standby.
func (o *Opener) raise(content []byte) error {
	if len(content) != termSize {
		return o.refuse(WrongContent)
	}
	term := binary.BigEndian.Uint64(content)
	switch {
	case term == 0:
		return o.refuse(WrongContent)
	case !o.admit(o.terms, term):
		return o.refuse(OldTerm)
	}
	o.said.Store(term)
	return nil
}

// inspect looks at all of a header that can't change during a session.
func (o *Opener) inspect(frame []byte) (header, Cause) {
	if len(frame) > o.most {
		return header{}, TooLong
	}
	want := &o.channel.header
	if isAlert(frame, want.from) {
		return header{}, Alerted
	}
	head, fault := readHeader(frame)
	switch {
	case fault != None:
		return head, fault
	case head.kind != typeData && head.kind != typeClose && (head.kind != typeTerm || !o.waits.Load()):
		return head, WrongType
	case head.suite != want.suite:
		return head, WrongSuite
	case head.from != want.from:
		return head, WrongDirection
	case head.session != want.session:
		return head, WrongSession
	}
	return head, None
}

// choose finds the keys for a header: those we have, those of the next epoch, or those of a
// generation that is pending. It makes keys at most once: if they don't fit, that is the end.
func (o *Opener) choose(head *header) (*channel, Cause) {
	at := &o.channel.header
	switch {
	case head.generation != at.generation:
		if !o.pending.has(head.generation) {
			return nil, WrongGeneration
		}
		if head.epoch != 0 {
			return nil, WrongEpoch
		}
	case head.epoch == at.epoch:
		if head.sequence != at.sequence {
			return nil, WrongSequence
		}
		return o.channel, None
	case int(head.epoch) != int(at.epoch)+1:
		return nil, WrongEpoch
	}
	if head.sequence != 0 {
		return nil, WrongSequence
	}
	if head.generation == at.generation {
		return o.channel.ratcheted(), None
	}
	next := o.pending.follow(o.channel, head.generation)
	if next == nil {
		return nil, WrongGeneration
	}
	return next, None
}

// move goes on with the keys that opened a frame, and drops those before.
func (o *Opener) move(next *channel) {
	if next == o.channel {
		return
	}
	if next.header.generation != o.channel.header.generation {
		o.pending.pass(next.header.generation)
	}
	o.channel.wipe()
	o.channel = next
	o.place.set(&next.header)
}

// closed reads what a close says.
func (o *Opener) closed(content []byte) error {
	switch {
	case len(content) == 1 && content[0] == closeOrderly:
		o.finish(io.EOF)
		return io.EOF
	case len(content) == 1 && content[0] == closeAlert:
		return o.refuse(Alerted)
	}
	return o.refuse(WrongContent)
}

// openFinished takes the frame that must be the first.
func (o *Opener) openFinished(frame []byte) ([]byte, Cause) {
	switch c := o.channel; {
	case len(frame) > o.most:
		return nil, TooLong
	case isAlert(frame, c.header.from):
		return nil, Alerted
	case len(frame) < headerSize:
		return nil, Short
	case !c.matches(frame, typeFinished):
		return nil, WrongType
	default:
		return c.open(frame)
	}
}

// refuse ends the session.
func (o *Opener) refuse(fault Cause) error {
	o.finish(fault)
	o.orders.request(func(o *orders) { o.broken = true })
	return fault
}

func (o *Opener) finish(end error) {
	o.end = end
	o.channel.wipe()
	o.pending.wipe()
}

package envelope

import (
	"crypto/mlkem"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
)

// Handshake is the opening of a connection, for either side. It touches no socket and no clock: it
// takes the frames that came, without their lengths, and gives those to send. The caller bounds its
// time. It asks the PRF twice.
//
//	initiator: send Hello(); Receive(ack); Receive(finished), send what it gives
//	acceptor:  Receive(hello), send what it gives; Receive(finished)
//
// Then Session is there. Frames that came with the last one belong to its opener.
type Handshake struct {
	side    side
	keys    Keys
	link    string
	policy  Policy
	key     Key
	dice    dice
	share   *share
	hello   []byte   // the initiator's first frame
	heard   [32]byte // hash of the hello
	hellos  [32]byte // hash of both
	expect  uint8    // type of the frame that must come next
	proof   [32]byte // what the peer's finished must say
	own     [32]byte // what ours says
	session *Session // not given out before it stands
	stands  bool
	fault   error
}

// dice are the random values of one side, drawn before it speaks.
type dice struct {
	nonce       [nonceSize]byte
	session     [8]byte
	curve       [32]byte
	lattice     [64]byte
	encapsulate encapsulation
	draw        func(iv []byte)
}

func roll() dice {
	var d dice
	rand.Read(d.nonce[:])
	rand.Read(d.session[:])
	rand.Read(d.curve[:])
	rand.Read(d.lattice[:])
	d.encapsulate = (*mlkem.EncapsulationKey768).Encapsulate
	d.draw = func(iv []byte) { rand.Read(iv) }
	return d
}

func (d *dice) wipe() {
	clear(d.nonce[:])
	clear(d.curve[:])
	clear(d.lattice[:])
}

// NewInitiator begins a handshake for the side that dialled. The link id has 1 to 64 printable
// characters without blanks. UnknownKey and BadPolicy refuse.
func NewInitiator(link string, generation uint16, keys Keys) (*Handshake, error) {
	return newInitiator(link, generation, keys, roll())
}

func newInitiator(link string, generation uint16, keys Keys, d dice) (*Handshake, error) {
	h := &Handshake{side: initiator, keys: keys, link: link, dice: d, expect: typeAck}
	if !validLink(link) {
		return nil, fmt.Errorf("%w: link id of %d bytes; use 1 to %d printable characters",
			BadPolicy, len(link), MaxLink)
	}
	key, policy, ok := keys(link, generation)
	if !ok || key.Generation != generation || key.PRF == nil {
		return nil, fmt.Errorf("%w: link %s, generation %d", UnknownKey, link, generation)
	}
	var err error
	if h.policy, err = policy.complete(); err != nil {
		return nil, err
	}
	if h.policy.Standby && h.policy.Term != 0 {
		return nil, fmt.Errorf("%w: a standby of term %d; only an active node has one", BadPolicy,
			h.policy.Term)
	}
	h.key = key
	out := hello{
		generation: generation, session: d.session, nonce: d.nonce, link: link,
		suites: h.policy.Suites, options: options{padding: h.policy.Padding, term: h.policy.said(),
			standby: h.policy.Standby},
	}
	if h.policy.Share != ShareNever {
		if h.share, err = newShare(d.curve, d.lattice); err != nil {
			return nil, fmt.Errorf("%w: %w", BadShare, err)
		}
		out.share = h.share.offer()
	}
	h.hello = out.frame()
	h.heard = sha256.Sum256(h.hello)
	clear(h.dice.curve[:])
	clear(h.dice.lattice[:])
	return h, nil
}

// NewAcceptor begins a handshake for the side that was dialled.
func NewAcceptor(keys Keys) *Handshake { return newAcceptor(keys, roll()) }

func newAcceptor(keys Keys, d dice) *Handshake {
	return &Handshake{side: acceptor, keys: keys, dice: d, expect: typeHello}
}

// Hello is the initiator's first frame; nil at the acceptor.
func (h *Handshake) Hello() []byte { return h.hello }

// Link is the link id that the initiator names, empty before it did. It is proven once Session is
// there; until then it is a word for the log.
func (h *Handshake) Link() string { return h.link }

// Session is the session, once it stands; nil before.
func (h *Handshake) Session() *Session {
	if !h.stands {
		return nil
	}
	return h.session
}

// Receive takes the next frame of the peer, and gives the frames to send, in order. An error ends
// the handshake for good; then what it gives is the alert to send before the connection is closed,
// which is always the same 24 bytes, or nothing if the peer sent its own. The error is a Cause, for
// our side only. Received frames are not kept.
func (h *Handshake) Receive(frame []byte) ([][]byte, error) {
	switch {
	case h.stands:
		return nil, Ended
	case h.fault != nil:
		return nil, h.fault
	}
	out, err := h.step(frame)
	if err != nil {
		h.fault = err
		h.forget()
		if h.session != nil {
			h.session.End()
			h.session = nil
		}
		if CauseOf(err) == Alerted {
			return nil, err
		}
		return [][]byte{alert(h.side)}, err
	}
	return out, nil
}

func (h *Handshake) step(frame []byte) ([][]byte, error) {
	if h.expect != typeFinished && isAlert(frame, h.side.other()) {
		return nil, Alerted
	}
	switch h.expect {
	case typeHello:
		return h.answer(frame)
	case typeAck:
		return nil, h.hear(frame)
	}
	return h.finish(frame)
}

// answer is the acceptor's turn: hello in, ack and finished out.
func (h *Handshake) answer(frame []byte) ([][]byte, error) {
	in, fault := readHello(frame)
	if fault != None {
		return nil, fault
	}
	h.link, h.heard = in.link, sha256.Sum256(frame)
	key, policy, ok := h.keys(in.link, in.generation)
	if !ok || key.PRF == nil {
		return nil, UnknownKey
	}
	h.key = key
	var err error
	if h.policy, err = policy.complete(); err != nil {
		return nil, err
	}
	out := ack{generation: key.Generation, session: in.session, nonce: h.dice.nonce}
	out.padding = in.padding || h.policy.Padding
	if in.term != nil {
		out.term = h.policy.said()
	}
	out.standby = in.standby && h.policy.Standby
	if out.suite = h.policy.choose(in.suites); out.suite == 0 {
		return nil, NoSuite
	}
	var curve, lattice []byte
	switch {
	case in.share != nil && h.policy.Share != ShareNever:
		out.share, curve, lattice, ok = answerShare(in.share, h.dice.curve, h.dice.encapsulate)
		if !ok {
			return nil, BadShare
		}
	case h.policy.Share == ShareRequired:
		return nil, NoShare
	}
	ackFrame := out.frame()
	from := &origin{
		link: in.link, session: in.session, nonceI: in.nonce, nonceA: out.nonce,
		hybrid: out.share != nil, draw: h.dice.draw,
	}
	if err := h.prepare(from, &out, ackFrame, curve, lattice); err != nil {
		return nil, err
	}
	h.session.hear(in.term)
	h.session.waits = out.standby
	proof, err := h.prove()
	if err != nil {
		return nil, err
	}
	return [][]byte{ackFrame, proof}, nil
}

// hear is the initiator's turn: the ack comes in.
func (h *Handshake) hear(frame []byte) error {
	in, fault := readAck(frame)
	switch {
	case fault != None:
		return fault
	case in.session != h.dice.session:
		return WrongSession
	case h.policy.choose([]Suite{in.suite}) == 0:
		return NoSuite
	case h.policy.Padding && !in.padding, in.share != nil && h.share == nil,
		in.term != nil && h.policy.Terms == nil, in.standby && !h.policy.Standby:
		return BadHello
	case in.share == nil && h.policy.Share == ShareRequired:
		return NoShare
	}
	if in.generation != h.key.Generation {
		key, _, ok := h.keys(h.link, in.generation)
		if !ok || key.Generation != in.generation || key.PRF == nil {
			return UnknownKey
		}
		h.key = key
	}
	var curve, lattice []byte
	if in.share != nil {
		var ok bool
		if curve, lattice, ok = h.share.agree(in.share); !ok {
			return BadShare
		}
	}
	from := &origin{
		link: h.link, session: in.session, nonceI: h.dice.nonce, nonceA: in.nonce,
		hybrid: in.share != nil, draw: h.dice.draw,
	}
	if err := h.prepare(from, &in, frame, curve, lattice); err != nil {
		return err
	}
	h.session.hear(in.term)
	h.session.waits, h.session.sealer.waits = in.standby, in.standby
	return nil
}

// finish takes the peer's proof. The initiator sends its own only now.
func (h *Handshake) finish(frame []byte) ([][]byte, error) {
	proof, fault := h.session.opener.openFinished(frame)
	if fault != None {
		return nil, fault
	}
	if subtle.ConstantTimeCompare(proof, h.proof[:]) != 1 {
		return nil, WrongFinished
	}
	switch {
	case h.side == acceptor && h.session.waits:
		h.session.opener.wait(h.policy.Terms)
	case !h.session.opener.admit(h.policy.Terms, h.session.opener.said.Load()):
		return nil, OldTerm
	}
	var out [][]byte
	if h.side == initiator {
		own, err := h.prove()
		if err != nil {
			return nil, err
		}
		out = [][]byte{own}
	}
	h.stands = true
	h.forget()
	return out, nil
}

// prove seals our proof, the first frame of our direction.
func (h *Handshake) prove() ([]byte, error) {
	return h.session.sealer.seal(nil, h.own[:], typeFinished)
}

// forget wipes what only the handshake needed.
func (h *Handshake) forget() {
	h.dice.wipe()
	h.share = nil
	clear(h.proof[:])
	clear(h.own[:])
}

// prepare makes the session, which nobody has proven yet, and both proofs.
func (h *Handshake) prepare(from *origin, agreed *ack, ackFrame, curve, lattice []byte) error {
	h.hellos = hashHellos(h.heard, ackFrame)
	if from.hybrid {
		from.shared = combine(curve, lattice, h.hellos)
	}
	s, err := from.secret(agreed.generation, h.key.PRF)
	if err != nil {
		from.wipe()
		return fmt.Errorf("%w: generation %d: %w", KeyFailed, agreed.generation, err)
	}
	defer s.wipe()
	h.own = s.finished(h.side, h.hellos)
	h.proof = s.finished(h.side.other(), h.hellos)
	h.session = newSession(h.side, &h.policy, from, agreed, &s)
	from.wipe()
	h.expect = typeFinished
	return nil
}

func newSession(own side, p *Policy, from *origin, agreed *ack, first *secret) *Session {
	n := &Session{suite: agreed.suite, padded: agreed.padding, last: agreed.generation}
	n.origin = *from
	n.sealer.channel = newChannel(agreed.suite, own, from, agreed.generation, agreed.padding, first)
	n.sealer.epochFrames, n.sealer.most = p.EpochFrames, p.MaxFrame
	n.sealer.place.set(&n.sealer.channel.header)
	n.opener.channel = newChannel(agreed.suite, own.other(), from, agreed.generation,
		agreed.padding, first)
	n.opener.most, n.opener.orders = p.MaxFrame, &n.sealer.orders
	n.opener.place.set(&n.opener.channel.header)
	return n
}

package envelope

import (
	"crypto/ecdh"
	"crypto/mlkem"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
)

// takeHello is an acceptor's first step: it answers with its hello-ack and its finished.
func (s *Session) takeHello(h header, body, frame []byte) (Event, error) {
	if h.kind != hello || h.suite != 0 || h.epoch != 0 || h.sequence != 0 {
		return Event{}, errors.New("no hello")
	}
	g, err := readGreeting(hello, body)
	if err != nil {
		return Event{}, err
	}
	if g.link != s.options.Link {
		return Event{}, errors.New("a link that isn't this one")
	}
	if s.suite, err = s.choose(g.suites); err != nil {
		return Event{}, err
	}
	generation := h.generation
	if _, ok := s.options.Keys[generation]; !ok {
		generation = latest(s.options.Keys)
	}
	s.session, s.nonceI = h.session, g.nonce
	if _, err := io.ReadFull(s.options.Random, s.nonceA[:]); err != nil {
		return Event{}, err
	}
	s.padded = g.padding || s.options.Padding
	answer := greeting{nonce: s.nonceA, padding: s.padded}
	if g.term != nil {
		s.term, answer.term = *g.term, s.said()
	}
	s.waits = g.standby && s.options.Standby
	answer.standby = s.waits
	var x, m []byte
	switch {
	case g.share != nil && (s.options.Share || s.options.NeedShare):
		if answer.share, x, m, err = s.answerShare(g.share); err != nil {
			return Event{}, err
		}
	case s.options.NeedShare:
		return Event{}, errors.New("a hello without a share")
	}
	ah := header{kind: helloAck, suite: s.suite, direction: 1, generation: generation,
		session: s.session}
	ack := append(ah.bytes(), answer.bytes(helloAck)...)
	return s.greet(frame, ack, x, m, generation)
}

// greet is the rest of an acceptor's first step, when its hello-ack is written.
func (s *Session) greet(hello, ack, x, m []byte, generation uint16) (Event, error) {
	if err := s.agree(hello, ack, x, m, generation); err != nil {
		return Event{}, err
	}
	proof, err := s.proof("a", s.out.secret)
	if err != nil {
		return Event{}, err
	}
	f, err := s.sealNext(finished, proof)
	s.phase = proving
	return Event{Send: [][]byte{ack, f}}, err
}

// choose takes the better suite that both allow.
func (s *Session) choose(offered []Suite) (Suite, error) {
	for _, best := range []Suite{GCM, TDES} {
		for _, suite := range offered {
			if suite == best && s.allows(best) {
				return best, nil
			}
		}
	}
	return 0, errors.New("no suite that both ends allow")
}

// takeAck is an initiator's first step.
func (s *Session) takeAck(h header, body, frame []byte) error {
	if h.kind != helloAck || h.epoch != 0 || h.sequence != 0 {
		return errors.New("no hello-ack")
	}
	if h.session != s.session {
		return errors.New("the session id of the hello-ack is another")
	}
	if !s.allows(h.suite) {
		return fmt.Errorf("%v wasn't offered", h.suite)
	}
	if _, ok := s.options.Keys[h.generation]; !ok {
		return fmt.Errorf("there is no key of generation %d", h.generation)
	}
	g, err := readGreeting(helloAck, body)
	switch {
	case err != nil:
		return err
	case s.options.Padding && !g.padding:
		return errors.New("padding was asked for and isn't granted")
	case g.share != nil && s.x25519 == nil:
		return errors.New("a share that wasn't asked for")
	case g.share == nil && s.options.NeedShare:
		return errors.New("a hello-ack without a share")
	case g.term != nil && s.options.Terms == nil:
		return errors.New("a term that wasn't asked for")
	case g.standby && !s.options.Standby:
		return errors.New("a session that waits, which wasn't asked for")
	case g.term != nil:
		s.term = *g.term
	}
	s.suite, s.nonceA, s.padded, s.waits = h.suite, g.nonce, g.padding, g.standby
	var x, m []byte
	if g.share != nil {
		if x, m, err = s.openShare(g.share); err != nil {
			return err
		}
	}
	if err := s.agree(s.hello, frame, x, m, h.generation); err != nil {
		return err
	}
	s.phase = proving
	return nil
}

// agree derives the first keys of both directions.
func (s *Session) agree(hello, ack, x, m []byte, generation uint16) error {
	s.hellos = hashHellos(hello, ack)
	if x != nil {
		if err := s.mix(x, m); err != nil {
			return err
		}
	}
	secret, err := s.secret(generation, s.options.Keys[generation])
	if err != nil {
		return err
	}
	for _, w := range []*way{&s.out, &s.in} {
		next, err := s.position(w, generation, 0, secret)
		if err != nil {
			return err
		}
		next.installed, next.used = generation, map[uint16]bool{generation: true}
		*w = next
	}
	return nil
}

// takeFinished checks the other's proof. The session stands then.
func (s *Session) takeFinished(h header, body, frame []byte) (Event, error) {
	if h.kind != finished || h.generation != s.in.generation || h.epoch != 0 || h.sequence != 0 {
		return Event{}, errors.New("no finished")
	}
	content, next, err := s.open(h, body, frame)
	if err != nil {
		return Event{}, err
	}
	theirs, ours := "a", "i"
	if !s.options.Initiator {
		theirs, ours = ours, theirs
	}
	want, err := s.proof(theirs, s.in.secret)
	if err != nil {
		return Event{}, err
	}
	if subtle.ConstantTimeCompare(content, want) != 1 {
		return Event{}, errors.New("the proof is wrong")
	}
	s.in = next
	if s.options.Terms != nil {
		if err := s.options.Terms.admit(s); err != nil {
			return Event{}, err
		}
	}
	var e Event
	if s.options.Initiator {
		proof, err := s.proof(ours, s.out.secret)
		if err != nil {
			return Event{}, err
		}
		f, err := s.sealNext(finished, proof)
		if err != nil {
			return Event{}, err
		}
		e.Send = [][]byte{f}
	}
	s.phase = standing
	s.x25519, s.mlkem = nil, nil
	return e, nil
}

// offerShare makes an initiator's share.
func (s *Session) offerShare() ([]byte, error) {
	var secret [32 + mlkem.SeedSize]byte
	if _, err := io.ReadFull(s.options.Random, secret[:]); err != nil {
		return nil, err
	}
	var err error
	if s.x25519, err = ecdh.X25519().NewPrivateKey(secret[:32]); err != nil {
		return nil, err
	}
	if s.mlkem, err = mlkem.NewDecapsulationKey768(secret[32:]); err != nil {
		return nil, err
	}
	return append(s.x25519.PublicKey().Bytes(), s.mlkem.EncapsulationKey().Bytes()...), nil
}

// answerShare makes an acceptor's share and what comes of both.
func (s *Session) answerShare(theirs []byte) (share, x, m []byte, err error) {
	point, err := ecdh.X25519().NewPublicKey(theirs[:32])
	if err != nil {
		return nil, nil, nil, err
	}
	capsule, err := mlkem.NewEncapsulationKey768(theirs[32:])
	if err != nil {
		return nil, nil, nil, err
	}
	var secret [32]byte
	if _, err := io.ReadFull(s.options.Random, secret[:]); err != nil {
		return nil, nil, nil, err
	}
	own, err := ecdh.X25519().NewPrivateKey(secret[:])
	if err != nil {
		return nil, nil, nil, err
	}
	if x, err = own.ECDH(point); err != nil { // all zeros among others
		return nil, nil, nil, err
	}
	m, text := capsule.Encapsulate()
	return append(own.PublicKey().Bytes(), text...), x, m, nil
}

// openShare gives an initiator what comes of both shares.
func (s *Session) openShare(theirs []byte) (x, m []byte, err error) {
	point, err := ecdh.X25519().NewPublicKey(theirs[:32])
	if err != nil {
		return nil, nil, err
	}
	if x, err = s.x25519.ECDH(point); err != nil {
		return nil, nil, err
	}
	m, err = s.mlkem.Decapsulate(theirs[32:])
	return x, m, err
}

package link

import (
	"fmt"
	"time"

	"cardswitch/hsm/envelope"
)

// InstallKey makes another generation of the link key usable on this connection, for the peer from
// now on, for us after SwitchKey. Install it on every connection of the line before the peer is
// told that we have it. It asks the security module twice. Without an envelope it does nothing.
func (l *Link) InstallKey(k envelope.Key) error {
	if l.sealed == nil {
		return nil
	}
	return l.sealed.session.Install(k.Generation, k.PRF)
}

// SwitchKey lets what we send from now on go under an installed generation; call it when the peer
// has said that it has the key.
func (l *Link) SwitchKey(generation uint16) error {
	if l.sealed == nil {
		return nil
	}
	return l.sealed.session.Switch(generation)
}

// KeyPositions are the generation and epoch at which both directions stand; ok is false without an
// envelope. An old key has served on this connection when both have left it.
func (l *Link) KeyPositions() (sending, receiving envelope.Position, ok bool) {
	if l.sealed == nil {
		return sending, receiving, false
	}
	sending, receiving = l.sealed.session.Positions()
	return sending, receiving, true
}

// refresh derives fresh keys from the old ones when they have served for the epoch's time.
func (s *sealed) refresh(now time.Time, after time.Duration) {
	if s == nil || after <= 0 || now.Sub(s.fresh) < after {
		return
	}
	s.fresh = now
	s.session.Ratchet()
}

// Envelope is how the connection's messages are encrypted, as operators read it: suite, share and
// padding; of one that was passed on, what they are in at who has it. Empty without an envelope.
func (l *Link) Envelope() string {
	if l.sealed == nil {
		if passed, ok := l.socket.Conn.(interface{ Envelope() string }); ok {
			return passed.Envelope()
		}
		return ""
	}
	s := l.sealed.session
	text := s.Suite().String()
	if s.Hybrid() {
		text += ", X25519 and ML-KEM-768"
	}
	if s.Padded() {
		text += ", padded"
	}
	return text
}

// envelopeText is the same with the generations, and the terms of both sides if there are any.
func (l *Link) envelopeText() string {
	if l.sealed == nil {
		return l.Envelope()
	}
	sending, receiving := l.sealed.session.Positions()
	text := fmt.Sprintf("%s, key %d.%d out, %d.%d in", l.Envelope(), sending.Generation,
		sending.Epoch, receiving.Generation, receiving.Epoch)
	if term := l.ourTerm(); term > 0 {
		text += fmt.Sprintf(", our term %d", term)
	}
	if term := l.sealed.session.Term(); term > 0 {
		text += fmt.Sprintf(", its term %d", term)
	}
	return text
}

// ourTerm is the term that the center has heard of us, and heeds; 0 if it doesn't know of terms.
func (l *Link) ourTerm() uint64 {
	if l.sealed == nil || !l.sealed.session.Heeded() {
		return 0
	}
	return l.line.center.network.term
}

// protection is how messages of the line travel, as operators read it.
func (n *Line) protection() string {
	if n.config.Passed != "" {
		return n.config.Passed
	}
	return Protection(n.sealed != nil, n.secrets != nil)
}

// Protection is how messages travel, in words.
func Protection(envelope, tls bool) string {
	switch {
	case envelope && tls:
		return "envelope in TLS"
	case envelope:
		return "envelope"
	case tls:
		return "TLS"
	}
	return "none"
}

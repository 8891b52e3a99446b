package envelope

import (
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/mlkem"
	"crypto/sha256"
)

const (
	x25519Size     = 32
	helloShareSize = x25519Size + mlkem.EncapsulationKeySize768
	ackShareSize   = x25519Size + mlkem.CiphertextSize768
)

// share is the private part of what the initiator offers: an X25519 key and an ML-KEM-768 key.
// Whoever later learns the link key can't open what was sent; the second key holds that against
// quantum computers too.
type share struct {
	curve   *ecdh.PrivateKey
	lattice *mlkem.DecapsulationKey768
}

// newShare makes the keys from random bytes: 32 and 64.
func newShare(curve [32]byte, lattice [64]byte) (*share, error) {
	c, err := ecdh.X25519().NewPrivateKey(curve[:])
	if err != nil {
		return nil, err
	}
	l, err := mlkem.NewDecapsulationKey768(lattice[:])
	if err != nil {
		return nil, err
	}
	return &share{c, l}, nil
}

// offer is what goes into the hello.
func (s *share) offer() []byte {
	out := make([]byte, 0, helloShareSize)
	out = append(out, s.curve.PublicKey().Bytes()...)
	return append(out, s.lattice.EncapsulationKey().Bytes()...)
}

// agree takes the share of the ack.
func (s *share) agree(answer []byte) (curve, lattice []byte, ok bool) {
	peer, err := ecdh.X25519().NewPublicKey(answer[:x25519Size])
	if err != nil {
		return nil, nil, false
	}
	// An error is a point of low order.
	if curve, err = s.curve.ECDH(peer); err != nil {
		return nil, nil, false
	}
	if lattice, err = s.lattice.Decapsulate(answer[x25519Size:]); err != nil {
		return nil, nil, false
	}
	return curve, lattice, true
}

// encapsulation is ML-KEM's with its own random bytes; the vectors put another here.
type encapsulation func(key *mlkem.EncapsulationKey768) (shared, ciphertext []byte)

// answerShare takes the share of the hello, and makes that of the ack.
func answerShare(offer []byte, private [32]byte, encapsulate encapsulation) (
	answer, curve, lattice []byte, ok bool,
) {
	own, err := ecdh.X25519().NewPrivateKey(private[:])
	if err != nil {
		return nil, nil, nil, false
	}
	peer, err := ecdh.X25519().NewPublicKey(offer[:x25519Size])
	if err != nil {
		return nil, nil, nil, false
	}
	key, err := mlkem.NewEncapsulationKey768(offer[x25519Size:])
	if err != nil {
		return nil, nil, nil, false
	}
	if curve, err = own.ECDH(peer); err != nil {
		return nil, nil, nil, false
	}
	lattice, ciphertext := encapsulate(key)
	return append(own.PublicKey().Bytes(), ciphertext...), curve, lattice, true
}

// combine makes one secret of both, bound to the hellos that carried the shares. It wipes them.
func combine(curve, lattice []byte, hellos [32]byte) secret {
	in := make([]byte, 0, 96)
	in = append(in, curve...)
	in = append(in, lattice...)
	in = append(in, hellos[:]...)
	out, err := hkdf.Extract(sha256.New, in, []byte(label+"/shares"))
	if err != nil {
		panic("envelope: HKDF-Extract: " + err.Error()) // only with a broken hash
	}
	s := secret(out)
	clear(in)
	clear(out)
	clear(curve)
	clear(lattice)
	return s
}

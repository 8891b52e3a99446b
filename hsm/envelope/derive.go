package envelope

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"

	"cardswitch/hsm/mac"
)

// PRF is AES-CMAC under the link key (ZEK) of one generation. The key may lie in an HSM and never
// leave it: a connection, and each change of key on it, asks twice. It may be called from any
// goroutine. The link key must be an AES key of 128 bits or more, better 256.
type PRF interface {
	PRF(message []byte) ([16]byte, error)
}

const label = "iso8583-link/v1"

var errConstantPRF = errors.New("the PRF gives the same for two messages; see the security module")

// secret is S of one generation and epoch, or another of that kind. Wipe it when it has served.
type secret [32]byte

func (s *secret) wipe() { clear(s[:]) }

// origin is what all secrets of a connection come from, besides the link keys.
type origin struct {
	link           string
	session        [8]byte
	nonceI, nonceA [nonceSize]byte
	hybrid         bool
	shared         secret          // of the exchanged shares, if hybrid
	draw           func(iv []byte) // random bytes; the vectors put others here
}

func (o *origin) wipe() {
	o.shared.wipe()
	clear(o.nonceI[:])
	clear(o.nonceA[:])
}

// secret is S for a generation of the link key, at epoch 0: SP 800-108r1, counter mode with CMAC;
// then, if both sides sent a share, HKDF-Extract with what they share.
func (o *origin) secret(generation uint16, prf PRF) (secret, error) {
	context := binary.BigEndian.AppendUint16(make([]byte, 0, 256), generation)
	context = append(context, o.session[:]...)
	context = append(context, o.nonceI[:]...)
	context = append(context, o.nonceA[:]...)
	context = append(context, o.link...)
	var s secret
	var in []byte
	for i := range 2 {
		in = mac.AppendKDFInput(in[:0], uint32(i+1), len(s), []byte(label), context)
		half, err := prf.PRF(in)
		if err != nil {
			s.wipe()
			return s, err
		}
		copy(s[16*i:], half[:])
		clear(half[:])
	}
	// A module that says the same to two questions is broken: its zeros are no secret.
	if subtle.ConstantTimeCompare(s[:16], s[16:]) == 1 {
		s.wipe()
		return s, errConstantPRF
	}
	if o.hybrid {
		s.extract(o.shared[:])
	}
	return s, nil
}

// extract makes s HKDF-Extract of material, with the old s as the salt.
func (s *secret) extract(material []byte) {
	out, err := hkdf.Extract(sha256.New, material, s[:])
	if err != nil {
		panic("envelope: HKDF-Extract: " + err.Error()) // only with a broken hash
	}
	copy(s[:], out)
	clear(out)
}

// next makes s the secret of the next epoch. The old one can't be found from it.
func (s *secret) next() {
	out := s.expand("next", len(s))
	copy(s[:], out)
	clear(out)
}

// expand is HKDF-Expand (RFC 5869) with SHA-256. Whoever asks must wipe what it gets.
func (s *secret) expand(info string, size int) []byte {
	out, err := hkdf.Expand(sha256.New, s[:], info, size)
	if err != nil {
		panic("envelope: HKDF-Expand: " + err.Error()) // only for sizes that nobody asks for
	}
	return out
}

// traffic is the key material of one direction. A suite that isn't GCM has a label of its own, so
// that no two algorithms ever share a key.
func (s *secret) traffic(h *header, link string, size int) []byte {
	info := make([]byte, 0, 128)
	info = append(info, label...)
	if h.suite == TDES {
		info = append(info, "/tdes"...)
	}
	info = append(info, '/')
	info = append(info, h.from.way()...)
	info = append(info, '/')
	info = append(info, link...)
	info = append(info, '/')
	info = binary.BigEndian.AppendUint16(info, h.generation)
	info = binary.BigEndian.AppendUint16(info, h.epoch)
	info = append(info, h.session[:]...)
	return s.expand(string(info), size)
}

// finished is a side's proof that it has S and saw these hellos.
func (s *secret) finished(from side, hellos [32]byte) [32]byte {
	key := s.expand(label+"/finished/"+from.letter(), 32)
	proof := hmac.New(sha256.New, key)
	clear(key)
	proof.Write([]byte(from.letter()))
	proof.Write(hellos[:])
	return [32]byte(proof.Sum(nil))
}

// hashHellos is over both hellos, byte for byte as they went over the wire.
func hashHellos(helloHash [32]byte, ackFrame []byte) [32]byte {
	ackHash := sha256.Sum256(ackFrame)
	return sha256.Sum256(append(helloHash[:], ackHash[:]...))
}

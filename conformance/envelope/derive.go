package envelope

import (
	"crypto/aes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"cardswitch/conformance/cmac"
)

// All labels begin with this text, section 5.
const label = "iso8583-link/v1"

// connection is what a handshake settles for the whole connection.
type connection struct {
	link           string
	suite          Suite
	padded         bool
	session        [8]byte
	nonceI, nonceA [32]byte
	hellos         [32]byte // hash of both
	shares         []byte   // P; nil without shares
}

// secret is S of epoch 0 of a generation, under its link key.
func (c *connection) secret(generation uint16, linkKey Key) ([]byte, error) {
	block, err := aes.NewCipher(linkKey)
	if err != nil {
		return nil, fmt.Errorf("the link key has %d bytes; it needs 16, 24 or 32", len(linkKey))
	}
	fixed := append([]byte(label), 0)
	fixed = binary.BigEndian.AppendUint16(fixed, generation)
	fixed = append(fixed, c.session[:]...)
	fixed = append(fixed, c.nonceI[:]...)
	fixed = append(fixed, c.nonceA[:]...)
	fixed = append(fixed, c.link...)
	var s []byte
	for i := range uint32(2) {
		m := binary.BigEndian.AppendUint32(nil, i+1)
		m = append(m, fixed...)
		m = binary.BigEndian.AppendUint32(m, 256)
		mac := cmac.Sum(block, m)
		s = append(s, mac[:]...)
	}
	if c.shares == nil {
		return s, nil
	}
	return hkdf.Extract(sha256.New, c.shares, s)
}

// mix sets what two shares give, section 5.
func (c *connection) mix(x25519, mlkem []byte) error {
	material := append(append(append([]byte(nil), x25519...), mlkem...), c.hellos[:]...)
	p, err := hkdf.Extract(sha256.New, material, []byte(label+"/shares"))
	c.shares = p
	return err
}

// material is what the keys of one direction at one generation and epoch are cut from.
func (c *connection) material(way string, g, epoch uint16, secret []byte) ([]byte, error) {
	prefix, size := label+"/", 44
	if c.suite == TDES {
		prefix, size = label+"/tdes/", 40
	}
	info := []byte(prefix + way + "/" + c.link + "/")
	info = binary.BigEndian.AppendUint16(info, g)
	info = binary.BigEndian.AppendUint16(info, epoch)
	info = append(info, c.session[:]...)
	return hkdf.Expand(sha256.New, secret, string(info), size)
}

// ratchet is the secret of the next epoch.
func ratchet(secret []byte) ([]byte, error) {
	return hkdf.Expand(sha256.New, secret, "next", 32)
}

// proof is the content of finished: of the initiator with role "i", of the acceptor with "a".
func (c *connection) proof(role string, secret []byte) ([]byte, error) {
	key, err := hkdf.Expand(sha256.New, secret, label+"/finished/"+role, 32)
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(role))
	h.Write(c.hellos[:])
	return h.Sum(nil), nil
}

// hashHellos is the hash of both hellos as they went over the wire.
func hashHellos(hello, ack []byte) [32]byte {
	one, two := sha256.Sum256(hello), sha256.Sum256(ack)
	return sha256.Sum256(append(one[:], two[:]...))
}

package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"sync"

	"cardswitch/spec"
)

// keySet is the data keys at work. It never changes; another takes its place.
type keySet struct {
	file   keyFile
	aeads  map[uint32]cipher.AEAD
	active uint32
	nonces *nonces
}

func newAEAD(dek []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(dek)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal puts a number into an entry, under the active data key.
func (k *keySet) seal(e *entry, t Token, pan spec.PAN) {
	e.dek = k.active
	k.nonces.fill(e.nonce[:])
	packed := packPAN(pan)
	k.aeads[k.active].Seal(e.sealed[:0], e.nonce[:], packed[:], e.bound(t))
	clear(packed[:])
}

// open takes the number out of an entry.
func (k *keySet) open(e *entry, t Token) (spec.PAN, error) {
	aead := k.aeads[e.dek]
	if aead == nil {
		return spec.PAN{}, errUnknownKey
	}
	var packed [panSize]byte
	plain, err := aead.Open(packed[:0], e.nonce[:], e.sealed[:], e.bound(t))
	if err != nil {
		return spec.PAN{}, ErrDamaged
	}
	defer clear(plain)
	return unpackPAN(plain)
}

// nonces never repeat under one key: eight random bytes drawn at the start, then a counter; when
// that is used up, eight new ones. Numbers drawn at random alone would do for 2^32 tokens only.
type nonces struct {
	mu   sync.Mutex
	salt [8]byte
	next uint32
}

func (n *nonces) fill(nonce []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == 0 {
		rand.Read(n.salt[:]) // never fails
	}
	copy(nonce, n.salt[:])
	binary.BigEndian.PutUint32(nonce[8:], n.next)
	n.next++
}

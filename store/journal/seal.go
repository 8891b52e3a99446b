package journal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"sync"

	"cardswitch/spec"
)

// KeySize is the size of the data key.
const KeySize = 32

// Hash names a chunk; each chunk carries the hash of the one before.
type Hash [sha256.Size]byte

// MarshalText is the hash in hexadecimal digits.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return errors.New("a hash has 64 hexadecimal digits")
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// Keys is the data key at work. The data key itself is never used: what seals, what hashes card
// numbers and what names the key are derived from it, so none of them tells anything about another.
type Keys struct {
	aead    cipher.AEAD
	card    cipher.Block
	id      [8]byte
	scratch sync.Pool // *[2]block
}

type block [aes.BlockSize]byte

// NewKeys derives the working keys from a data key of KeySize bytes.
func NewKeys(dataKey []byte) (*Keys, error) {
	seal, err := hkdf.Key(sha256.New, dataKey, nil, "cardswitch journal seal", 32)
	if err != nil {
		return nil, err
	}
	card, err := hkdf.Key(sha256.New, dataKey, nil, "cardswitch card hash", 32)
	if err != nil {
		return nil, err
	}
	id, err := hkdf.Key(sha256.New, dataKey, nil, "cardswitch key id", 8)
	if err != nil {
		return nil, err
	}
	sealBlock, err := aes.NewCipher(seal)
	if err != nil {
		return nil, err
	}
	k := &Keys{id: [8]byte(id)}
	if k.aead, err = cipher.NewGCM(sealBlock); err != nil {
		return nil, err
	}
	if k.card, err = aes.NewCipher(card); err != nil {
		return nil, err
	}
	k.scratch.New = func() any { return new([2]block) }
	return k, nil
}

// ID names the data key without telling anything about it.
func (k *Keys) ID() [8]byte { return k.id }

// HashPAN is the keyed hash under which a card is found: one AES block, since a card number with
// its length fits into one. Two cards never share a hash, and without the key it can't be guessed.
func (k *Keys) HashPAN(p spec.PAN) [16]byte {
	if p.IsZero() {
		return [16]byte{}
	}
	s := k.scratch.Get().(*[2]block)
	number, digits := p.Number()
	s[0] = block{15: byte(digits)}
	binary.BigEndian.PutUint64(s[0][:8], number)
	k.card.Encrypt(s[1][:], s[0][:])
	sum := s[1]
	s[0] = block{}
	k.scratch.Put(s)
	return sum
}

// CardOf is the card that HashPAN has hashed; false if it has hashed none to this.
func (k *Keys) CardOf(hash [16]byte) (spec.PAN, bool) {
	var b block
	k.card.Decrypt(b[:], hash[:])
	digits := int(b[15])
	if digits == 0 || digits > 19 || [7]byte(b[8:15]) != [7]byte{} {
		return spec.PAN{}, false
	}
	text := strconv.FormatUint(binary.BigEndian.Uint64(b[:8]), 10)
	b = block{}
	if len(text) > digits {
		return spec.PAN{}, false
	}
	p, err := spec.ParsePAN(strings.Repeat("0", digits-len(text)) + text)
	return p, err == nil
}

// nonces never repeat under one key: eight random bytes drawn for each Writer, then a counter; when
// that is used up, eight new ones.
type nonces struct {
	salt [8]byte
	next uint32
}

func (n *nonces) fill(nonce []byte) {
	if n.next == 0 {
		rand.Read(n.salt[:]) // never fails
	}
	copy(nonce, n.salt[:])
	binary.BigEndian.PutUint32(nonce[8:], n.next)
	n.next++
}

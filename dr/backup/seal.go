package backup

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"
)

// An object at the target:
//
//	magic "cswb" 4, version 1, flags 1, salt 32
//	AES-256-GCM of the content, compressed where that makes it smaller; its tag is the end
//
// The seal's additional data is the header and the object's whole name, so an object that was
// changed, cut, or put under another name doesn't open. Its key is derived from the salt.
const (
	magic      = "cswb"
	version    = 1
	compressed = 1 // flag
	saltSize   = 32
	headSize   = len(magic) + 2 + saltSize
	tagSize    = 16

	// BlockSize bounds what an object holds, and with it memory and the size of one transfer.
	BlockSize = 4 << 20
	// MaxObject is the size of the largest object: a block that can't be compressed.
	MaxObject = BlockSize + int64(headSize) + tagSize
)

// ErrDamaged is that of an object that isn't what was written under its name.
var ErrDamaged = errors.New("it isn't what was written")

// sealed is a block ready for its seal: how large its object will be is known before.
type sealed struct {
	flags byte
	body  []byte
}

func compress(block []byte) sealed {
	if small := s2.Encode(nil, block); len(small) < len(block) {
		return sealed{compressed, small}
	}
	return sealed{0, block}
}

func (s *sealed) size() int64 { return int64(headSize + len(s.body) + tagSize) }

// sealBody makes the object of that name.
func (k *Key) sealBody(name string, s sealed) ([]byte, error) {
	object := make([]byte, headSize, s.size())
	copy(object, magic)
	object[4], object[5] = version, s.flags
	salt := object[headSize-saltSize:]
	rand.Read(salt) // never fails
	aead, err := k.aead(salt)
	if err != nil {
		return nil, err
	}
	bound := append([]byte(name), object...)
	return aead.Seal(object, make([]byte, aead.NonceSize()), s.body, bound), nil
}

// Seal makes the object of that name, of at most BlockSize bytes of content.
func (k *Key) Seal(name string, content []byte) ([]byte, error) {
	if len(content) > BlockSize {
		return nil, fmt.Errorf("%d bytes are too many for an object", len(content))
	}
	return k.sealBody(name, compress(content))
}

// Open returns what Seal was given. Its error is ErrDamaged.
func (k *Key) Open(name string, object []byte) ([]byte, error) {
	if len(object) < headSize+tagSize || string(object[:len(magic)]) != magic {
		return nil, fmt.Errorf("%s: %w: it is too short, or something else", name, ErrDamaged)
	}
	if object[4] != version {
		return nil, fmt.Errorf("%s: it is of version %d, this program knows %d", name, object[4],
			version)
	}
	head := object[:headSize]
	aead, err := k.aead(head[headSize-saltSize:])
	if err != nil {
		return nil, err
	}
	bound := append([]byte(name), head...)
	body, err := aead.Open(nil, make([]byte, aead.NonceSize()), object[headSize:], bound)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: its seal is broken", name, ErrDamaged)
	}
	if object[5]&compressed == 0 {
		return body, nil
	}
	if n, err := s2.DecodedLen(body); err != nil || n > BlockSize {
		return nil, fmt.Errorf("%s: %w: its length is wrong", name, ErrDamaged)
	}
	content, err := s2.Decode(nil, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: it can't be decompressed", name, ErrDamaged)
	}
	return content, nil
}

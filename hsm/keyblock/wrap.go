package keyblock

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
)

// Options say how Wrap makes a block. The zero value is the usual.
type Options struct {
	// Random gives the padding; crypto/rand if nil.
	Random io.Reader
	// ShowLength pads a key only to a whole block. Otherwise a TDES key is padded to 24 bytes and
	// an AES key to 32, so that the block doesn't show how long it is (X9.143 section 6.1).
	ShowLength bool
}

// Wrap makes a block of version B, D or E of a key that the header describes, under a KBPK that is
// at least as strong. Check values in the header must be right. The caller clears kbpk.
func Wrap(kbpk []byte, h Header, key Key, o Options) (string, error) {
	return wrap(bare(kbpk), h, key, o)
}

func wrap(under cover, h Header, key Key, o Options) (string, error) {
	if err := h.validate(); err != nil {
		return "", err
	}
	f, _ := h.Version.form()
	switch {
	case key.IsZero():
		return "", ErrNoKey
	case h.Algorithm != key.Algorithm():
		return "", fmt.Errorf("the header is of a %s key, the key of %s", h.Algorithm.Text(),
			key.Algorithm().Text())
	}
	keys, err := under.keys(f)
	if err != nil {
		return "", err
	}
	defer keys.wipe()
	if err := checkWrapping(under.strength(f), key); err != nil {
		return "", err
	}
	if err := checkCheckValues(&h, f, under, key); err != nil {
		return "", err
	}
	plain := make([]byte, paddedSize(f, key, o.ShowLength))
	defer clear(plain)
	head, err := h.write(f, 2*(len(plain)+f.code))
	if err != nil {
		return "", err
	}
	if err := pad(plain, key, o.Random); err != nil {
		return "", err
	}
	return seal(keys, head, plain)
}

// paddedSize is the bytes of the length, the key and its padding.
func paddedSize(f form, key Key, showLength bool) int {
	size := key.Size()
	if !showLength {
		switch key.Algorithm() {
		case TDES:
			size = 24
		case AES:
			size = 32
		}
	}
	return (2 + size + f.data - 1) / f.data * f.data
}

// pad fills plain with the length of the key in bits, the key, and what random gives.
func pad(plain []byte, key Key, random io.Reader) error {
	if random == nil {
		random = rand.Reader
	}
	binary.BigEndian.PutUint16(plain, uint16(8*key.Size()))
	if _, err := io.ReadFull(random, plain[2+key.Size():]); err != nil {
		return fmt.Errorf("pad the key: %w", err)
	}
	return key.Use(func(raw []byte) error {
		copy(plain[2:], raw)
		return nil
	})
}

// seal makes the code over header and clear key, and encrypts the key with the code as IV.
func seal(keys protection, head string, plain []byte) (string, error) {
	code, err := keys.sum([]byte(head), plain)
	if err != nil {
		return "", err
	}
	data := make([]byte, len(plain))
	if err := keys.crypt(data, plain, code, false); err != nil {
		return "", err
	}
	return head + fmt.Sprintf("%X%X", data, code), nil
}

package envelope

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"
)

// keys seal and open the frames of one direction at one epoch.
type keys interface {
	// seal makes the body of a frame.
	seal(header []byte, sequence uint64, content []byte) ([]byte, error)
	// open gives the content of a body.
	open(header []byte, sequence uint64, body []byte) ([]byte, error)
	// blocks is how many encrypted blocks of 8 bytes a body of this size has, where that counts.
	blocks(body int) uint64
	// size is that of the body for a content.
	size(content int) int
}

var errTag = errors.New("the tag or MAC doesn't fit")

func newKeys(suite Suite, material []byte, random io.Reader) (keys, error) {
	if suite == TDES {
		return newTDESKeys(material, random)
	}
	block, err := aes.NewCipher(material[:32])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &gcmKeys{aead, [12]byte(material[32:])}, nil
}

// gcmKeys are those of suite 01.
type gcmKeys struct {
	aead cipher.AEAD
	iv   [12]byte
}

func (k *gcmKeys) nonce(sequence uint64) []byte {
	n := k.iv
	binary.BigEndian.PutUint64(n[4:], binary.BigEndian.Uint64(n[4:])^sequence)
	return n[:]
}

func (k *gcmKeys) seal(header []byte, sequence uint64, content []byte) ([]byte, error) {
	return k.aead.Seal(nil, k.nonce(sequence), content, header), nil
}

func (k *gcmKeys) open(header []byte, sequence uint64, body []byte) ([]byte, error) {
	content, err := k.aead.Open(nil, k.nonce(sequence), body, header)
	if err != nil {
		return nil, errTag
	}
	return content, nil
}

func (k *gcmKeys) blocks(int) uint64 { return 0 }

func (k *gcmKeys) size(content int) int { return content + k.aead.Overhead() }

// tdesKeys are those of suite 81.
type tdesKeys struct {
	tdes, left, right cipher.Block
	random            io.Reader
}

func newTDESKeys(material []byte, random io.Reader) (*tdesKeys, error) {
	tdes, err := des.NewTripleDESCipher(material[:24])
	if err != nil {
		return nil, err
	}
	left, err := des.NewCipher(material[24:32])
	if err != nil {
		return nil, err
	}
	right, err := des.NewCipher(material[32:40])
	return &tdesKeys{tdes, left, right, random}, err
}

// mac is that of X9.19 over whole blocks.
func (k *tdesKeys) mac(parts ...[]byte) []byte {
	mac := make([]byte, 8)
	for _, part := range parts {
		for ; len(part) > 0; part = part[8:] {
			subtle.XORBytes(mac, mac, part[:8])
			k.left.Encrypt(mac, mac)
		}
	}
	k.right.Decrypt(mac, mac)
	k.left.Encrypt(mac, mac)
	return mac
}

func (k *tdesKeys) seal(header []byte, _ uint64, content []byte) ([]byte, error) {
	body := make([]byte, k.size(len(content)))
	iv, text, mac := body[:8], body[8:len(body)-8], body[len(body)-8:]
	if _, err := io.ReadFull(k.random, iv); err != nil {
		return nil, err
	}
	copy(text, content)
	text[len(content)] = 0x80
	cipher.NewCBCEncrypter(k.tdes, iv).CryptBlocks(text, text)
	copy(mac, k.mac(header, iv, text))
	return body, nil
}

func (k *tdesKeys) open(header []byte, _ uint64, body []byte) ([]byte, error) {
	if len(body) < 24 || len(body)%8 != 0 {
		return nil, errTag
	}
	iv, text, mac := body[:8], body[8:len(body)-8], body[len(body)-8:]
	if subtle.ConstantTimeCompare(mac, k.mac(header, iv, text)) != 1 {
		return nil, errTag
	}
	content := make([]byte, len(text))
	cipher.NewCBCDecrypter(k.tdes, iv).CryptBlocks(content, text)
	for n := len(content) - 1; n >= len(content)-8; n-- {
		switch content[n] {
		case 0:
			continue
		case 0x80:
			return content[:n], nil
		}
		break
	}
	return nil, errors.New("the padding of the blocks is wrong")
}

func (k *tdesKeys) blocks(body int) uint64 { return uint64(body-16) / 8 }

func (k *tdesKeys) size(content int) int { return 8 + (content/8+1)*8 + 8 }

// pad adds 1 to 64 bytes: zeros, and how many there are of them all, section 7.
func pad(content []byte) []byte {
	n := 64 - len(content)%64
	out := append(make([]byte, 0, len(content)+n), content...)
	return append(append(out, make([]byte, n-1)...), byte(n))
}

func unpad(content []byte) ([]byte, error) {
	wrong := errors.New("the padding of the content is wrong")
	if len(content) == 0 || len(content)%64 != 0 {
		return nil, wrong
	}
	n := int(content[len(content)-1])
	if n < 1 || n > 64 {
		return nil, wrong
	}
	for _, b := range content[len(content)-n : len(content)-1] {
		if b != 0 {
			return nil, wrong
		}
	}
	return content[:len(content)-n], nil
}

package envelope

import (
	"crypto/cipher"
	"crypto/des"
	"encoding/binary"

	"cardswitch/hsm/mac"
)

const (
	tdesBlock = 8
	tdesKeys  = 24 + 16 // of the cipher, of the MAC
	// tdesMostBlocks is what NIST SP 800-67r2 lets one key encrypt: of messages of 512 bytes some
	// 16,000. Both sides count.
	tdesMostBlocks = 1 << 20
)

// tdes is the legacy suite: CBC under a random IV, and over header, IV and ciphertext the MAC of
// X9.19 (ISO 9797-1 algorithm 3). What is MACed is always whole blocks, so the MAC pads nothing.
type tdes struct {
	cipher cipher.Block // three keys
	mac    *mac.Mac
	draw   func(iv []byte)
}

// newTDES copies the keys: 24 bytes of the cipher, 16 of the MAC. Draw makes IVs.
func newTDES(keys []byte, draw func(iv []byte)) *tdes {
	c, err := des.NewTripleDESCipher(keys[:24])
	// Any padding method but 2 adds nothing to whole blocks.
	x919 := mac.Spec{Algorithm: mac.Retail, Padding: mac.Padding1, Size: tdesBlock}
	m, errMAC := mac.New(x919, keys[24:])
	if err != nil || errMAC != nil {
		panic("envelope: DES refuses keys") // only keys of a wrong size
	}
	return &tdes{cipher: c, mac: m, draw: draw}
}

// tdesPadded is the size of n bytes after ISO 9797-1 padding method 2.
func tdesPadded(n int) int { return (n/tdesBlock + 1) * tdesBlock }

// seal encrypts the n bytes of content that lie in the frame behind the IV, whose header is
// written. It gives the number of blocks.
func (t *tdes) seal(frame []byte, n int) uint64 {
	iv := frame[headerSize : headerSize+tdesBlock]
	t.draw(iv)
	body := frame[headerSize+tdesBlock : len(frame)-tdesBlock]
	clear(body[n:])
	body[n] = 0x80
	last := binary.BigEndian.Uint64(iv)
	for at := 0; at < len(body); at += tdesBlock {
		b := body[at : at+tdesBlock]
		binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(b)^last)
		t.cipher.Encrypt(b, b)
		last = binary.BigEndian.Uint64(b)
	}
	end := len(frame) - tdesBlock
	t.mac.Sum(frame[:end], frame[:end])
	return uint64(len(body) / tdesBlock)
}

// open checks the MAC, then decrypts in place. It adds to blocks, and refuses what goes over the
// limit.
func (t *tdes) open(frame []byte, blocks *uint64) ([]byte, Cause) {
	if len(frame)%tdesBlock != 0 {
		return nil, Short
	}
	body := frame[headerSize+tdesBlock : len(frame)-tdesBlock]
	count := uint64(len(body) / tdesBlock)
	if *blocks+count > tdesMostBlocks {
		return nil, KeyLimit
	}
	if end := len(frame) - tdesBlock; !t.mac.Verify(frame[end:], frame[:end]) {
		return nil, WrongTag
	}
	*blocks += count
	last := binary.BigEndian.Uint64(frame[headerSize:])
	for at := 0; at < len(body); at += tdesBlock {
		b := body[at : at+tdesBlock]
		sealed := binary.BigEndian.Uint64(b)
		t.cipher.Decrypt(b, b)
		binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(b)^last)
		last = sealed
	}
	for n := len(body) - 1; n >= len(body)-tdesBlock; n-- {
		switch body[n] {
		case 0x80:
			return body[:n], None
		case 0:
			continue
		}
		break
	}
	return nil, WrongContent
}

// Package cmac is AES-CMAC, RFC 4493, of the other end.
package cmac

import "crypto/cipher"

// Sum is the code of a message under a cipher of 16-byte blocks.
func Sum(block cipher.Block, message []byte) [16]byte {
	double := func(b [16]byte) [16]byte {
		carry := b[0] >> 7
		for i := range 15 {
			b[i] = b[i]<<1 | b[i+1]>>7
		}
		b[15] = b[15]<<1 ^ carry*0x87
		return b
	}
	var mac, key [16]byte
	block.Encrypt(key[:], key[:])
	key = double(key)
	for len(message) > 16 {
		for i := range 16 {
			mac[i] ^= message[i]
		}
		block.Encrypt(mac[:], mac[:])
		message = message[16:]
	}
	var last [16]byte
	if n := copy(last[:], message); n < 16 {
		last[n] = 0x80
		key = double(key)
	}
	for i := range 16 {
		mac[i] ^= last[i] ^ key[i]
	}
	block.Encrypt(mac[:], mac[:])
	return mac
}

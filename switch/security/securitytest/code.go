package securitytest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
)

// retail is ISO/IEC 9797-1 algorithm 3 with DES and a key of two parts.
func retail(key []byte, padding int, message []byte) []byte {
	first, second := desOf(key[:8]), desOf(key[8:16])
	padded := append([]byte(nil), message...)
	if padding == 3 {
		head := make([]byte, 8)
		bits := len(message) * 8
		for i := range 8 {
			head[7-i] = byte(bits >> (8 * i))
		}
		padded = append(head, padded...)
	}
	if padding == 2 {
		padded = append(padded, 0x80)
	}
	for len(padded) == 0 || len(padded)%8 != 0 {
		padded = append(padded, 0)
	}
	state := make([]byte, 8)
	for at := 0; at < len(padded); at += 8 {
		for i := range 8 {
			state[i] ^= padded[at+i]
		}
		first.Encrypt(state, state)
	}
	second.Decrypt(state, state)
	first.Encrypt(state, state)
	return state
}

// cmac is NIST SP 800-38B.
func cmac(block cipher.Block, message []byte) []byte {
	size := block.BlockSize()
	subkey := make([]byte, size)
	block.Encrypt(subkey, subkey)
	double := func() {
		carry := subkey[0] >> 7
		for i := range subkey {
			subkey[i] <<= 1
			if i+1 < size {
				subkey[i] |= subkey[i+1] >> 7
			}
		}
		reduce := byte(0x1B)
		if size == 16 {
			reduce = 0x87
		}
		subkey[size-1] ^= reduce * carry
	}
	double()
	padded := append([]byte(nil), message...)
	if len(padded) == 0 || len(padded)%size != 0 {
		double()
		padded = append(padded, 0x80)
		for len(padded)%size != 0 {
			padded = append(padded, 0)
		}
	}
	state := make([]byte, size)
	for at := 0; at < len(padded); at += size {
		last := at+size == len(padded)
		for i := range size {
			state[i] ^= padded[at+i]
			if last {
				state[i] ^= subkey[i]
			}
		}
		block.Encrypt(state, state)
	}
	return state
}

func desOf(key []byte) cipher.Block {
	b, err := des.NewCipher(key)
	if err != nil {
		panic(err)
	}
	return b
}

// blockOf is TDES for 16 and 24 bytes where tdes is set, else AES.
func blockOf(tdes bool, key []byte) cipher.Block {
	var b cipher.Block
	var err error
	if tdes {
		b, err = des.NewTripleDESCipher(append(append([]byte(nil), key...), key[:24-len(key)]...))
	} else {
		b, err = aes.NewCipher(key)
	}
	if err != nil {
		panic(err)
	}
	return b
}

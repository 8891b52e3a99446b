// Package keyblock opens and makes key blocks of version D of ANSI X9.143, for the other end.
//
// It is the second implementation against which the switch's own is tested: a header in clear
// text, the encrypted key, and a code over both, everything of AES. Optional blocks are passed
// over. Sources: ANSI X9.143:2021 and ASC X9 TR-31:2018, annex A.
package keyblock

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cardswitch/conformance/cmac"
)

// Header says what a key is for.
type Header struct {
	Usage     string // 2 characters, as B3
	Algorithm byte   // A for AES, T for TDES
	Mode      byte   // of use, as X
	Version   string // of the key, 2 characters; 00: none
	Export    byte   // E, N or S
	Context   byte   // 0 any, 1 storage, 2 exchange
}

const (
	headerSize = 16
	codeSize   = 16
	mostBlock  = 9992 // what four digits of length can say, in whole blocks
)

// Errors of a block that isn't opened. They tell nothing of what's inside.
var (
	ErrMalformed = errors.New("no key block of version D")
	ErrForged    = errors.New("the key block's code is wrong: it is of another key, or altered")
)

// Open gives the key of a block that was made under the key block protection key kbpk.
func Open(kbpk Protection, block string) (Header, []byte, error) {
	h, body, err := parse(block)
	if err != nil {
		return h, nil, err
	}
	encrypt, authenticate, err := derive(kbpk)
	if err != nil {
		return h, nil, err
	}
	sealed, code := body[:len(body)-codeSize], body[len(body)-codeSize:]
	clear := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(encrypt, code).CryptBlocks(clear, sealed)
	front := block[:len(block)-2*len(body)]
	want := cmac.Sum(authenticate, append([]byte(front), clear...))
	if subtle.ConstantTimeCompare(want[:], code) != 1 {
		return h, nil, ErrForged
	}
	bits := int(binary.BigEndian.Uint16(clear))
	if bits == 0 || bits%8 != 0 || 2+bits/8 > len(clear) {
		return h, nil, ErrMalformed
	}
	return h, clear[2 : 2+bits/8], nil
}

// parse takes a block apart; the body is the encrypted key with the code behind it.
func parse(block string) (h Header, body []byte, err error) {
	if len(block) < headerSize || len(block) > mostBlock || block[0] != 'D' {
		return h, nil, ErrMalformed
	}
	length, err := strconv.ParseUint(block[1:5], 10, 16)
	if err != nil || int(length) != len(block) {
		return h, nil, ErrMalformed
	}
	optional, err := strconv.ParseUint(block[12:14], 10, 8)
	if err != nil {
		return h, nil, ErrMalformed
	}
	h = Header{Usage: block[5:7], Algorithm: block[7], Mode: block[8], Version: block[9:11],
		Export: block[11], Context: block[14]}
	rest := block[headerSize:]
	for range optional {
		if rest, err = pass(rest); err != nil {
			return h, nil, err
		}
	}
	if body, err = hex.DecodeString(rest); err != nil || rest != strings.ToUpper(rest) ||
		len(body)%aes.BlockSize != 0 || len(body) < 2*aes.BlockSize {
		return h, nil, ErrMalformed
	}
	return h, body, nil
}

// pass leaves one optional block behind: two characters of name, two digits of length, or 00 and
// the count of digits of a longer length.
func pass(rest string) (string, error) {
	if len(rest) < 4 {
		return "", ErrMalformed
	}
	least, digits := 4, rest[2:4]
	if digits == "00" {
		if len(rest) < 10 || rest[4:6] != "04" {
			return "", ErrMalformed
		}
		least, digits = 10, rest[6:10]
	}
	size, err := strconv.ParseUint(digits, 16, 16)
	if err != nil || int(size) < least || int(size) > len(rest) {
		return "", ErrMalformed
	}
	return rest[size:], nil
}

// Make wraps a key. Every key looks as long as the longest of AES, 32 bytes.
func Make(kbpk Protection, h Header, key []byte) (string, error) {
	if len(h.Usage) != 2 || len(h.Version) != 2 || len(key) == 0 || len(key) > 32 {
		return "", errors.New("no header and key that a block can be made of")
	}
	encrypt, authenticate, err := derive(kbpk)
	if err != nil {
		return "", err
	}
	clear := make([]byte, 48)
	rand.Read(clear)
	binary.BigEndian.PutUint16(clear, uint16(8*len(key)))
	copy(clear[2:], key)
	front := fmt.Sprintf("D%04d%s%c%c%s%c00%c0", headerSize+2*(len(clear)+codeSize), h.Usage,
		h.Algorithm, h.Mode, h.Version, h.Export, h.Context)
	code := cmac.Sum(authenticate, append([]byte(front), clear...))
	cipher.NewCBCEncrypter(encrypt, code[:]).CryptBlocks(clear, clear)
	return front + strings.ToUpper(hex.EncodeToString(clear)+hex.EncodeToString(code[:])), nil
}

// derive makes the keys that encrypt and authenticate, each of CMACs under kbpk over a counter,
// the use, the algorithm, and the length in bits (TR-31, section 5.3.2.3).
func derive(kbpk Protection) (encrypt, authenticate cipher.Block, err error) {
	under, err := aes.NewCipher(kbpk)
	if err != nil {
		return nil, nil, fmt.Errorf("a key block protection key has 16, 24 or 32 bytes, not %d",
			len(kbpk))
	}
	var keys [2][]byte
	for use := range keys {
		for counter := byte(1); len(keys[use]) < len(kbpk); counter++ {
			input := []byte{counter, 0, byte(use), 0, 0, byte(len(kbpk) / 8)}
			input = binary.BigEndian.AppendUint16(input, uint16(8*len(kbpk)))
			part := cmac.Sum(under, input)
			keys[use] = append(keys[use], part[:]...)
		}
		keys[use] = keys[use][:len(kbpk)]
	}
	if encrypt, err = aes.NewCipher(keys[0]); err == nil {
		authenticate, err = aes.NewCipher(keys[1])
	}
	return encrypt, authenticate, err
}

// CheckTDES is the check value of a TDES key of 16 or 24 bytes: a block of zeros encrypted, its
// first three bytes, as six digits in capitals.
func CheckTDES(key []byte) (string, error) {
	long := append(key[:len(key):len(key)], key[:min(8, len(key))]...)
	block, err := des.NewTripleDESCipher(long[:min(24, len(long))])
	if err != nil || len(key) != 16 && len(key) != 24 {
		return "", fmt.Errorf("a TDES key has 16 or 24 bytes, not %d", len(key))
	}
	code := make([]byte, des.BlockSize)
	block.Encrypt(code, code)
	return strings.ToUpper(hex.EncodeToString(code[:3])), nil
}

// Check is the check value of an AES key: CMAC of a block of zeros, its first five bytes, as ten
// digits in capitals.
func Check(key []byte) (string, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", fmt.Errorf("an AES key has 16, 24 or 32 bytes, not %d", len(key))
	}
	code := cmac.Sum(block, make([]byte, aes.BlockSize))
	return strings.ToUpper(hex.EncodeToString(code[:5])), nil
}

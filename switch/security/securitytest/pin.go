package securitytest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
)

// plainBlock is the PIN field of formats 0 and 3 joined with the card number's field.
func plainBlock(format int, pin, pan string) []byte {
	fill := "F"
	if format == 3 {
		fill = "A"
	}
	text := fmt.Sprintf("%d%X%s", format, len(pin), pin)
	text += strings.Repeat(fill, 16-len(text))
	block := unhex(text)
	for i, b := range unhex("0000" + pan[len(pan)-13:len(pan)-1]) {
		block[i] ^= b
	}
	return block
}

// encipherPIN makes the block of a PIN as ISO 9564-1 says.
func encipherPIN(format int, key []byte, pin, pan string) []byte {
	if format != 4 {
		block := plainBlock(format, pin, pan)
		blockOf(true, key).Encrypt(block, block)
		return block
	}
	text := fmt.Sprintf("4%X%s", len(pin), pin)
	block := unhex(text + strings.Repeat("A", 16-len(text)) + "0123456789ABCDEF")
	k := blockOf(false, key)
	k.Encrypt(block, block)
	for i, b := range panField(pan) {
		block[i] ^= b
	}
	k.Encrypt(block, block)
	return block
}

// decipherPIN opens one, and tells whether its format and fill are right.
func decipherPIN(format int, key []byte, block []byte, pan string) (pin string, ok bool) {
	block = bytes.Clone(block)
	if format == 4 {
		k := blockOf(false, key)
		k.Decrypt(block, block)
		for i, b := range panField(pan) {
			block[i] ^= b
		}
		k.Decrypt(block, block)
	} else {
		blockOf(true, key).Decrypt(block, block)
		for i, b := range unhex("0000" + pan[len(pan)-13:len(pan)-1]) {
			block[i] ^= b
		}
	}
	text := fmt.Sprintf("%X", block[:8])
	n := strings.IndexByte("0123456789ABC", text[1])
	if int(text[0]-'0') != format || n < 4 {
		return "", false
	}
	fill := map[int]string{0: "F", 3: "ABCDEF", 4: "A"}[format]
	return text[2 : 2+n], strings.Trim(text[2+n:], fill) == ""
}

// panField is that of format 4.
func panField(pan string) []byte {
	text := fmt.Sprintf("%X%s", len(pan)-12, pan)
	return unhex(text + strings.Repeat("0", 32-len(text)))
}

func unhex(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

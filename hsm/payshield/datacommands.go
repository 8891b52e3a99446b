package payshield

import (
	"cardswitch/hsm/mac"
)

const tdesBlock = 8 // bytes

// askDecrypt is M2 with a BDK: mode 01 (CBC), data in and out as bytes, key type, BDK, the KSN's
// descriptor, the KSN of 20 digits, the initial value, length, data. [V] ut-codec and aws for the
// order of the fields and for CBC, thales9000 for bytes and their length. Which of the terminal's
// keys a BDK of usage B0 gives is [M]: that of X9.24-1:2009 for data of requests.
func askDecrypt(bdk, descriptor string, ksn, iv, data []byte, lmkID string) []byte {
	b := append([]byte("0100"+keyType), bdk...)
	b = appendHex(append(b, descriptor...), ksn)
	b = appendHex16(appendHex(b, iv), len(data))
	return lmk(append(b, data...), lmkID)
}

// readDecrypt reads the answer to M2 in mode 01: the next initial value, length, data, which is not
// copied. [V] ut-codec, and thales9000 for bytes.
func readDecrypt(rest []byte, size int) ([]byte, error) {
	s := scanner{rest: rest}
	s.hex(tdesBlock, "initial value")
	length := s.hex(2, "length")
	if s.bad == "" && int(length[0])<<8|int(length[1]) != size {
		s.fail("length of its data")
	}
	if s.bad == "" && len(s.rest) != size {
		s.fail("data of its length")
	}
	data := s.rest
	s.rest = nil
	return data, s.end()
}

// code is a MAC as the units make it: its algorithm and padding by the units' numbers.
type code struct {
	algorithm, padding, size string
	bytes                    int // what the unit makes: 4 or 8
}

// codeOf says how the units are asked for a code, if they can make it. Algorithms 1 and 3 [V] aws,
// ut-codec, and sizes '0' and '1' for 4 and 8 bytes [V] thales9000. With padding '0', none [V]
// thales9000, messages are filled up here, so what the other methods' numbers are doesn't matter.
// AES-CMAC is 6 [V] aws; its padding '4' is [M].
func codeOf(how mac.Spec) (c code, ok bool) {
	c = code{padding: "0", size: "1", bytes: 8}
	if how.Size == 4 {
		c.size, c.bytes = "0", 4
	}
	switch how.Algorithm {
	case mac.CBC:
		c.algorithm = "1"
	case mac.Retail:
		c.algorithm = "3"
	case mac.AESCMAC:
		c.algorithm, c.padding = "6", "4"
	default:
		return code{}, false
	}
	return c, how.Size <= c.bytes
}

// appendCode appends what M6 and M8 have in common: mode 0 (the whole message), data as bytes,
// size, algorithm, padding, key type, key, length, data. [V] thales9000, ut-codec.
func appendCode(dst []byte, c code, key string, message []byte) []byte {
	dst = append(dst, "00"+c.size+c.algorithm+c.padding+keyType...)
	dst = appendHex16(append(dst, key...), len(message))
	return append(dst, message...)
}

// askMakeMAC is M6.
func askMakeMAC(c code, key string, message []byte, lmkID string) []byte {
	return lmk(appendCode(nil, c, key, message), lmkID)
}

// askVerifyMAC is M8, which has the code after the data. [V] thales9000, ut-codec.
func askVerifyMAC(c code, key string, message, want []byte, lmkID string) []byte {
	return lmk(appendHex(appendCode(nil, c, key, message), want), lmkID)
}

// readMAC reads the answer to M6. [V] ut-codec.
func readMAC(rest []byte, size int) ([]byte, error) {
	s := scanner{rest: rest}
	code := s.hex(size, "MAC")
	return code, s.end()
}

// appendPadded appends the parts as one message with the last block filled up, ISO/IEC 9797-1
// section 6.3. A message of no bytes becomes a block, too.
func appendPadded(dst []byte, p mac.Padding, parts ...[]byte) []byte {
	start := len(dst)
	if p == mac.Padding3 {
		dst = append(dst, make([]byte, tdesBlock)...)
	}
	from := len(dst)
	for _, part := range parts {
		dst = append(dst, part...)
	}
	size := len(dst) - from
	if p == mac.NoPadding {
		return dst
	}
	if p == mac.Padding3 {
		for i := range tdesBlock {
			dst[start+i] = byte(uint64(8*size) >> (8 * (tdesBlock - 1 - i)))
		}
	}
	if p == mac.Padding2 {
		dst = append(dst, 0x80)
	}
	for len(dst) == from || (len(dst)-from)%tdesBlock != 0 {
		dst = append(dst, 0)
	}
	return dst
}

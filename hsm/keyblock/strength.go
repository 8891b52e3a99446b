package keyblock

import (
	"bytes"
	"encoding/asn1"
	"math/bits"
)

// Strength is how many bits of security the key gives at most, as NIST SP 800-57 part 1 counts
// them: 56 for DES, and for TDES whose parts are not different; 80 for two-key and 112 for
// three-key TDES. It is 0 where it can't be told.
func (k Key) Strength() int {
	m := k.get()
	if m == nil {
		return 0
	}
	return strength(m.algorithm, m.raw)
}

func strength(algorithm Algorithm, raw []byte) int {
	switch algorithm {
	case DES:
		return 56
	case TDES:
		return tdesStrength(raw)
	case AES:
		return 8 * len(raw)
	case HMAC:
		return min(8*len(raw), 256)
	case RSA:
		return rsaStrength(raw)
	case EC:
		return ecStrength(raw)
	}
	return 0
}

// tdesStrength looks whether the parts differ. A part that is followed by the same one is undone by
// it.
func tdesStrength(raw []byte) int {
	first, second, third := raw[:8], raw[8:16], raw[len(raw)-8:]
	switch {
	case sameDES(first, second), len(raw) == 24 && sameDES(second, third):
		return 56
	case len(raw) == 16, sameDES(first, third):
		return 80
	}
	return 112
}

// sameDES compares two DES keys in constant time; the parity bits don't count.
func sameDES(a, b []byte) bool {
	differs := byte(0)
	for i := range a {
		differs |= (a[i] ^ b[i]) &^ 1
	}
	return differs == 0
}

// rsaStrength reads the length of the modulus in an RSAPrivateKey or RSAPublicKey of RFC 8017.
func rsaStrength(raw []byte) int {
	var key, number asn1.RawValue
	if rest, err := asn1.Unmarshal(raw, &key); err != nil || len(rest) > 0 {
		return 0
	}
	rest, err := asn1.Unmarshal(key.Bytes, &number)
	if err == nil && len(number.Bytes) == 1 { // the version, which a public key doesn't have
		_, err = asn1.Unmarshal(rest, &number)
	}
	if err != nil || number.Tag != asn1.TagInteger {
		return 0
	}
	modulus := bytes.TrimLeft(number.Bytes, "\x00")
	if len(modulus) == 0 {
		return 0
	}
	switch size := 8*len(modulus) - bits.LeadingZeros8(modulus[0]); {
	case size >= 15360:
		return 256
	case size >= 7680:
		return 192
	case size >= 3072:
		return 128
	case size >= 2048:
		return 112
	case size >= 1024:
		return 80
	}
	return 0
}

// ecStrength reads the length of the private number in an ECPrivateKey of RFC 5915.
func ecStrength(raw []byte) int {
	var key, version, number asn1.RawValue
	if rest, err := asn1.Unmarshal(raw, &key); err != nil || len(rest) > 0 {
		return 0
	}
	rest, err := asn1.Unmarshal(key.Bytes, &version)
	if err == nil {
		_, err = asn1.Unmarshal(rest, &number)
	}
	if err != nil || version.Tag != asn1.TagInteger || number.Tag != asn1.TagOctetString {
		return 0
	}
	return min(8*len(number.Bytes)/2, 256)
}

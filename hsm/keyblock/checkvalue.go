package keyblock

import (
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"

	"cardswitch/hsm/mac"
)

// CheckMethod is how a check value is made. It is kept beside the value: without it two values
// can't be compared.
type CheckMethod string

// The methods. ANSI X9.24-1:2017 has ECB for TDES, and CMAC, which is the only one for AES. The old
// ones for AES are there for partners that still have them, by explicit choice.
const (
	TDESECB    CheckMethod = "tdes-ecb"   // a block of zeros encrypted, at most 3 bytes
	CMAC       CheckMethod = "cmac"       // CMAC of a block of zeros, at most 5 bytes
	AESECB     CheckMethod = "aes-ecb"    // a block of zeros encrypted, at most 3 bytes
	AESECBOnes CheckMethod = "aes-ecb-01" // a block of bytes 01 encrypted (GlobalPlatform), likewise
	leastCheck             = 2            // bytes: fewer would match by chance
)

// most is the longest check value in bytes; a longer one would help who guesses the key. 0: there
// is no such method.
func (m CheckMethod) most() int {
	switch m {
	case TDESECB, AESECB, AESECBOnes:
		return 3
	case CMAC:
		return 5
	}
	return 0
}

// CheckValue shows that two people have the same key, and nothing else of it.
type CheckValue struct {
	Method CheckMethod
	Hex    string // capitals
}

// Validate says what is wrong with a value that came from outside.
func (v CheckValue) Validate() error {
	most := v.Method.most()
	switch {
	case most == 0:
		return errors.New("the method of the check value is unknown " +
			"(hint: tdes-ecb, cmac, aes-ecb or aes-ecb-01)")
	case len(v.Hex)%2 != 0 || !hexadecimal(v.Hex):
		return errors.New("a check value is of pairs of hexadecimal digits in capitals")
	case len(v.Hex) < 2*leastCheck || len(v.Hex) > 2*most:
		return fmt.Errorf("a check value by %s has %d to %d bytes", v.Method, leastCheck, most)
	}
	return nil
}

// Matches tells whether both are of one key: by the same method, and the shorter one is the begin
// of the other.
func (v CheckValue) Matches(other CheckValue) bool {
	if v.Validate() != nil || other.Validate() != nil || v.Method != other.Method {
		return false
	}
	n := min(len(v.Hex), len(other.Hex))
	return subtle.ConstantTimeCompare([]byte(v.Hex[:n]), []byte(other.Hex[:n])) == 1
}

// String is the value with its method.
func (v CheckValue) String() string { return v.Hex + " (" + string(v.Method) + ")" }

// CheckValue gives the first size bytes of the check value by a method that goes with the key.
func (k Key) CheckValue(method CheckMethod, size int) (CheckValue, error) {
	m := k.get()
	switch {
	case m == nil:
		return CheckValue{}, ErrNoKey
	case size < leastCheck || size > method.most():
		return CheckValue{}, fmt.Errorf("there is no check value by %q with %d bytes", string(method),
			size)
	}
	full, err := checkBytes(m.algorithm, m.raw, method)
	if err != nil {
		return CheckValue{}, err
	}
	return CheckValue{method, fmt.Sprintf("%X", full[:size])}, nil
}

// checkBytes gives the five bytes that any method uses at most.
func checkBytes(algorithm Algorithm, raw []byte, method CheckMethod) (value [5]byte, err error) {
	fits := false
	switch method {
	case TDESECB:
		fits = algorithm == TDES || algorithm == DES
	case CMAC:
		fits = algorithm == TDES || algorithm == AES
	case AESECB, AESECBOnes:
		fits = algorithm == AES
	}
	if !fits {
		return value, fmt.Errorf("a key of %s has no check value by %s", algorithm.Text(), method)
	}
	c, err := blockCipher(algorithm, raw)
	if err != nil {
		return value, err
	}
	block := make([]byte, c.BlockSize())
	if method == CMAC {
		spec := mac.Spec{Algorithm: mac.TDESCMAC, Size: 8}
		if algorithm == AES {
			spec = mac.Spec{Algorithm: mac.AESCMAC, Size: 16}
		}
		m, err := mac.New(spec, raw)
		if err != nil {
			return value, err
		}
		defer m.Wipe()
		block = m.Sum(nil, block)
	} else {
		if method == AESECBOnes {
			for i := range block {
				block[i] = 1
			}
		}
		c.Encrypt(block, block)
	}
	copy(value[:], block)
	clear(block)
	return value, nil
}

// holds says whether v is the check value of a key.
func (v CheckValue) holds(algorithm Algorithm, raw []byte) error {
	if err := v.Validate(); err != nil {
		return err
	}
	full, err := checkBytes(algorithm, raw, v.Method)
	if err != nil {
		return err
	}
	if !v.Matches(CheckValue{v.Method, fmt.Sprintf("%X", full[:v.Method.most()])}) {
		return errors.New("the check value is of another key")
	}
	return nil
}

// ParseCheckValue reads a value as people write it: digits in capitals or not, maybe in groups.
func ParseCheckValue(method CheckMethod, text string) (CheckValue, error) {
	var digits []byte
	for _, c := range []byte(text) {
		if c != ' ' {
			digits = append(digits, c)
		}
	}
	raw, err := hex.DecodeString(string(digits))
	if err != nil {
		return CheckValue{}, errors.New("a check value is of pairs of hexadecimal digits")
	}
	v := CheckValue{method, fmt.Sprintf("%X", raw)}
	return v, v.Validate()
}

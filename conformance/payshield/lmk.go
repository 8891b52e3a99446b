package payshield

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
)

// Header is what a key block says of its key.
type Header struct {
	Usage     string
	Algorithm string
	Mode      string
	Version   string // of the key, "00"; of a component "c1"
	Export    string
}

const (
	headSize = 16
	codeSize = 8 // bytes
)

// lmk is the local master key: AES, for key blocks.
type lmk struct {
	id       string
	check    string // 16 digits, of which the unit shows six
	encrypts cipher.Block
	codes    []byte
}

func newLMK(key []byte, id string) (lmk, error) {
	if len(key) != 32 {
		return lmk{}, errors.New("the simulator's LMK has 32 bytes")
	}
	m, err := mac.New(mac.Spec{Algorithm: mac.AESCMAC, Size: 16}, key)
	if err != nil {
		return lmk{}, err
	}
	derived := make([]byte, 64)
	if err := m.KDF(derived, []byte("payShield simulator"), nil); err != nil {
		return lmk{}, err
	}
	encrypts, err := aes.NewCipher(derived[:32])
	if err != nil {
		return lmk{}, err
	}
	check := upper(m.Sum(nil, make([]byte, 16))[:3]) + "0000000000"
	return lmk{id, check, encrypts, derived[32:]}, nil
}

// seal makes a key block with its scheme: the header, the key with its length before it and padded
// to blocks, and a code.
func (l *lmk) seal(h Header, key []byte) string {
	plain := binary.BigEndian.AppendUint16(nil, uint16(8*len(key)))
	plain = append(plain, key...)
	padding := make([]byte, (16-len(plain)%16)%16)
	_, _ = rand.Read(padding) // it never fails
	plain = append(plain, padding...)
	head := fmt.Sprintf("1%04d%s%s%s%s%s00%s", headSize+2*(len(plain)+codeSize), h.Usage, h.Algorithm,
		h.Mode, h.Version, h.Export, l.id)
	cipher.NewCBCEncrypter(l.encrypts, []byte(head)).CryptBlocks(plain, plain)
	return "S" + head + upper(plain) + upper(l.code(head, plain))
}

func (l *lmk) code(head string, encrypted []byte) []byte {
	m, err := mac.New(mac.Spec{Algorithm: mac.AESCMAC, Size: codeSize}, l.codes)
	if err != nil {
		return nil // the key has the right length
	}
	return m.Sum(nil, []byte(head), encrypted)
}

// key is one in clear, inside.
type key struct {
	Header
	raw []byte
}

// open gives the key of a block, or an error code.
func (l *lmk) open(block string) (k key, code string) {
	if len(block) < 1+headSize+2*(16+codeSize) || block[0] != 'S' {
		return key{}, "83"
	}
	head, rest := block[1:1+headSize], block[1+headSize:]
	size, err := strconv.Atoi(head[1:5])
	if err != nil || size != len(block)-1 || head[0] != '1' || head[12:14] != "00" {
		return key{}, "83"
	}
	if head[14:] != l.id {
		return key{}, "A3"
	}
	if strings.ToUpper(rest) != rest {
		return key{}, "83"
	}
	b, err := hex.DecodeString(rest)
	if err != nil || len(b)%16 != codeSize {
		return key{}, "83"
	}
	encrypted, code8 := b[:len(b)-codeSize], b[len(b)-codeSize:]
	if subtle.ConstantTimeCompare(l.code(head, encrypted), code8) != 1 {
		return key{}, "A4"
	}
	cipher.NewCBCDecrypter(l.encrypts, []byte(head)).CryptBlocks(encrypted, encrypted)
	n := int(binary.BigEndian.Uint16(encrypted)) / 8
	if n > len(encrypted)-2 {
		return key{}, "B2"
	}
	return key{Header{head[5:7], head[7:8], head[8:9], head[9:11], head[11:12]},
		encrypted[2 : 2+n]}, ""
}

// material is the key for package keyblock.
func (k *key) material() (keyblock.Key, error) {
	return keyblock.NewKey(keyblock.Algorithm(k.Algorithm), k.raw)
}

// check is the key's check value, six digits.
func (k *key) check() string {
	method := keyblock.TDESECB
	if k.Algorithm == "A" {
		method = keyblock.CMAC
	}
	m, err := k.material()
	if err != nil {
		return "000000"
	}
	v, err := m.CheckValue(method, 3)
	if err != nil {
		return "000000"
	}
	return v.Hex
}

// may says with an error code why the key isn't for this.
func (k *key) may(usages, modes string) string {
	switch {
	case !strings.Contains(" "+usages+" ", " "+k.Usage+" "):
		return "A6"
	case !strings.Contains(modes+"N", k.Mode):
		return "A8"
	case strings.HasPrefix(k.Version, "c"):
		return "A9"
	}
	return ""
}

// Seal puts a key that the test knows inside, as a custodian does at the console, and gives its
// block and its check value.
func (s *Simulator) Seal(h Header, raw []byte) (block, check string, err error) {
	k := key{h, raw}
	if _, err := k.material(); err != nil {
		return "", "", err
	}
	if len(h.Usage+h.Algorithm+h.Mode+h.Version+h.Export) != 7 {
		return "", "", errors.New("a header has usage, algorithm, mode, version and exportability")
	}
	return s.lmk.seal(h, raw), k.check(), nil
}

// Open gives the key of a block, for a test to look at.
func (s *Simulator) Open(block string) (Header, []byte, error) {
	k, code := s.lmk.open(block)
	if code != "" {
		return Header{}, nil, fmt.Errorf("error %s", code)
	}
	return k.Header, k.raw, nil
}

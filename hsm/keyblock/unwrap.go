package keyblock

import (
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// sealed is a block whose form is sound; nothing says yet that it is authentic.
type sealed struct {
	form   form
	header Header
	head   string // the header as it came, which the code is over
	data   []byte // the encrypted key
	code   []byte
}

// read checks the form of a block. All lengths are checked before anything is made of them.
func read(block string) (s sealed, err error) {
	if len(block) < headerSize || len(block) > mostBlock {
		return s, malformed("it has %d characters, not %d to %d", len(block), headerSize, mostBlock)
	}
	f, known := Version(block[:1]).form()
	if !known {
		return s, malformed("its version isn't A to E")
	}
	if size, ok := number(block[1:5], 10); !ok || size != len(block) {
		return s, malformed("its length field isn't its length, %d", len(block))
	}
	h, head, err := readHeader(block, f)
	if err != nil {
		return s, err
	}
	rest := block[head:]
	data := len(rest) - 2*f.code
	switch {
	case data < 2*max(f.data, 3): // a length of two bytes and a key
		return s, malformed("it is too short for a key")
	case data%(2*f.data) != 0:
		return s, malformed("its encrypted key isn't of whole blocks")
	case !hexadecimal(rest):
		return s, malformed("its encrypted part isn't of hexadecimal digits in capitals")
	}
	body, err := hex.DecodeString(rest)
	if err != nil {
		return s, malformed("its encrypted part isn't hexadecimal")
	}
	return sealed{f, h, block[:head], body[:data/2], body[data/2:]}, nil
}

// Parse reads the header of a block without its key. Nothing says that it is authentic: it is for
// showing, and for finding the key that opens the block. Its errors wrap ErrMalformed.
func Parse(block string) (Header, error) {
	s, err := read(block)
	if err != nil {
		return Header{}, err
	}
	return s.header, nil
}

// Unwrap opens a block under a key block protection key: TDES (16 or 24 bytes) for versions A to C,
// AES (16, 24 or 32) for D and E. An error wraps ErrMalformed, ErrKBPK, ErrForged or
// ErrUnwanted. The caller clears kbpk, and wipes the key when done.
func Unwrap(kbpk []byte, block string, want Want) (Header, Key, error) {
	return unwrap(bare(kbpk), block, want)
}

func unwrap(under cover, block string, want Want) (Header, Key, error) {
	s, err := read(block)
	if err != nil {
		return Header{}, Key{}, err
	}
	if err := want.checkVersion(s.header.Version); err != nil {
		return Header{}, Key{}, err
	}
	key, err := s.open(under)
	if err != nil {
		return Header{}, Key{}, err
	}
	if err := admit(&s, under, key, want); err != nil {
		key.Wipe()
		return Header{}, Key{}, err
	}
	return s.header, key, nil
}

// admit says why the key of an authentic block isn't taken.
func admit(s *sealed, under cover, key Key, want Want) error {
	if err := want.check(&s.header, key); err != nil {
		return err
	}
	if err := checkWrapping(under.strength(s.form), key); err != nil {
		return unwanted("%v", err)
	}
	if err := checkCheckValues(&s.header, s.form, under, key); err != nil {
		return unwanted("%v", err)
	}
	return nil
}

// open verifies and decrypts. It is where reading has clear keys.
func (s *sealed) open(under cover) (Key, error) {
	keys, err := under.keys(s.form)
	if err != nil {
		return Key{}, err
	}
	defer keys.wipe()
	plain := make([]byte, len(s.data))
	defer clear(plain)
	iv, authenticated := s.code, plain
	if s.form.version == VersionA || s.form.version == VersionC {
		iv, authenticated = []byte(s.head[:8]), s.data
	}
	if err := keys.crypt(plain, s.data, iv, true); err != nil {
		return Key{}, err
	}
	code, err := keys.sum([]byte(s.head), authenticated)
	if err != nil {
		return Key{}, err
	}
	if subtle.ConstantTimeCompare(code, s.code) != 1 {
		return Key{}, fmt.Errorf("%w: it was altered, or is under another key "+
			"(hint: compare the check values of the KBPK)", ErrForged)
	}
	return extract(plain, s.header.Algorithm)
}

// extract takes the key out of its length, in bits, and its padding.
func extract(plain []byte, algorithm Algorithm) (Key, error) {
	bits := int(binary.BigEndian.Uint16(plain))
	if bits%8 != 0 || bits/8 > len(plain)-2 {
		return Key{}, malformed("the length of its key is wrong")
	}
	key, err := NewKey(algorithm, plain[2:2+bits/8])
	if err != nil {
		return Key{}, malformed("%v", err)
	}
	return key, nil
}

// checkWrapping holds the rule that no key is under a weaker one (PCI PIN annex C, X9.24-1).
func checkWrapping(over int, key Key) error {
	under := key.Strength()
	if under == 0 {
		return fmt.Errorf("the strength of the %s key can't be told", key.Algorithm().Text())
	}
	if over < under {
		return fmt.Errorf("the key has %d bits of security and its KBPK only %d (hint: a longer KBPK)",
			under, over)
	}
	return nil
}

// checkCheckValues holds the check values in the header against the keys.
func checkCheckValues(h *Header, f form, under cover, key Key) error {
	if value, ok := h.CheckValue(KP); ok {
		if err := under.holds(f, value); err != nil {
			return fmt.Errorf("block KP: %w", err)
		}
	}
	if value, ok := h.CheckValue(KC); ok {
		return key.Use(func(raw []byte) error {
			if err := value.holds(key.Algorithm(), raw); err != nil {
				return fmt.Errorf("block KC: %w", err)
			}
			return nil
		})
	}
	return nil
}

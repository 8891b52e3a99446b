// Package mac makes and verifies message authentication codes: CBC-MAC, the retail MAC, and CMAC.
//
// A Mac is prepared once for a key, and then makes codes without allocating. Sources: ISO/IEC
// 9797-1 (algorithms 1 and 3, padding methods 1 to 3), ANSI X9.19, NIST SP 800-38B, RFC 4493, and
// SP 800-108r1 for KDF.
//
// All of them chain blocks with one cipher and treat the last block in their own way, so one loop
// and a few lines for the last block are all there is: the retail MAC is DES for all blocks but the
// last, and TDES for that.
//
// TDES of the standard library isn't constant in time, so these codes belong on a machine of one's
// own. The bytes of a key that were handed in are the caller's to clear; the key schedules that
// the standard library makes of them can only be dropped (Wipe), not overwritten.
package mac

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
)

// Mac makes codes under one key. It is for one goroutine at a time; give each its own.
type Mac struct {
	spec Spec
	open func() *state // a function, as fmt follows any pointer when a verb is wrong
}

// state is what comes from the key and the message at hand.
type state struct {
	chain cipher.Block // for all blocks but the last
	last  cipher.Block // for the last
	k1    [16]byte     // CMAC: added to a whole last block
	k2    [16]byte     // CMAC: added to a padded one
	x     [16]byte     // the chaining value
	held  [16]byte     // bytes that wait, up to a whole block
	n     int          // how many
}

// New prepares a Mac. A key of another length than the algorithm's is refused.
func New(spec Spec, key []byte) (*Mac, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	s := new(state)
	var err error
	switch spec.Algorithm {
	case CBC:
		s.chain, err = desCipher(key)
		s.last = s.chain
	case Retail:
		err = s.retail(key)
	case TDESCMAC:
		if s.chain, err = tdesCipher(key); err == nil {
			s.subkeys(0x1B)
		}
	case AESCMAC:
		if s.chain, err = aes.NewCipher(key); err == nil {
			s.subkeys(0x87)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%v doesn't take a key of %d bytes", spec.Algorithm, len(key))
	}
	return &Mac{spec, func() *state { return s }}, nil
}

// retail takes the first part of the key for the chain and the whole of it for the last block.
func (s *state) retail(key []byte) (err error) {
	if s.last, err = tdesCipher(key); err != nil {
		return err
	}
	s.chain, err = des.NewCipher(key[:8])
	return err
}

func desCipher(key []byte) (cipher.Block, error) {
	if len(key) == des.BlockSize {
		return des.NewCipher(key)
	}
	return tdesCipher(key)
}

// tdesCipher takes a key of two or three parts; of two, the first is also the third.
func tdesCipher(key []byte) (cipher.Block, error) {
	if len(key) != 16 {
		return des.NewTripleDESCipher(key)
	}
	var three [24]byte
	defer clear(three[:])
	copy(three[copy(three[:], key):], key[:8])
	return des.NewTripleDESCipher(three[:])
}

// subkeys derives what CMAC adds to the last block, SP 800-38B section 6.1.
func (s *state) subkeys(rb byte) {
	size := s.chain.BlockSize()
	s.last = s.chain
	s.chain.Encrypt(s.k1[:size], s.k1[:size])
	double(s.k1[:size], rb)
	s.k2 = s.k1
	double(s.k2[:size], rb)
}

// double multiplies by x in the field of the block's size, in constant time.
func double(b []byte, rb byte) {
	carry := byte(0)
	for i := len(b) - 1; i >= 0; i-- {
		b[i], carry = b[i]<<1|carry, b[i]>>7
	}
	b[len(b)-1] ^= rb & -carry
}

// Spec is what New was given.
func (m *Mac) Spec() Spec { return m.spec }

// Size is the bytes of a code.
func (m *Mac) Size() int { return m.spec.Size }

// Sum appends the code of the parts, taken as one message, to dst. It doesn't allocate if dst has
// room. After Wipe it appends nothing.
func (m *Mac) Sum(dst []byte, parts ...[]byte) []byte {
	s := m.compute(parts)
	if s == nil {
		return dst
	}
	return append(dst, s.x[:m.spec.Size]...)
}

// Verify tells, in constant time, whether code is the whole code of the parts. A shortened one is
// not, and after Wipe none is.
func (m *Mac) Verify(code []byte, parts ...[]byte) bool {
	s := m.compute(parts)
	return s != nil && subtle.ConstantTimeCompare(code, s.x[:m.spec.Size]) == 1
}

// compute leaves the code of the parts in x of what it returns, which is nil without a key.
func (m *Mac) compute(parts [][]byte) *state {
	if m.open == nil || m.open().last == nil {
		return nil
	}
	s := m.open()
	size := m.spec.Algorithm.BlockSize()
	clear(s.x[:])
	s.n = 0
	if m.spec.Padding == Padding3 {
		bits := uint64(0)
		for _, part := range parts {
			bits += uint64(len(part)) * 8
		}
		binary.BigEndian.PutUint64(s.held[:], bits)
		s.encrypt(s.chain, s.held[:size])
	}
	for _, part := range parts {
		s.absorb(part, size)
	}
	s.finish(m.spec, size)
	clear(s.held[:])
	return s
}

// absorb chains what certainly isn't the last block, and holds the rest.
func (s *state) absorb(part []byte, size int) {
	for len(part) > 0 {
		if s.n == size {
			s.encrypt(s.chain, s.held[:size])
			s.n = 0
		}
		if s.n == 0 {
			for len(part) > size {
				s.encrypt(s.chain, part[:size])
				part = part[size:]
			}
		}
		taken := copy(s.held[s.n:size], part)
		s.n += taken
		part = part[taken:]
	}
}

// finish pads and encrypts what is held.
func (s *state) finish(spec Spec, size int) {
	whole := s.n == size
	if whole && spec.Padding == Padding2 {
		s.encrypt(s.chain, s.held[:size])
		s.n, whole = 0, false
	}
	clear(s.held[s.n:])
	if !whole && spec.Padding != Padding1 && spec.Padding != Padding3 {
		s.held[s.n] = 0x80
	}
	if spec.Padding == NoPadding {
		k := &s.k2
		if whole {
			k = &s.k1
		}
		subtle.XORBytes(s.held[:size], s.held[:size], k[:size])
	}
	s.encrypt(s.last, s.held[:size])
}

// encrypt adds a block to the chaining value. Only s.x reaches the cipher, so that what the caller
// hands in needn't be on the heap.
func (s *state) encrypt(c cipher.Block, block []byte) {
	x := s.x[:len(block)]
	subtle.XORBytes(x, x, block)
	c.Encrypt(x, x)
}

// Wipe clears what was derived from the key and drops the ciphers. The Mac is of no use afterwards.
func (m *Mac) Wipe() {
	if m.open != nil {
		*m.open() = state{}
	}
}

// String says which algorithm it is, and nothing of the key.
func (m Mac) String() string { return m.spec.Algorithm.String() }

// GoString is the same as String.
func (m Mac) GoString() string { return m.String() }

// Format writes the same as String, whatever the verb.
func (m Mac) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, m.String()) }

// MarshalText is the same as String.
func (m Mac) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// LogValue is the same as String.
func (m Mac) LogValue() slog.Value { return slog.StringValue(m.String()) }

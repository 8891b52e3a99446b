// Package keying reads and writes element 53, which names the keys that protect a message.
//
// ISO 8583:1993 leaves its layout to the partners, and ISO 13492, which fills that gap, is not
// public. So this is our own profile, in the manner of AS 2805 and IFSF, where every message names
// its keys: a key is chosen by the generation that the message names and never by trial, so that
// the old key and the new one serve side by side while they change.
//
// The element is LLVAR b ..48. Numbers are big-endian.
//
//	byte    0    profile: 1
//	bytes 1-2    generation of the PIN key (ZPK) that the PIN block in element 52 is under; 0: none
//	bytes 3-4    generation of the MAC key (ZAK) of the code in element 64 or 128; 0: none
//	byte    5    format of the PIN block, of ISO 9564-1: 0, 1, 3, 4; hexadecimal FF: no PIN block
//	from    6    nothing, or the key serial number (KSN) of the terminal's DUKPT keys: 10 bytes
//	             of TDES DUKPT (ANSI X9.24-1), 12 of AES DUKPT (ANSI X9.24-3)
//
// So the element has 6, 16 or 18 bytes. A message that changes keys (1804 and 1814 with function
// code 811) has profile 2: the same six bytes, the first of them 2 and the format FF, and behind
// them the order that names the key that is changed, 1 to 42 bytes. Generations count from 1,
// each key's by itself, and the two directions of a link have keys of their own: what a message
// names is its sender's key. A PIN key and a format come together, or neither; with a KSN the
// generation is that of the base key. Anything else is refused.
package keying

import (
	"encoding/binary"
	"errors"
)

// Control is what element 53 says.
type Control struct {
	ZPK    uint16 // generation of the PIN key; 0: there is no PIN block
	ZAK    uint16 // generation of the MAC key; 0: there is no code
	Format uint8  // of the PIN block; NoPIN: there is none
	ksn    [12]byte
	serial uint8 // bytes of ksn
}

const (
	// NoPIN is the format where there is no PIN block.
	NoPIN = 0xFF

	profile  = 1
	head     = 6
	tdesKSN  = 10
	aesKSN   = 12
	mostSize = head + aesKSN
)

// Size is the most bytes that the element has.
const Size = mostSize

// errControl says which layout is meant, and nothing of what was there.
var errControl = errors.New("element 53 isn't as agreed: profile 1, two generations, " +
	"a PIN format with its key or neither, and a KSN of 0, 10 or 12 bytes")

// Parse reads the value of element 53, without its length.
func Parse(value []byte) (c Control, err error) {
	if len(value) < head || value[0] != profile {
		return Control{}, errControl
	}
	c.ZPK, c.ZAK = binary.BigEndian.Uint16(value[1:]), binary.BigEndian.Uint16(value[3:])
	c.Format = value[5]
	if err := c.SetKSN(value[head:]); err != nil {
		return Control{}, err
	}
	if !c.valid() {
		return Control{}, errControl
	}
	return c, nil
}

// valid holds the PIN key and the format together.
func (c *Control) valid() bool {
	switch c.Format {
	case NoPIN:
		return c.ZPK == 0
	case 0, 1, 3, 4:
		return c.ZPK != 0
	}
	return false
}

// KSN is the key serial number; empty if there is none.
func (c *Control) KSN() []byte { return c.ksn[:c.serial:c.serial] }

// SetKSN sets the key serial number: 10 or 12 bytes, or none.
func (c *Control) SetKSN(ksn []byte) error {
	switch len(ksn) {
	case 0, tdesKSN, aesKSN:
	default:
		return errControl
	}
	c.ksn = [aesKSN]byte{}
	c.serial = uint8(copy(c.ksn[:], ksn))
	return nil
}

// Append appends the value of element 53. The one error is that of a control that Parse wouldn't
// take.
func (c *Control) Append(dst []byte) ([]byte, error) {
	if !c.valid() {
		return dst, errControl
	}
	dst = append(dst, profile)
	dst = binary.BigEndian.AppendUint16(dst, c.ZPK)
	dst = binary.BigEndian.AppendUint16(dst, c.ZAK)
	return append(append(dst, c.Format), c.KSN()...), nil
}

package dukpt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

const (
	tdesCounter = 1<<21 - 1 // the bits of a TDES KSN that count
	tdesMost    = 10        // how many of them may be set
	aesMost     = 16        // of the 32 of an AES KSN
)

var errKSN = errors.New("there is no KSN")

// TDESKSN is the key serial number of TDES DUKPT: 59 bits that name a terminal, 21 that count. It's
// no secret. The zero value is none. KSNs may be compared with ==.
type TDESKSN struct{ b [10]byte }

// ParseTDESKSN takes exactly 10 bytes; shorter ones that some terminals send are filled up with FF
// on the left by whoever knows that terminal. A counter that no terminal uses is refused: zero,
// and those with more than ten bits set.
func ParseTDESKSN(b []byte) (TDESKSN, error) {
	var k TDESKSN
	if len(b) != len(k.b) {
		return TDESKSN{}, fmt.Errorf("a KSN of TDES DUKPT has 10 bytes, not %d", len(b))
	}
	copy(k.b[:], b)
	if err := checkCounter(k.Counter(), tdesMost); err != nil {
		return TDESKSN{}, err
	}
	return k, nil
}

// checkCounter refuses counters that no terminal uses.
func checkCounter(counter uint32, most int) error {
	switch n := bits.OnesCount32(counter); {
	case n == 0:
		return errors.New("the counter of a KSN is zero, which no transaction has")
	case n > most:
		return fmt.Errorf("the counter of a KSN has %d bits set, and at most %d are used", n, most)
	}
	return nil
}

// IsZero tells that there is no KSN.
func (k TDESKSN) IsZero() bool { return k == TDESKSN{} }

// Counter is the transaction counter, 1 to 2,095,104, which is 1FF800.
func (k TDESKSN) Counter() uint32 {
	return binary.BigEndian.Uint32(k.b[6:]) & tdesCounter
}

// ID names the terminal's initial key.
func (k TDESKSN) ID() TDESKeyID { return TDESKeyID{k.with(0)} }

// with is the KSN with another counter.
func (k TDESKSN) with(counter uint32) [10]byte {
	b := k.b
	word := binary.BigEndian.Uint32(b[6:])
	binary.BigEndian.PutUint32(b[6:], word&^tdesCounter|counter)
	return b
}

// AppendTo appends the 10 bytes.
func (k TDESKSN) AppendTo(dst []byte) []byte { return append(dst, k.b[:]...) }

// String is the KSN in hexadecimal.
func (k TDESKSN) String() string { return fmt.Sprintf("%X", k.b) }

// TDESKeyID names an initial key of TDES DUKPT: a KSN whose counter is zero. Initial keys are
// injected, and replay windows are kept, under it.
type TDESKeyID struct{ b [10]byte }

// ParseTDESKeyID takes a KSN of 10 bytes whose counter is zero.
func ParseTDESKeyID(b []byte) (TDESKeyID, error) {
	var id TDESKeyID
	if len(b) != len(id.b) {
		return TDESKeyID{}, fmt.Errorf("an initial key of TDES DUKPT is named by 10 bytes, not %d",
			len(b))
	}
	copy(id.b[:], b)
	if (TDESKSN{id.b}).Counter() != 0 {
		return TDESKeyID{}, errors.New("an initial key of TDES DUKPT is named by a KSN whose counter" +
			" is zero (hint: clear the last 21 bits)")
	}
	return id, nil
}

// AppendTo appends the 10 bytes.
func (id TDESKeyID) AppendTo(dst []byte) []byte { return append(dst, id.b[:]...) }

// String is the name in hexadecimal.
func (id TDESKeyID) String() string { return fmt.Sprintf("%X", id.b) }

// AESKSN is the key serial number of AES DUKPT: the initial key's ID of 8 bytes, of which the first
// 4 name the BDK, and a counter of 4. It's no secret. The zero value is none. KSNs may be compared
// with ==.
type AESKSN struct{ b [12]byte }

// ParseAESKSN takes exactly 12 bytes. A counter that no terminal uses is refused: zero, and those
// with more than 16 bits set.
func ParseAESKSN(b []byte) (AESKSN, error) {
	var k AESKSN
	if len(b) != len(k.b) {
		return AESKSN{}, fmt.Errorf("a KSN of AES DUKPT has 12 bytes, not %d", len(b))
	}
	copy(k.b[:], b)
	if err := checkCounter(k.Counter(), aesMost); err != nil {
		return AESKSN{}, err
	}
	return k, nil
}

// IsZero tells that there is no KSN.
func (k AESKSN) IsZero() bool { return k == AESKSN{} }

// Counter is the transaction counter, 1 to 4,294,901,760, which is FFFF0000.
func (k AESKSN) Counter() uint32 { return binary.BigEndian.Uint32(k.b[8:]) }

// ID names the terminal's initial key.
func (k AESKSN) ID() AESKeyID { return AESKeyID{[8]byte(k.b[:8])} }

// AppendTo appends the 12 bytes.
func (k AESKSN) AppendTo(dst []byte) []byte { return append(dst, k.b[:]...) }

// String is the KSN in hexadecimal.
func (k AESKSN) String() string { return fmt.Sprintf("%X", k.b) }

// AESKeyID names an initial key of AES DUKPT: 4 bytes for the BDK, 4 for the terminal.
type AESKeyID struct{ b [8]byte }

// ParseAESKeyID takes exactly 8 bytes.
func ParseAESKeyID(b []byte) (AESKeyID, error) {
	var id AESKeyID
	if len(b) != len(id.b) {
		return AESKeyID{}, fmt.Errorf("an initial key of AES DUKPT is named by 8 bytes, not %d", len(b))
	}
	copy(id.b[:], b)
	return id, nil
}

// BDK names the base derivation key.
func (id AESKeyID) BDK() [4]byte { return [4]byte(id.b[:4]) }

// AppendTo appends the 8 bytes.
func (id AESKeyID) AppendTo(dst []byte) []byte { return append(dst, id.b[:]...) }

// String is the name in hexadecimal.
func (id AESKeyID) String() string { return fmt.Sprintf("%X", id.b) }

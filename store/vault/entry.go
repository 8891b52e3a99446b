package vault

import (
	"encoding/binary"
	"fmt"

	"cardswitch/spec"
)

// entry is what stands behind a token. The header, in clear, is bound to the sealed number by the
// seal, and with it the token: none can be put in the place of another.
//
//	version 1, flags 1, data key 4, created 8, expires 8, scope length 1, scope    header
//	nonce 12, sealed number 10+16
type entry struct {
	once    bool
	dek     uint32
	created int64 // unix seconds
	expires int64 // 0: never
	scope   string
	nonce   [nonceSize]byte
	sealed  [panSize + tagSize]byte
}

const (
	entryVersion = 1
	flagOnce     = 1
	fixedHeader  = 1 + 1 + 4 + 8 + 8 + 1
	nonceSize    = 12
	tagSize      = 16
	panSize      = 10 // twenty nibbles, whatever the number's length: it doesn't show
	mostScope    = 64
)

func (e *entry) appendHeader(b []byte) []byte {
	flags := byte(0)
	if e.once {
		flags = flagOnce
	}
	b = append(b, entryVersion, flags)
	b = binary.BigEndian.AppendUint32(b, e.dek)
	b = binary.BigEndian.AppendUint64(b, uint64(e.created))
	b = binary.BigEndian.AppendUint64(b, uint64(e.expires))
	b = append(b, byte(len(e.scope)))
	return append(b, e.scope...)
}

func (e *entry) append(b []byte) []byte {
	b = append(e.appendHeader(b), e.nonce[:]...)
	return append(b, e.sealed[:]...)
}

func parseEntry(b []byte) (entry, error) {
	var e entry
	if len(b) < fixedHeader+nonceSize+len(e.sealed) {
		return e, ErrDamaged
	}
	if b[0] != entryVersion {
		return e, fmt.Errorf("%w: its version is %d", ErrDamaged, b[0])
	}
	e.once = b[1] == flagOnce
	e.dek = binary.BigEndian.Uint32(b[2:])
	e.created = int64(binary.BigEndian.Uint64(b[6:]))
	e.expires = int64(binary.BigEndian.Uint64(b[14:]))
	length, rest := int(b[22]), b[fixedHeader:]
	if b[1]&^flagOnce != 0 || length > mostScope || len(rest) != length+nonceSize+len(e.sealed) {
		return entry{}, ErrDamaged
	}
	e.scope = string(rest[:length])
	copy(e.nonce[:], rest[length:])
	copy(e.sealed[:], rest[length+nonceSize:])
	return e, nil
}

// bound is what the seal binds the number to.
func (e *entry) bound(t Token) []byte {
	var scratch [fixedHeader + mostScope + 40]byte
	return append(e.appendHeader(scratch[:0]), t...)
}

// packPAN writes a number as nibbles, with F behind the digits.
func packPAN(pan spec.PAN) (packed [panSize]byte) {
	var digits [19]byte
	plain := pan.AppendReveal(digits[:0])
	for i := range 2 * panSize {
		nibble := byte(0xF)
		if i < len(plain) {
			nibble = plain[i] - '0'
		}
		packed[i/2] |= nibble << (4 &^ (i << 2))
	}
	clear(digits[:])
	return packed
}

func unpackPAN(packed []byte) (spec.PAN, error) {
	var digits [19]byte
	defer clear(digits[:])
	n := 0
	for i := range 2 * panSize {
		nibble := packed[i/2] >> (4 &^ (i << 2)) & 15
		switch {
		case nibble == 0xF:
		case nibble > 9 || n != i || n == len(digits):
			return spec.PAN{}, ErrDamaged
		default:
			digits[n] = '0' + nibble
			n++
		}
	}
	pan, err := spec.ParsePAN(string(digits[:n]))
	if err != nil {
		return spec.PAN{}, ErrDamaged
	}
	return pan, nil
}

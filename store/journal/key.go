package journal

import (
	"bytes"
	"encoding/binary"

	"cardswitch/spec"
)

// Key is the question that a message asks: who asks (center), when (DE 12), under which trace
// number (DE 11), for which acquirer (DE 32), and what kind of message. The same question has the
// same key, also as a repeat and over any connection. Keys sort by center, then local time.
type Key [24]byte

// KeyOf builds a key. A repeat (1201) asks the question of its original (1200).
func KeyOf(center uint16, mti spec.MTI, localTime uint64, stan uint32, acquirer uint64,
	acquirerLen uint8) Key {
	var k Key
	binary.BigEndian.PutUint16(k[0:], center)
	binary.BigEndian.PutUint16(k[2:], uint16(localTime>>32))
	binary.BigEndian.PutUint32(k[4:], uint32(localTime))
	binary.BigEndian.PutUint16(k[8:], uint16(mti.Original()))
	binary.BigEndian.PutUint32(k[10:], stan)
	binary.BigEndian.PutUint64(k[14:], acquirer)
	k[22] = acquirerLen
	return k
}

func (k Key) Center() uint16     { return binary.BigEndian.Uint16(k[0:]) }
func (k Key) MTI() spec.MTI      { return spec.MTI(binary.BigEndian.Uint16(k[8:])) }
func (k Key) STAN() uint32       { return binary.BigEndian.Uint32(k[10:]) }
func (k Key) Acquirer() uint64   { return binary.BigEndian.Uint64(k[14:]) }
func (k Key) AcquirerLen() uint8 { return k[22] }
func (k Key) IsZero() bool       { return k == Key{} }
func (k Key) Compare(o Key) int  { return bytes.Compare(k[:], o[:]) }
func (k Key) LocalTime() uint64 {
	return uint64(binary.BigEndian.Uint16(k[2:]))<<32 | uint64(binary.BigEndian.Uint32(k[4:]))
}

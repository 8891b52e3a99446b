package queue

import (
	"encoding/binary"
	"errors"

	"cardswitch/spec"
)

const (
	version = 1
	size    = 1 + 2 + 8 + 16 + 4 + 2 + 8 + 2 + 8
)

// Append writes all of o but its ID, which is in the key of the store.
func Append(b []byte, o *Owed) []byte {
	b = append(b, version)
	b = binary.BigEndian.AppendUint16(b, o.Center)
	b = binary.BigEndian.AppendUint64(b, o.Txn)
	b = append(b, o.Card[:]...)
	b = binary.BigEndian.AppendUint32(b, o.STAN)
	b = binary.BigEndian.AppendUint16(b, uint16(o.MTI))
	b = binary.BigEndian.AppendUint64(b, o.DE12)
	b = binary.BigEndian.AppendUint16(b, o.Reason)
	return binary.BigEndian.AppendUint64(b, uint64(o.At))
}

// Parse reads what Append wrote.
func Parse(id uint64, b []byte) (Owed, error) {
	if len(b) != size || b[0] != version {
		return Owed{}, errors.New("damaged queue entry")
	}
	return Owed{Center: binary.BigEndian.Uint16(b[1:]), Entry: Entry{
		ID:     id,
		Txn:    binary.BigEndian.Uint64(b[3:]),
		Card:   [16]byte(b[11:27]),
		STAN:   binary.BigEndian.Uint32(b[27:]),
		MTI:    spec.MTI(binary.BigEndian.Uint16(b[31:])),
		DE12:   binary.BigEndian.Uint64(b[33:]),
		Reason: binary.BigEndian.Uint16(b[41:]),
		At:     int64(binary.BigEndian.Uint64(b[43:])),
	}}, nil
}

package queue

import (
	"encoding/binary"
	"errors"

	"cardswitch/spec"
)

// Version 1 ended before what a delivery moves; such entries may still be owed.
const (
	version  = 2
	shortest = 1 + 2 + 8 + 16 + 4 + 2 + 8 + 2 + 8
	size     = shortest + 1 + 8 + 4 + 2 + 4 + 2
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
	b = binary.BigEndian.AppendUint64(b, uint64(o.At))
	counts := byte(0)
	if o.Counts {
		counts = 1
	}
	b = append(b, counts)
	b = binary.BigEndian.AppendUint64(b, o.Amount)
	b = binary.BigEndian.AppendUint32(b, o.Processing)
	b = binary.BigEndian.AppendUint16(b, o.Currency)
	b = binary.BigEndian.AppendUint32(b, o.Day)
	return binary.BigEndian.AppendUint16(b, o.Slice)
}

// Parse reads what Append wrote, now or before there were totals.
func Parse(id uint64, b []byte) (Owed, error) {
	old := len(b) == shortest && b[0] == 1
	if !old && (len(b) != size || b[0] != version || b[shortest] > 1) {
		return Owed{}, errors.New("damaged queue entry")
	}
	o := Owed{Center: binary.BigEndian.Uint16(b[1:]), Entry: Entry{
		ID:     id,
		Txn:    binary.BigEndian.Uint64(b[3:]),
		Card:   [16]byte(b[11:27]),
		STAN:   binary.BigEndian.Uint32(b[27:]),
		MTI:    spec.MTI(binary.BigEndian.Uint16(b[31:])),
		DE12:   binary.BigEndian.Uint64(b[33:]),
		Reason: binary.BigEndian.Uint16(b[41:]),
		At:     int64(binary.BigEndian.Uint64(b[43:])),
	}}
	if old {
		return o, nil
	}
	b = b[shortest:]
	o.Counts = b[0] == 1
	o.Amount = binary.BigEndian.Uint64(b[1:])
	o.Processing = binary.BigEndian.Uint32(b[9:])
	o.Currency = binary.BigEndian.Uint16(b[13:])
	o.Day = binary.BigEndian.Uint32(b[15:])
	o.Slice = binary.BigEndian.Uint16(b[19:])
	return o, nil
}

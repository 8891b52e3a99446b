package queue

import (
	"encoding/binary"
	"errors"

	"cardswitch/spec"
)

// Version 1 ended before what a delivery moves; such entries may still be owed.
const (
	Version  = 2
	shortest = 1 + 2 + 8 + 16 + 4 + 2 + 8 + 2 + 8
	size     = shortest + 2 + 1 + 2*2 + 2*4 + 8 + 4 + 2
)

// Append writes all of o but its ID, which is in the key of the store.
func Append(b []byte, o *Owed) []byte {
	b = append(b, Version)
	b = binary.BigEndian.AppendUint16(b, o.Center)
	b = binary.BigEndian.AppendUint64(b, o.Txn)
	b = append(b, o.Card[:]...)
	b = binary.BigEndian.AppendUint32(b, o.STAN)
	b = binary.BigEndian.AppendUint16(b, uint16(o.MTI))
	b = binary.BigEndian.AppendUint64(b, o.DE12)
	b = binary.BigEndian.AppendUint16(b, o.Reason)
	b = binary.BigEndian.AppendUint64(b, uint64(o.At))
	b = binary.BigEndian.AppendUint16(b, o.Source)
	b = append(b, o.Moves)
	b = binary.BigEndian.AppendUint16(b, o.Slice)
	b = binary.BigEndian.AppendUint16(b, o.OriginalSlice)
	b = binary.BigEndian.AppendUint32(b, o.Day)
	b = binary.BigEndian.AppendUint32(b, o.OriginalDay)
	b = binary.BigEndian.AppendUint64(b, o.Amount)
	b = binary.BigEndian.AppendUint32(b, o.Processing)
	return binary.BigEndian.AppendUint16(b, o.Currency)
}

// Parse reads what Append wrote, now or before there were totals.
func Parse(id uint64, b []byte) (Owed, error) {
	old := len(b) == shortest && b[0] == 1
	if !old && (len(b) != size || b[0] != Version) {
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
	o.Source = binary.BigEndian.Uint16(b[0:])
	o.Moves = b[2]
	o.Slice = binary.BigEndian.Uint16(b[3:])
	o.OriginalSlice = binary.BigEndian.Uint16(b[5:])
	o.Day = binary.BigEndian.Uint32(b[7:])
	o.OriginalDay = binary.BigEndian.Uint32(b[11:])
	o.Amount = binary.BigEndian.Uint64(b[15:])
	o.Processing = binary.BigEndian.Uint32(b[23:])
	o.Currency = binary.BigEndian.Uint16(b[27:])
	return o, nil
}

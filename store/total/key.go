package total

import (
	"encoding/binary"

	"cardswitch/store/journal"
)

// Key names one row of totals.
type Key struct {
	Center   uint16 // whose period it is: an issuer, or a merchant center that reconciles
	Other    uint16 // the center at the other end of the transactions; 0: unknown
	Day      uint32 // DE 28, YYMMDD
	Slice    uint16 // DE 29
	Currency uint16 // DE 49, or 50 where the center reconciles in another
}

// KeySize is the length of a written key.
const KeySize = 2 + 4 + 2 + 2 + 2

// Append writes it, so that keys sort by center, then day and slice.
func (k Key) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, k.Center)
	b = binary.BigEndian.AppendUint32(b, k.Day)
	b = binary.BigEndian.AppendUint16(b, k.Slice)
	b = binary.BigEndian.AppendUint16(b, k.Currency)
	return binary.BigEndian.AppendUint16(b, k.Other)
}

// ParseKey reads what Append wrote.
func ParseKey(b []byte) (Key, error) {
	if len(b) != KeySize {
		return Key{}, ErrDamaged
	}
	return Key{Center: binary.BigEndian.Uint16(b), Day: binary.BigEndian.Uint32(b[2:]),
		Slice: binary.BigEndian.Uint16(b[6:]), Currency: binary.BigEndian.Uint16(b[8:]),
		Other: binary.BigEndian.Uint16(b[10:])}, nil
}

// atIssuer is the row of an issuer's day that a record moves; of none if that is zero.
func atIssuer(r *journal.Record) Key {
	return Key{Center: r.Dest, Other: r.Center, Day: r.Day, Slice: r.Slice, Currency: r.Currency}
}

// atMerchant is the row of a merchant center's day, which isn't sliced.
func atMerchant(r *journal.Record) Key {
	return Key{Center: r.Center, Other: r.Dest, Day: r.MerchantDay, Slice: 1, Currency: r.Currency}
}

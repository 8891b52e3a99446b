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

// Rows are the rows that a record moves, with ok false where it moves none: that of the issuer and
// that of the merchant center.
func Rows(r *journal.Record) (issuer, merchant Key, ofIssuer, ofMerchant bool) {
	if r.Moves == 0 || r.Kind == journal.Opened {
		return
	}
	issuer = Key{Center: r.Dest, Other: r.Center, Day: r.Day, Slice: r.Slice, Currency: r.Currency}
	merchant = Key{Center: r.Center, Other: r.Dest, Day: r.MerchantDay, Slice: 1,
		Currency: r.Currency}
	return issuer, merchant, r.Day != 0, r.MerchantDay != 0
}

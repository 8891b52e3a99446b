package standin

import (
	"cardswitch/routing/cardrange"
	"cardswitch/spec"
)

// Facts are what a decision looks at in a request (reference iso8583-1993 section 2.2). What a
// message doesn't say is zero.
type Facts struct {
	PAN         uint64 // filled with zeros on the right to nineteen digits
	PANLen      uint8
	Transaction uint8 // DE 3, positions 1 and 2
	Entry       byte  // DE 22, position 7: how the card's data were read
	PIN         bool  // DE 52 is there
	Function    uint16
	Country     uint16 // DE 19
	Currency    uint16 // DE 49
	Expiry      uint16 // YYMM, of DE 14 or a track; ExpiryHidden
	Category    uint32 // DE 26
	Amount      uint64 // DE 4

	// Listed: a negative file has the card. ListedAction is the action code that it says; zero: the
	// usual one.
	Listed       bool
	ListedAction uint16
}

// ExpiryHidden stands for an expiry date that was in a track, which is not kept.
const ExpiryHidden = 0xffff

// FactsOf takes the facts from a message. pan is its card, wherever that came from.
func FactsOf(m *spec.Message, pan spec.PAN) Facts {
	number, length := pan.Number()
	processing, _ := m.Number(3)
	amount, _ := m.Number(4)
	f := Facts{PAN: cardrange.Align(number, length), PANLen: uint8(length),
		Transaction: uint8(processing / 10_000), PIN: m.Has(52),
		Function: small(m, 24), Country: small(m, 19), Currency: small(m, 49),
		Expiry: small(m, 14), Category: uint32(small(m, 26)), Amount: amount}
	var value [16]byte
	if pos := m.Append(value[:0], 22); len(pos) >= 7 {
		f.Entry = pos[6]
	}
	if f.Expiry == 0 {
		f.Expiry = trackExpiry(m)
	}
	return f
}

// FactsKept takes the facts from a message of the journal, whose tracks are blank.
func FactsKept(m *spec.Message, pan spec.PAN) Facts {
	f := FactsOf(m, pan)
	if !m.Has(14) && (m.Has(35) || m.Has(45)) {
		f.Expiry = ExpiryHidden
	}
	return f
}

func small(m *spec.Message, n int) uint16 {
	v, ok := m.Number(n)
	if !ok || v > 9999 {
		return 0
	}
	return uint16(v)
}

// trackExpiry reads the expiry date from track 2, else track 1: four digits behind the separator of
// the card number, or of the name (ISO/IEC 7813).
func trackExpiry(m *spec.Message) uint16 {
	var value [128]byte
	track, separators := m.Append(value[:0], 35), 1
	if len(track) == 0 {
		track, separators = m.Append(value[:0], 45), 2
	}
	for i, c := range track {
		if c == '=' || c == 'D' && m.Has(35) || c == '^' {
			separators--
		}
		if separators == 0 {
			return digits4(track[i+1:])
		}
	}
	return 0
}

func digits4(text []byte) (v uint16) {
	if len(text) < 4 {
		return 0
	}
	for _, c := range text[:4] {
		if c-'0' > 9 {
			return 0
		}
		v = v*10 + uint16(c-'0')
	}
	return v
}

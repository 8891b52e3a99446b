package routing

import (
	"cardswitch/routing/cardrange"
	"cardswitch/spec"
)

// Query is what a rule may ask of a message. What a message doesn't carry is zero.
type Query struct {
	MTI            spec.MTI
	PAN            uint64 // filled with zeros on the right to nineteen digits
	PANLen         uint8  // digits it has, or how many of its leading digits are known
	Leading        bool   // these are leading digits: no check digit is among them
	ProcessingCode uint32
	Acquirer       uint64
	Amount         uint64
	Category       uint32 // card acceptor business code, element 26
	Company        uint32 // company code 会社コード, element 48
	KID            uint32 // element 48
	At             int64  // seconds since 1970
	Merchant       uint16 // place of who asks in the list that Parser.Merchants gave
}

// QueryOf takes everything a rule may ask for from m.
func QueryOf(m *spec.Message, at int64) Query {
	q := plainQuery(m, at)
	q.addItems(m)
	return q
}

func plainQuery(m *spec.Message, at int64) Query {
	pan, length := m.PAN().Number()
	processing, _ := m.Number(3)
	amount, _ := m.Number(4)
	category, _ := m.Number(26)
	acquirer, _ := m.Number(32)
	return Query{
		MTI:            m.MTI(),
		PAN:            cardrange.Align(pan, length),
		PANLen:         uint8(length),
		ProcessingCode: uint32(processing),
		Acquirer:       acquirer,
		Amount:         amount,
		Category:       uint32(category),
		At:             at,
	}
}

// maxItems is the longest element 48 of the standard.
const maxItems = 999

// addItems takes the company code and the KID from element 48.
func (q *Query) addItems(m *spec.Message) {
	var scratch [maxItems]byte
	items := spec.ParseItems(m.Append(scratch[:0], 48))
	for items.Next() {
		switch items.Tag() {
		case spec.TagCompanyCode:
			q.Company = uint32(items.Number())
		case spec.TagKID:
			q.KID = uint32(items.Number())
		}
	}
}

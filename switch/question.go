package cardswitch

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"cardswitch/routing"
	"cardswitch/routing/cardrange"
	"cardswitch/spec"
)

// Question asks where a message would go. Everything but the card's leading
// digits may be left out.
type Question struct {
	PAN        string    `json:"pan"` // or its leading digits
	MTI        string    `json:"mti,omitempty"`
	Processing string    `json:"processing,omitempty"` // DE 3
	Amount     uint64    `json:"amount,omitempty"`     // DE 4
	Category   string    `json:"category,omitempty"`   // DE 26
	Acquirer   string    `json:"acquirer,omitempty"`   // DE 32
	Company    string    `json:"company,omitempty"`    // company code 会社コード
	KID        string    `json:"kid,omitempty"`
	Center     string    `json:"center,omitempty"` // of the asking merchant
	At         time.Time `json:"at,omitzero"`      // now, if left out
}

// Query is the question as the routing table understands it. Merchants are the
// names in the order in which the table was built with them.
func (q Question) Query(merchants []string) (routing.Query, error) {
	r := digitsReader{}
	pan, err := spec.ParsePAN(q.PAN)
	if err != nil {
		return routing.Query{}, fmt.Errorf("pan: %w", err)
	}
	number, length := pan.Number()
	query := routing.Query{
		PAN:            cardrange.Align(number, length),
		PANLen:         uint8(length),
		Leading:        length <= mostLeading,
		ProcessingCode: uint32(r.number("processing", q.Processing, 6)),
		Acquirer:       r.number("acquirer", q.Acquirer, 11),
		Amount:         q.Amount,
		Category:       uint32(r.number("category", q.Category, 4)),
		Company:        uint32(r.number("company", q.Company, 9)),
		KID:            uint32(r.number("kid", q.KID, 9)),
		At:             q.At.Unix(),
	}
	if q.At.IsZero() {
		query.At = time.Now().Unix()
	}
	if q.MTI == "" {
		q.MTI = "1200"
	}
	if query.MTI, err = spec.ParseMTI(q.MTI); err != nil {
		return routing.Query{}, fmt.Errorf("mti: %w", err)
	}
	if q.Center != "" {
		place := slices.Index(merchants, q.Center)
		if place < 0 {
			return routing.Query{}, fmt.Errorf("center: no merchant center is named %q", q.Center)
		}
		query.Merchant = uint16(place)
	}
	return query, r.err
}

// mostLeading is how many digits people ask about where they mean no whole card number.
const mostLeading = 12

// digitsReader keeps the first error, so that the fields read as a list.
type digitsReader struct{ err error }

func (r *digitsReader) number(name, text string, most int) uint64 {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if (err != nil || len(text) > most) && r.err == nil {
		r.err = fmt.Errorf("%s: %q is not a number of at most %d digits", name, text, most)
	}
	return n
}

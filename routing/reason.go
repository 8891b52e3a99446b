package routing

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// reason tells people why r doesn't take q.
func (t *Table) reason(v verdict, r *rule, q *Query) string {
	switch v {
	case tooFewDigits:
		return fmt.Sprintf("needs %d digits, has %d", r.digits, q.PANLen)
	case wrongLuhn:
		return "the check digit (Luhn) is wrong"
	case notYet:
		return "not in effect before " + timeText(r.effective)
	case noMore:
		return "no longer in effect since " + timeText(r.until)
	}
	c := r.when
	switch v {
	case otherMTI:
		return differs("message type", list(c.mtis), q.MTI.Original().String())
	case otherProcessing:
		return differs("processing code", codes(c.processing), fmt.Sprintf("%06d", q.ProcessingCode))
	case otherAcquirer:
		return differs("acquirer", list(c.acquirers), fmt.Sprint(q.Acquirer))
	case otherAmount:
		return differs("amount", amounts(c.amount), fmt.Sprint(q.Amount))
	case otherCategory:
		return differs("business code", padded(c.categories, 4), fmt.Sprintf("%04d", q.Category))
	case otherCompany:
		return differs("company code", padded(c.companies, 5), fmt.Sprintf("%05d", q.Company))
	case otherKID:
		return differs("KID", padded(c.kids, 3), fmt.Sprintf("%03d", q.KID))
	case otherMerchant:
		names := make([]string, len(c.merchants))
		for i, place := range c.merchants {
			names[i] = t.merchant(place)
		}
		return differs("merchant", names, t.merchant(q.Merchant))
	}
	return ""
}

// maxNamed is how many values of a condition are told.
const maxNamed = 8

func differs(what string, wanted []string, got string) string {
	if len(wanted) > maxNamed {
		wanted = append(wanted[:maxNamed:maxNamed], fmt.Sprintf("%d more", len(wanted)-maxNamed))
	}
	return fmt.Sprintf("asks for %s %s, is %s", what, strings.Join(wanted, " or "), got)
}

func list[T any](values []T) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return texts
}

func padded(values []uint32, digits int) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprintf("%0*d", digits, v)
	}
	return texts
}

// codes gives the leading digits that a processing code must have.
func codes(spans []span) []string {
	texts := make([]string, len(spans))
	for i, s := range spans {
		digits := 6 - len(fmt.Sprint(s.high-s.low+1)) + 1
		texts[i] = fmt.Sprintf("%06d", s.low)[:digits] + "xxxx"[:6-digits]
	}
	return texts
}

func amounts(s span) []string {
	if s.high == math.MaxUint64 {
		return []string{fmt.Sprintf("from %d", s.low)}
	}
	return []string{fmt.Sprintf("%d to %d", s.low, s.high)}
}

func timeText(second int64) string { return time.Unix(second, 0).UTC().Format(time.RFC3339) }

func (t *Table) merchant(place uint16) string {
	if int(place) >= len(t.merchants) {
		return "unknown"
	}
	return t.merchants[place]
}

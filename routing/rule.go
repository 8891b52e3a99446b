package routing

import (
	"math"
	"slices"

	"cardswitch/routing/cardrange"
	"cardswitch/spec"
)

// rule is one entry of the table, in one cache line: in a large table, fetching it is most of the
// time that a choice takes.
type rule struct {
	effective int64 // from this second on
	until     int64 // and before this one
	to        []uint16
	when      *conditions // nil: none
	digits    uint8       // that its range names
	luhn      bool
	_         [8]byte
}

// origin is what else there is to know of a rule.
type origin struct {
	cards        cardrange.Range
	scheme, file string
	line         int
}

// conditions are what a message must carry. An empty list asks for nothing; all are sorted.
type conditions struct {
	mtis            []spec.MTI // the first message, never its repeat
	processing      []span     // of all six digits
	acquirers       []uint64
	amount          span
	categories      []uint32
	companies, kids []uint32
	merchants       []uint16
}

// span is inclusive.
type span struct{ low, high uint64 }

func (s span) has(n uint64) bool { return n >= s.low && n <= s.high }

const forever = math.MaxInt64

// verdict says why a rule doesn't take a query.
type verdict uint8

const (
	taken verdict = iota
	tooFewDigits
	wrongLuhn
	notYet
	noMore
	otherMTI
	otherProcessing
	otherAcquirer
	otherAmount
	otherCategory
	otherCompany
	otherKID
	otherMerchant
)

// test says whether r takes q, a card number that falls into its range by its leading digits.
func (r *rule) test(q *Query) verdict {
	switch {
	case q.PANLen < r.digits:
		return tooFewDigits
	case r.luhn && !q.Leading && !cardrange.Luhn(q.PAN, q.PANLen):
		return wrongLuhn
	case q.At < r.effective:
		return notYet
	case q.At >= r.until:
		return noMore
	case r.when == nil:
		return taken
	}
	return r.when.test(q)
}

func (c *conditions) test(q *Query) verdict {
	switch {
	case !has(c.mtis, q.MTI.Original()):
		return otherMTI
	case !within(c.processing, uint64(q.ProcessingCode)):
		return otherProcessing
	case !has(c.acquirers, q.Acquirer):
		return otherAcquirer
	case !c.amount.has(q.Amount):
		return otherAmount
	case !has(c.categories, q.Category):
		return otherCategory
	case !has(c.companies, q.Company):
		return otherCompany
	case !has(c.kids, q.KID):
		return otherKID
	case !has(c.merchants, q.Merchant):
		return otherMerchant
	}
	return taken
}

// has says whether a sorted list names n, or asks for nothing.
func has[N uint16 | uint32 | uint64 | spec.MTI](list []N, n N) bool {
	if len(list) == 0 {
		return true
	}
	_, found := slices.BinarySearch(list, n)
	return found
}

func within(list []span, n uint64) bool {
	for _, s := range list {
		if s.has(n) {
			return true
		}
	}
	return len(list) == 0
}

// covers says that r takes whatever o of the same range would.
func (r *rule) covers(o *rule) bool {
	return r.when == nil && !r.luhn && r.effective <= o.effective && r.until >= o.until
}

// repeats says that r and o ask for the same at the same time.
func (r *rule) repeats(o *rule) bool {
	return r.meets(o) && r.luhn == o.luhn && r.when.equal(o.when)
}

// meets says that both are in effect at some time.
func (r *rule) meets(o *rule) bool { return r.effective < o.until && o.effective < r.until }

func (c *conditions) equal(o *conditions) bool {
	if c == nil || o == nil {
		return c == o
	}
	return c.amount == o.amount &&
		slices.Equal(c.mtis, o.mtis) && slices.Equal(c.processing, o.processing) &&
		slices.Equal(c.acquirers, o.acquirers) && slices.Equal(c.categories, o.categories) &&
		slices.Equal(c.companies, o.companies) && slices.Equal(c.kids, o.kids) &&
		slices.Equal(c.merchants, o.merchants)
}

// Package standin decides for a card issuer that is away (代行), from values alone.
//
// Rules are made of a rule file and never change. Decide looks at them, at what was approved for
// the card in the last days, at the facts of a request and at the time, and says whether the
// request is approved, declined, or none of stand-in's business: then it is answered as it would be
// without stand-in. Mode says when an issuer is stood in for, Rate when it fails too often, and
// Counters what was approved; all are values that the switch guards and makes durable.
package standin

import (
	"time"

	"cardswitch/routing/cardrange"
	"cardswitch/switch/txn"
)

// Outcome is what becomes of a request.
type Outcome uint8

const (
	// Abstain: it isn't stand-in's to decide.
	Abstain Outcome = iota
	// Approve grants it.
	Approve
	// Decline refuses it.
	Decline
)

// Decision is what Decide says.
type Decision struct {
	Outcome Outcome
	Reason  txn.Reason
	Action  uint16 // DE 39
	Rule    int    // place of the rule in the file, from 0; -1: none holds the card
}

// Decide decides on a request at a time. c is what was approved for the card by stand-in, oldest
// first.
func Decide(r *Rules, c Counter, f *Facts, at time.Time) Decision {
	place := r.find(f)
	if place < 0 {
		return Decision{Reason: txn.StandInNoRule, Rule: place}
	}
	rule := &r.rules[place]
	if why := rule.abstains(f); why != txn.None {
		return Decision{Reason: why, Rule: place}
	}
	why := rule.refuses(r, f, at)
	if why == txn.None {
		why = rule.exceeded(c, f, at.In(r.zone))
	}
	switch {
	case why == txn.StandInListed && f.ListedAction != 0:
		return Decision{Decline, why, f.ListedAction, place}
	case why != txn.None:
		return Decision{Decline, why, why.Action(), place}
	case f.Amount <= rule.floor:
		return Decision{Approve, txn.StandInBelowFloor, 0, place}
	}
	return Decision{Approve, txn.StandInApproved, 0, place}
}

// find gives the place of the rule with the narrowest range that holds the card, or -1.
func (r *Rules) find(f *Facts) int {
	for at := r.index.Narrowest(f.PAN); at != 0; at = r.index.Wider(at) {
		if i := r.index.Place(at); f.PANLen >= r.ranges[i].Digits {
			return r.owners[i]
		}
	}
	return -1
}

// abstains says why a request isn't stand-in's to decide.
func (r *rule) abstains(f *Facts) txn.Reason {
	switch {
	case r.excluded:
		return txn.StandInExcluded
	case f.Function == inquiry, f.Transaction > 99, !r.transactions[f.Transaction]:
		return txn.StandInTransaction
	case f.PIN && !r.pin:
		return txn.StandInPIN
	}
	return txn.None
}

// inquiry is the function code of an authorization that only asks (DE 24; reference iso8583-1993
// section 3.2).
const inquiry = 108

// refuses says what of a request speaks against it, whatever was approved before.
func (r *rule) refuses(rules *Rules, f *Facts, at time.Time) txn.Reason {
	switch {
	case f.Listed:
		return txn.StandInListed
	case r.checkDigit && !cardrange.Luhn(f.PAN, f.PANLen):
		return txn.StandInCheckDigit
	case f.Expiry == 0 && r.expiry == expiryRequired:
		return txn.StandInNoExpiry
	case f.Expiry != 0 && r.expiry != expiryIgnored && f.expired(at.In(rules.zone)):
		return txn.StandInExpired
	case len(r.categories) > 0 && !within(r.categories, f.Category),
		within(r.notCategories, f.Category):
		return txn.StandInCategory
	case len(r.entry) > 0 && !has(r.entry, f.Entry):
		return txn.StandInEntry
	case f.Country != 0 && f.Country != rules.home && !r.foreign:
		return txn.StandInForeign
	case f.Currency != r.currency:
		return txn.StandInCurrency
	case f.Amount > r.most:
		return txn.StandInOverMost
	}
	return txn.None
}

// expired tells whether the card's month is over.
func (f *Facts) expired(at time.Time) bool {
	if f.Expiry == ExpiryHidden {
		return false
	}
	year, month := 2000+int(f.Expiry)/100, int(f.Expiry)%100
	return month < 1 || month > 12 || at.Year()*12+int(at.Month()) > year*12+month
}

// exceeded says which limit of the card the request would pass. What is not above the floor limit
// is not asked for its amount, and has none for those that come later.
func (r *rule) exceeded(c Counter, f *Facts, local time.Time) txn.Reason {
	if len(c) == 0 && f.Amount <= r.least { // the usual case needs no calendar
		return txn.None
	}
	for i := range r.limits {
		l := &r.limits[i]
		midnight := time.Date(local.Year(), local.Month(), local.Day()-l.days+1, 0, 0, 0, 0,
			local.Location())
		count, amount := c.Since(HourOf(midnight.UnixNano()))
		switch {
		case l.count > 0 && count >= uint64(l.count):
			return txn.StandInOverCount
		case l.amount > 0 && f.Amount > r.floor &&
			(f.Amount > l.amount || amount > l.amount-f.Amount):
			return txn.StandInOverAmount
		}
	}
	return txn.None
}

// Counts gives the amount with which an approved request counts: zero below the floor limit.
func (d Decision) Counts(f *Facts) uint64 {
	if d.Reason == txn.StandInBelowFloor {
		return 0
	}
	return f.Amount
}

func within(list []span, n uint32) bool {
	for _, s := range list {
		if n >= s.low && n <= s.high {
			return true
		}
	}
	return false
}

func has(list string, c byte) bool {
	for i := range len(list) {
		if list[i] == c {
			return true
		}
	}
	return false
}

// Package cards is the set of test cards that loads and crash tests pay with.
//
// The numbers pass the Luhn check and lie in a few ranges of two issuers, thousands of different
// ones, so that routing, the order kept per card and the keyed hashes all do real work.
package cards

import "strconv"

// Range is one prefix of card numbers and which of the two issuers (0 or 1) it belongs to.
type Range struct {
	Prefix string
	Issuer int
}

// Ranges are all that the tests use: what a routing table must know.
func Ranges() []Range {
	return []Range{
		{Prefix: "35699900", Issuer: 0},
		{Prefix: "453999", Issuer: 0},
		{Prefix: "555599", Issuer: 1},
	}
}

// perRange is how many cards each range gives.
const perRange = 1365

// All lists the cards, issuers mixed.
func All() []string {
	all := make([]string, 0, perRange*len(Ranges()))
	for i := range perRange {
		for _, r := range Ranges() {
			all = append(all, number(r.Prefix, i))
		}
	}
	return all
}

// number makes the i-th card of a range: 16 digits, the last one the check digit.
func number(prefix string, i int) string {
	account := strconv.Itoa(i*733 + 1)
	digits := []byte(prefix)
	for len(digits)+len(account) < 15 {
		digits = append(digits, '0')
	}
	digits = append(digits, account...)
	sum := 0
	for at, c := range digits {
		v := int(c - '0')
		if at%2 == 0 { // doubled from the right, the check digit being the first
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return string(append(digits, byte('0'+(10-sum%10)%10)))
}

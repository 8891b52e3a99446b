package settle

import "cardswitch/store/total"

// PartKey names the transactions of a merchant center with an issuer in a currency.
type PartKey struct{ Issuer, Merchant, Currency uint16 }

// Parts are the totals of a day by payment division (支払区分; 0: none was named), where fees depend
// on it.
type Parts map[PartKey]map[uint8]*total.Sums

// Add counts a transaction.
func (p Parts) Add(key PartKey, division uint8, k total.Kind, amount uint64) {
	if p[key] == nil {
		p[key] = make(map[uint8]*total.Sums)
	}
	if p[key][division] == nil {
		p[key][division] = new(total.Sums)
	}
	p[key][division].Add(k, amount)
}

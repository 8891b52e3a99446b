package cardswitch

import (
	"cardswitch/store/queue"
	"cardswitch/store/total"
	"cardswitch/switch/settle"
	"cardswitch/switch/txn"
)

// What an issuer refused, or what can't be written for it, waits on the work list for a person, who
// may take days. Only what is known to be positive counts (reference iso8583-1993 section 5.7), so
// no business day waits for that, and none counts it; but each tells what of it is undecided, as it
// counts, and may put a day out of balance, once somebody has it sent again.

// undecidedIn tells whether an entry of the work list is of a period: it would count there, or, if
// it is the reversal of something unanswered, what it reverses would.
func undecidedIn(e *queue.Entry, p *settle.Period) (own, original bool) {
	if e.Moves == 0 {
		return false, false
	}
	own = settle.Day(e.Day) == p.Day ||
		e.Day == 0 && e.At >= p.Opened && (p.Ended == 0 || e.At <= p.Ended)
	return own, e.Moves&unconfirmed != 0 && settle.Day(e.OriginalDay) == p.Day
}

// workList reads what waits for people.
func (s *Switch) workList() (list []queue.Owed, err error) {
	for e, err := range s.store.WorkList() {
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// undecided counts what of a center's period is on the work list.
func undecided(list []queue.Owed, c *center, p *settle.Period) (n int) {
	for i := range list {
		own, original := undecidedIn(&list[i].Entry, p)
		if list[i].Center == c.id && (own || original) {
			n++
		}
	}
	return n
}

// undecidedOf lists what of a day of all issuers, or of one center, is on the work list.
func (s *Switch) undecidedOf(list []queue.Owed, day settle.Day, only string) []settle.Undecided {
	out, registry := []settle.Undecided{}, s.store.Registry()
	for i := range list {
		e, c := &list[i], s.centers[list[i].Center]
		if c == nil || c.book == nil || c.book.Find(day) == nil {
			continue
		}
		own, original := undecidedIn(&e.Entry, c.book.Find(day))
		merchant := registry.Name(e.Source)
		if !own && !original || only != "" && only != c.name && only != merchant {
			continue
		}
		out = append(out, settle.Undecided{Advice: e.ID, Txn: e.Txn, Issuer: c.name,
			Merchant: merchant, MTI: e.MTI.String(), STAN: e.STAN, Amount: e.Amount,
			Currency: countedIn(e.Currency, c), Counts: total.Kind(e.Moves &^ unconfirmed).String(),
			Original: original, Why: txn.OwedFor(e.Reason)})
	}
	return out
}

package settle

import (
	"fmt"

	"cardswitch/store/total"
	"cardswitch/switch/txn"
)

// Balance compares the figures of the two sides.
func Balance(ours, theirs *total.Sums) txn.Balance {
	a, b := joined(ours), joined(theirs)
	if a == b {
		return txn.InBalance
	}
	if swapped := exchanged(b); a == swapped && ours.Net() == netExchanged(b) {
		return txn.OtherConvention
	}
	for k := range a {
		if a[k].Number != b[k].Number {
			return txn.NumbersDiffer
		}
	}
	return txn.AmountsDiffer
}

// joined puts the fees' numbers together, as element 85 does, and forgets amounts that no element
// has.
func joined(s *total.Sums) total.Sums {
	out := *s
	out[total.CreditFee].Number += out[total.DebitFee].Number
	out[total.DebitFee].Number = 0
	for k := range out {
		if !total.Kind(k).HasAmount() {
			out[k].Amount = 0
		}
	}
	return out
}

// exchanged is the totals with the reversals of debits and credits in each other's place.
func exchanged(s total.Sums) total.Sums {
	s[total.DebitReversal], s[total.CreditReversal] = s[total.CreditReversal], s[total.DebitReversal]
	return s
}

func netExchanged(s total.Sums) int64 { s = exchanged(s); return s.Net() }

// Line is one figure of both sides.
type Line struct {
	Kind   string    `json:"kind"`
	Ours   total.Sum `json:"ours"`
	Theirs total.Sum `json:"theirs"`
}

// Lines are the figures that differ.
func Lines(ours, theirs *total.Sums) (out []Line) {
	a, b := joined(ours), joined(theirs)
	for k := range a {
		if a[k] != b[k] {
			out = append(out, Line{total.Kind(k).String(), a[k], b[k]})
		}
	}
	return out
}

// Paired tells of figures that differ only by transactions that one side counted together with
// their reversals, and the other side not at all: late approvals, which come to nothing.
func Paired(ours, theirs *total.Sums) bool {
	if ours.Net() != theirs.Net() || *ours == *theirs {
		return false
	}
	a, b := *ours, *theirs
	for k := total.Debit; k < total.Kinds; k++ {
		r := k.Reversal()
		if r == total.None {
			continue
		}
		if a[k].Number-b[k].Number != a[r].Number-b[r].Number ||
			a[k].Amount-b[k].Amount != a[r].Amount-b[r].Amount {
			return false
		}
		b[k], b[r] = a[k], a[r]
	}
	return a == b
}

// Explain says in a sentence how two sides differ; empty where they don't.
func Explain(ours, theirs *total.Sums) string {
	switch Balance(ours, theirs) {
	case txn.InBalance:
		return ""
	case txn.OtherConvention:
		return "bucket convention differs: reversals are in each other's totals (75/87 and 77/89)"
	}
	if Paired(ours, theirs) {
		return "net agrees: one side counted transactions together with their reversals"
	}
	return fmt.Sprintf("out of balance by %d", theirs.Net()-ours.Net())
}

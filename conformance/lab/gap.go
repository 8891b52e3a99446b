package lab

import (
	"slices"
	"time"
)

// gap is the longest time within a span in which no issuer's approval came to any merchant: from
// the last answer before it to the first one after it.
type gap struct {
	from, to time.Time
	length   time.Duration
}

// gapOf looks at answers in their order. The span's ends count as answers, so one without any is
// a gap as long as itself.
func gapOf(answers []answer, from, to time.Time) (longest gap) {
	last := from
	look := func(at time.Time) {
		if at.Sub(last) > longest.length {
			longest = gap{last, at, at.Sub(last)}
		}
		last = at
	}
	for _, a := range answers {
		if a.approved && a.at.After(from) && a.at.Before(to) {
			look(a.at)
		}
	}
	look(to)
	return longest
}

// percentile of how long answers took, 0 if there are none.
func percentile(answers []answer, p float64) time.Duration {
	if len(answers) == 0 {
		return 0
	}
	took := make([]time.Duration, len(answers))
	for i, a := range answers {
		took[i] = a.took
	}
	slices.Sort(took)
	return took[min(len(took)-1, int(p*float64(len(took))))]
}

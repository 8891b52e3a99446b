package standin

// rateSlots is into how many parts the time of a Rate is cut: what it forgets, it forgets by these.
const rateSlots = 16

// Rate counts how an issuer answered in the last while.
type Rate struct {
	slots [rateSlots]slot
}

type slot struct {
	at        int64 // which part of time
	good, bad uint32
}

// Add counts an answer at now (unix nanoseconds) in a rate over within nanoseconds.
func (r *Rate) Add(now, within int64, bad bool) {
	at := now / max(within/rateSlots, 1)
	s := &r.slots[at%rateSlots]
	if s.at != at {
		*s = slot{at: at}
	}
	if bad {
		s.bad++
	} else {
		s.good++
	}
}

// Sum gives what was counted in the last while.
func (r *Rate) Sum(now, within int64) (good, bad int) {
	at := now / max(within/rateSlots, 1)
	for _, s := range r.slots {
		if s.at > at-rateSlots && s.at <= at {
			good += int(s.good)
			bad += int(s.bad)
		}
	}
	return good, bad
}

// Forget empties it.
func (r *Rate) Forget() { *r = Rate{} }

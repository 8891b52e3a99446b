package keyring

import (
	"fmt"
	"time"
)

// Policy is how long keys of a purpose serve.
type Policy struct {
	Rotate time.Duration // make a new one when it has been active for so long; 0: never by age
	Uses   uint64        // or has been used so often; 0: never by count
	Period time.Duration // the crypto-period: from its making a key protects for so long
	Window time.Duration // an old generation is accepted for so long
	Keep   time.Duration // a retired key is destroyed so long after its window; its record stays
}

// DefaultPolicy is what the purposes have if nobody says otherwise (reference crypto.md section 2):
// traffic keys change daily, and no link goes on for more than two days under one key.
func DefaultPolicy(p Purpose) Policy {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	switch p {
	case ZPK, ZAK, ZEK, Data:
		return Policy{Rotate: day, Period: 2 * day, Window: 5 * time.Minute, Keep: time.Hour}
	case KBPK:
		return Policy{Rotate: year, Period: 2 * year, Window: 30 * day, Keep: day}
	case KEK:
		return Policy{Rotate: year, Period: 2 * year, Window: year, Keep: 30 * day}
	}
	return Policy{Rotate: 3 * year, Period: 5 * year, Window: 90 * day, Keep: 30 * day}
}

// Task is something that is due.
type Task struct {
	ID   ID
	What Duty
	Why  string
}

// Duty is what a task asks for.
type Duty string

// The duties.
const (
	Rotate     Duty = "rotate"     // make the next generation and bring it to the partner
	RetireNow  Duty = "retire"     // a newer one serves
	DestroyNow Duty = "destroy"    // its time is over
	Expired    Duty = "is expired" // nothing can be protected: the link is to go down
)

// Due lists what is to be done now, in the order of the keys. Uses gives how often a key was used;
// it may be nil. Pure, so that an inventory and the exchange see the same.
func (s Set) Due(now time.Time, policy func(Purpose) Policy, uses func(ID) uint64) []Task {
	var tasks []Task
	for i := range s.records {
		r := &s.records[i]
		p := policy(r.ID.Slot.Purpose)
		what, why := r.due(now, p, s.newer(i))
		if what == "" && !started(s.newer(i)) && uses != nil && p.Uses > 0 && r.usable() {
			if n := uses(r.ID); n >= p.Uses {
				what, why = Rotate, fmt.Sprintf("it was used %d times, of %d", n, p.Uses)
			}
		}
		if what != "" {
			tasks = append(tasks, Task{r.ID, what, why})
		}
	}
	return tasks
}

// newer is the state of the newest generation of the same slot that is younger and not destroyed,
// "" if there is none.
func (s Set) newer(at int) State {
	state := State("")
	for i := at + 1; i < len(s.records) && s.records[i].ID.Slot == s.records[at].ID.Slot; i++ {
		if s.records[i].State != Destroyed {
			state = s.records[i].State
		}
	}
	return state
}

// started tells whether a newer generation has begun to serve. One that only waits doesn't count: a
// key that somebody made and forgot must not stop the change.
func started(newer State) bool {
	return newer == Accepting || newer == Sending || newer == Retiring
}

func (r *Record) due(now time.Time, p Policy, newer State) (Duty, string) {
	switch r.State {
	case Accepting, Sending:
		served := newer == Sending || newer == Accepting && r.ID.Slot.Direction == In
		switch {
		case served:
			return RetireNow, "a newer generation serves"
		case !now.Before(r.Expires):
			return Expired, "its crypto-period ended " + day(r.Expires)
		case !started(newer) && p.Rotate > 0 && !now.Before(r.ActiveFrom.Add(p.Rotate)):
			return Rotate, "it is active since " + day(r.ActiveFrom)
		}
	case Retiring:
		if end := r.RetireUntil.Add(p.Keep); !now.Before(end) {
			return DestroyNow, "it retired until " + day(r.RetireUntil)
		}
	case Received, Confirmed:
		if !now.Before(r.Expires) {
			return DestroyNow, "it expired before it was used"
		}
	}
	return "", ""
}

// NextChange is when a key's state changes if nobody acts before, and zero if it doesn't.
func (r *Record) NextChange(p Policy) time.Time {
	switch r.State {
	case Accepting, Sending:
		if rotate := r.ActiveFrom.Add(p.Rotate); p.Rotate > 0 && rotate.Before(r.Expires) {
			return rotate
		}
		return r.Expires
	case Retiring:
		return r.RetireUntil.Add(p.Keep)
	case Received, Confirmed:
		return r.Expires
	}
	return time.Time{}
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

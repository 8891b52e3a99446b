package ceremony

import (
	"slices"
	"time"

	"cardswitch/hsm/keyblock"
)

// asked begins a ceremony.
func asked(p Person, id, what, label string, count int, now time.Time) (State, error) {
	switch {
	case p.Name == "" || !p.Asks:
		return State{}, refuse("an administrator or a custodian asks for a ceremony",
			"%s may not ask for a ceremony", named(p))
	case count < leastComponents || count > mostComponents:
		return State{}, refuse("two or three are usual", "a key has %d to %d components, not %d",
			leastComponents, mostComponents, count)
	}
	return State{ID: id, What: what, Label: label, Count: count, AskedBy: p.Name, Started: now,
		Deadline: now.Add(Within), Phase: Entering}, nil
}

// mayEnter tells why a person may not enter a component now.
func (s *State) mayEnter(p Person, now time.Time) error {
	switch {
	case p.Name == "" || !p.Custodian || p.Approver:
		return refuse("only custodians do", "%s may not enter a component", named(p))
	case s.late(now):
		return refuse("start again", "the time of this ceremony is up")
	case s.Phase != Entering:
		return refuse("key ceremony status shows it", "the ceremony is %s", s.Phase)
	case s.entered(p.Name):
		return refuse("another custodian enters the next, in a login of their own",
			"%s has entered a component already", p.Name)
	}
	return nil
}

// with is the state after a component was entered.
func (s State) with(e Entry) State {
	s.Entries = append(slices.Clone(s.Entries), e)
	return s
}

// complete tells that all components are there.
func (s *State) complete() bool { return len(s.Entries) == s.Count }

// formed is the state after the key was made.
func (s State) formed(check keyblock.CheckValue) State {
	s.Phase, s.Check = Formed, check
	return s
}

// mayApprove tells why a person may not approve now. The check value is what the person has read
// on the custodians' papers.
func (s *State) mayApprove(p Person, check keyblock.CheckValue, now time.Time) error {
	switch {
	case p.Name == "" || !p.Approver || p.Custodian:
		return refuse("only approvers do", "%s may not approve a key", named(p))
	case s.late(now):
		return refuse("start again", "the time of this ceremony is up")
	case s.Phase != Formed:
		return refuse("key ceremony status shows it", "the ceremony is %s", s.Phase)
	case s.entered(p.Name) || s.AskedBy == p.Name:
		return refuse("a third person approves", "%s has taken part in this ceremony", p.Name)
	case !s.Check.Matches(check):
		return refuse("compare it with the papers; if they differ, cancel and start again",
			"that is not the check value of the key")
	}
	return nil
}

// mayCancel tells why a person may not end the ceremony: whoever may take part in one may.
func (s *State) mayCancel(p Person) error {
	switch {
	case p.Name == "" || !p.Asks && !p.Custodian && !p.Approver:
		return refuse("its custodians and approvers do", "%s may not cancel a ceremony", named(p))
	case s.Phase == Done || s.Phase == Ended:
		return refuse("key ceremony status shows it", "the ceremony is %s", s.Phase)
	}
	return nil
}

func (s State) done(approver, key string) State {
	s.Phase, s.Approver, s.Key = Done, approver, key
	return s
}

func (s State) ended(why string) State {
	s.Phase, s.Why = Ended, why
	return s
}

func (s *State) late(now time.Time) bool { return !now.Before(s.Deadline) }

func (s *State) entered(name string) bool {
	return slices.ContainsFunc(s.Entries, func(e Entry) bool { return e.Who == name })
}

func named(p Person) string {
	if p.Name == "" {
		return "nobody"
	}
	return p.Name
}

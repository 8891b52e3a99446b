package standin

import (
	"slices"
	"time"

	"cardswitch/switch/txn"
)

// Sum is how many requests, and of how much.
type Sum struct {
	Count  uint64 `json:"count"`
	Amount uint64 `json:"amount"` // DE 4, added up
}

func (s *Sum) add(amount uint64) {
	s.Count++
	s.Amount += amount
}

// Tally is what was decided on requests, and by whom how.
type Tally struct {
	Approved  Sum `json:"approved"`
	Declined  Sum `json:"declined"`
	Abstained Sum `json:"abstained"` // none of stand-in's business
	// What stand-in would have approved and the issuer declined is what stand-in risks.
	Risked Sum `json:"approved_but_issuer_declined"`
	// What stand-in would have declined and the issuer approved is what it costs the merchants.
	Lost Sum `json:"declined_but_issuer_approved"`
	// Agreed: both the same.
	Agreed Sum `json:"agreed"`
	// Unknown: the issuer didn't decide, or hasn't yet.
	Unknown Sum           `json:"issuer_did_not_decide"`
	Reasons []ReasonTally `json:"reasons"`
}

// ReasonTally is what was decided for one reason.
type ReasonTally struct {
	Reason uint16 `json:"reason"`
	Text   string `json:"reason_text"`
	Sum
}

func (t *Tally) reason(r txn.Reason, amount uint64) {
	i, found := slices.BinarySearchFunc(t.Reasons, uint16(r),
		func(a ReasonTally, b uint16) int { return int(a.Reason) - int(b) })
	if !found {
		t.Reasons = slices.Insert(t.Reasons, i, ReasonTally{Reason: uint16(r), Text: r.String()})
	}
	t.Reasons[i].add(amount)
}

func (t *Tally) decided(d Decision, amount uint64) {
	t.reason(d.Reason, amount)
	switch d.Outcome {
	case Approve:
		t.Approved.add(amount)
	case Decline:
		t.Declined.add(amount)
	default:
		t.Abstained.add(amount)
	}
}

func (t *Tally) compared(o Outcome, issuer Outcome, amount uint64) {
	switch {
	case o == Abstain:
	case issuer == Abstain:
		t.Unknown.add(amount)
	case o == issuer:
		t.Agreed.add(amount)
	case o == Approve:
		t.Risked.add(amount)
	default:
		t.Lost.add(amount)
	}
}

// RuleTally is the tally of one rule.
type RuleTally struct {
	Rule string `json:"rule"` // empty: no rule holds the card
	Tally
}

// Report is what a simulation found.
type Report struct {
	Total Tally       `json:"total"`
	Rules []RuleTally `json:"rules"` // in the order of the file; cards without a rule last
}

// Simulation decides by rules on requests of before, as if stand-in had decided on all of them,
// beginning with no card counted. It is for one goroutine.
type Simulation struct {
	rules    *Rules
	counters *Counters
	asked    map[uint64]pending
	report   Report
}

type pending struct {
	place   int
	outcome Outcome
	amount  uint64
}

// Simulate begins a simulation that counts at most so many cards at once.
func Simulate(r *Rules, cards int) *Simulation {
	s := &Simulation{rules: r, counters: NewCounters(cards), asked: make(map[uint64]pending)}
	for _, name := range append(r.Names(), "") {
		s.report.Rules = append(s.report.Rules, RuleTally{Rule: name})
	}
	return s
}

// Ask decides on a request, which has a number of its own.
func (s *Simulation) Ask(number uint64, card Card, f *Facts, at time.Time) Decision {
	hour := HourOf(at.UnixNano())
	horizon := uint32(24 * (s.rules.days + 1))
	s.counters.Forget(hour-min(hour, horizon), 64, func(Card, uint32) {})
	d := Decide(s.rules, s.counters.Of(card), f, at)
	if d.Outcome == Approve && !s.counters.Room(card) {
		d.Outcome, d.Reason = Abstain, txn.StandInFull
	}
	if d.Outcome == Approve {
		s.counters.Add(card, hour, d.Counts(f))
	}
	place := d.Rule
	if place < 0 {
		place = len(s.report.Rules) - 1
	}
	s.report.Total.decided(d, f.Amount)
	s.report.Rules[place].decided(d, f.Amount)
	s.asked[number] = pending{place, d.Outcome, f.Amount}
	return d
}

// Answered says how the issuer decided on a request; Abstain: it didn't.
func (s *Simulation) Answered(number uint64, issuer Outcome) {
	p, ok := s.asked[number]
	if !ok {
		return
	}
	delete(s.asked, number)
	s.report.Total.compared(p.outcome, issuer, p.amount)
	s.report.Rules[p.place].compared(p.outcome, issuer, p.amount)
}

// End gives the report. What is unanswered by now was not decided by the issuer.
func (s *Simulation) End() Report {
	for number := range s.asked {
		s.Answered(number, Abstain)
	}
	return s.report
}

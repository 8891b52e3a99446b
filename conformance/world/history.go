package world

import "time"

// Call is one question and its answer, as its center saw it: between the two it was answered. What
// an issuer does is done at one instant.
type Call struct {
	Key      string // the sale
	What     What
	Approved bool
	StoodIn  bool   // the switch decided
	Told     bool   // it was decided in the shop
	Answer   string // all that another answer to the same must have again
	Asked    time.Duration
	Answered time.Duration
}

// What is asked or done.
type What int

const (
	Asks      What = iota // a merchant asks for a sale, or tells of one
	Undoes                // a merchant takes it back
	Posts                 // the issuer books the request
	Withdraws             // the issuer takes it out of its book
)

// history records calls. Those that were never answered are left out: what they may have done shows
// in the answers of others.
type history struct {
	began time.Time
	calls []Call
}

// answered notes the answer to a message of a shop. Which of its repeats it answers nobody knows:
// of those that have no answer yet the first leaves most room.
func (h *history) answered(a *ask, m *message) {
	asked := a.begun
	if len(a.sent) > 0 {
		asked, a.sent = a.sent[0], a.sent[1:]
	}
	action, s := m.text(39), a.sale
	if stillOpen(a, action) || action == "913" && a.other != 0 || a != s.ask && a != s.undo {
		return
	}
	c := Call{Key: s.rrn, What: Asks, Approved: action < "100", StoodIn: m.Has(58),
		Told: a.mti == "1220", Answer: summary(m), Asked: asked.Sub(h.began),
		Answered: time.Since(h.began)}
	if a == s.undo {
		c.What, c.Approved = Undoes, action == "400"
	}
	h.calls = append(h.calls, c)
}

// did notes what an issuer has done about a request.
func (h *history) did(what What, p *posting) {
	if p.asked.kind%100 != 0 { // an advice
		return
	}
	now := time.Since(h.began)
	h.calls = append(h.calls, Call{Key: p.rrn, What: what, Approved: p.action < "100", Asked: now,
		Answered: now})
}

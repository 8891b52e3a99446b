package routing

import (
	"fmt"
	"strings"

	"cardswitch/routing/cardrange"
)

// Explanation says why a query goes where it goes. It shows no whole card number.
type Explanation struct {
	MTI        string      `json:"mti"`
	Card       string      `json:"card"` // masked
	To         []string    `json:"to"`   // empty: no rule takes it
	Candidates []Candidate `json:"candidates"`
}

// Candidate is a rule whose range holds the card number.
type Candidate struct {
	Where  string   `json:"where"` // file and line
	Range  string   `json:"range"`
	Scheme string   `json:"scheme,omitempty"`
	To     []string `json:"to"`
	Taken  bool     `json:"taken"`
	Why    string   `json:"why"`
}

// Explain tells of every rule whose range holds the card number of q, narrowest first, why it was
// taken or not.
func (t *Table) Explain(q *Query) Explanation {
	e := Explanation{MTI: q.MTI.String(), Card: cardText(q), To: []string{}, Candidates: []Candidate{}}
	for at := t.index.Narrowest(q.PAN); at != 0; at = t.index.Wider(at) {
		place := t.index.Place(at)
		r, o := &t.rules[place], t.origins[place]
		c := Candidate{Where: o.where(), Range: o.cards.String(), Scheme: o.scheme, To: t.names(r.to)}
		switch v := r.test(q); {
		case v != taken:
			c.Why = t.reason(v, r, q)
		case len(e.To) > 0:
			c.Why = "not reached: an earlier one was taken"
		default:
			c.Taken, c.Why, e.To = true, "the first whose conditions all hold", c.To
		}
		e.Candidates = append(e.Candidates, c)
	}
	return e
}

// String tells the same to people, one candidate a line.
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, card %s: ", e.MTI, e.Card)
	switch {
	case len(e.To) > 0:
		b.WriteString("goes to " + strings.Join(e.To, ", then "))
	case len(e.Candidates) == 0:
		b.WriteString("no route, no range holds the card number")
	default:
		b.WriteString("no route, no candidate takes it")
	}
	b.WriteByte('\n')
	for _, c := range e.Candidates {
		mark := "-"
		if c.Taken {
			mark = "*"
		}
		fmt.Fprintf(&b, "  %s %s  %s", mark, c.Where, c.Range)
		if c.Scheme != "" {
			b.WriteString(" " + c.Scheme)
		}
		fmt.Fprintf(&b, " to %s: %s\n", strings.Join(c.To, ", "), c.Why)
	}
	return b.String()
}

func cardText(q *Query) string {
	if q.PANLen == 0 {
		return "none"
	}
	text := fmt.Sprintf("%0*d", cardrange.Digits, q.PAN)
	return cardrange.Mask(text[:min(int(q.PANLen), len(text))])
}

func (t *Table) names(places []uint16) []string {
	names := make([]string, len(places))
	for i, place := range places {
		names[i] = t.destinations[place]
	}
	return names
}

package world

import (
	"fmt"
	"time"
)

// order watches that what concerns one card reaches its issuer in order: once a shop has been told
// that something is taken care of, nothing that is asked afterwards for that card may be there
// before it.
type order struct {
	cards map[string][]*promise
	names map[string]*promise
}

// promise is an advice or a reversal that the switch has taken over, or owes on its own.
type promise struct {
	kind   int
	rrn    string
	at     time.Time
	kept   bool
	passed string // what was there before it
}

func newOrder() *order {
	return &order{cards: map[string][]*promise{}, names: map[string]*promise{}}
}

// promised notes what a shop was told. It is not sure that the issuer needs to hear of it at all.
func (o *order) promised(card string, kind int, rrn string) {
	name := fmt.Sprint(kind, rrn)
	if o.names[name] != nil {
		return
	}
	p := &promise{kind: kind, rrn: rrn, at: time.Now()}
	o.names[name] = p
	o.cards[card] = append(o.cards[card], p)
}

// came notes that an issuer has taken a message, and tells whether it is the first time, and what
// was there before it though it was asked later.
func (o *order) came(kind int, rrn string) (first bool, passed string) {
	name := fmt.Sprint(kind, rrn)
	p := o.names[name]
	if p == nil { // it comes before the shop hears that it will
		o.names[name] = &promise{kept: true}
		return true, ""
	}
	if p.kept {
		return false, ""
	}
	p.kept = true
	return true, p.passed
}

// excuse lets what an issuer refuses come later: it is for people, and the card goes on.
func (o *order) excuse(kind int, rrn string) {
	o.names[fmt.Sprint(kind, rrn)] = &promise{kept: true}
	for _, list := range o.cards {
		for _, p := range list {
			p.kept = p.kept || p.kind == kind && p.rrn == rrn
		}
	}
}

// asked notes that something begun at a time is with the issuer.
func (o *order) asked(card, rrn string, begun time.Time) {
	for _, p := range o.cards[card] {
		if !p.kept && p.rrn != rrn && p.at.Before(begun) && p.passed == "" {
			p.passed = rrn
		}
	}
}

// Package model is a switch so small that one can see that it is right.
//
// It has one shop, one bank and no network, disk, clock or message: what is asked are values, and
// what it sends is a list. It knows the rules of requests, advices, reversals, late answers, lost
// links, deaths, stand-in, and of the order of a card. The real switch is held against it step by
// step in the tests of this package.
package model

import "slices"

// Kind is a type of message: 1200, 1210 and so on.
type Kind int

// Key names a question, whoever asks it how often: its type and its trace number.
type Key struct {
	Kind   Kind
	Number int
}

// Question is what a shop asks, or tells.
type Question struct {
	Key
	Card     int
	Amount   int
	Original Key // of a reversal
}

// Out is a message that the switch sends. To the bank, it is about the question that the shop asked
// first: a reversal is about its original.
type Out struct {
	ToBank bool
	Kind   Kind
	About  Key
	Action int // of an answer
}

// entry is what is known of a question.
type entry struct {
	Question
	at        int // when it came, in steps
	open      bool
	held      bool // open, and not sent yet
	cancelled bool // open, and reversed by the shop
	foretold  bool // not asked yet, but reversed already
	reversed  bool
	action    int
}

// owed is what the bank must still get.
type owed struct {
	kind  Kind
	about Key
	card  int
	at    int
	after *entry // not before this has its end
	sent  bool
}

// Model is the switch. The zero value has its link down.
type Model struct {
	Tolerant bool // reversals of what isn't known are accepted
	StandIn  bool // requests that can't be sent are approved, and the bank is told
	Up       bool // the bank is connected
	Deaf     bool // and answers no advices and reversals

	away    bool // stand-in decides
	now     int
	known   map[Key]*entry
	entries []*entry
	queue   []*owed
	out     []Out
}

// Ask is the shop's question, for the first time or again.
func (m *Model) Ask(q Question) []Out {
	if m.known == nil {
		m.known = map[Key]*entry{}
	}
	m.now++
	e := m.known[q.Key]
	switch {
	case e == nil:
		m.first(q, &entry{Question: q, at: m.now})
	case e.foretold:
		m.overtaken(e, q)
	case e.Amount != q.Amount || e.Card != q.Card:
		m.tell(q.Key, 913)
	case e.open: // it waits with the one before
	default:
		m.tell(q.Key, e.action)
	}
	return m.flush()
}

func (m *Model) first(q Question, e *entry) {
	switch {
	case q.Kind == 1420:
		m.reverse(q, e)
		return
	case q.Kind == 1220:
		m.owe(1220, q.Key, q.Card, nil)
		m.keep(e, 900)
	case m.away:
		m.standIn(e)
	case !m.Up:
		m.keep(e, 912)
	default:
		e.open = true
		e.held = m.owes(q.Card, m.now)
		if !e.held {
			m.send(1200, q.Key)
		}
	}
	m.note(e)
}

// standIn approves a request in the place of the bank, which is told of it by an advice.
func (m *Model) standIn(e *entry) {
	m.owe(1220, e.Key, e.Card, nil)
	m.end(e, 0)
}

// overtaken is a question whose reversal has come before it, whatever that was told.
func (m *Model) overtaken(e *entry, q Question) {
	*e = entry{Question: q, at: e.at, reversed: true}
	if q.Kind == 1220 {
		m.keep(e, 900)
		return
	}
	m.keep(e, 902)
}

// reverse is the shop's reversal. It cannot be declined; it can only have nothing to undo.
func (m *Model) reverse(q Question, e *entry) {
	o, action := m.known[q.Original], 400
	switch {
	case o == nil:
		m.note(&entry{Question: Question{Key: q.Original}, foretold: true, reversed: true})
		if !m.Tolerant {
			action = 914
		}
	case o.foretold && !m.Tolerant:
		action = 914
	case o.reversed || o.foretold:
	case o.held:
		m.end(o, 902)
	case o.open:
		o.cancelled, o.reversed = true, true
		m.owe(1420, o.Key, q.Card, o)
	case o.action < 100 || o.action == 900:
		o.reversed = true
		m.owe(1420, o.Key, q.Card, nil)
	}
	m.keep(e, action)
	m.note(e)
}

// Answer is the bank's answer to a request. One that is late changes nothing any more. What the
// bank has declined need not be reversed, though the shop asked for it.
func (m *Model) Answer(k Key, action int) []Out {
	m.now++
	if e := m.known[k]; e != nil && e.open && !e.held {
		if action >= 100 {
			waits := func(o *owed) bool { return o.after == e }
			m.queue = slices.DeleteFunc(m.queue, waits)
		}
		m.end(e, action)
	}
	return m.flush()
}

// Silence is time that passes until nothing can be open any more.
func (m *Model) Silence() []Out {
	m.now++
	for _, e := range m.entries {
		switch {
		case e.held && m.StandIn:
			m.standIn(e)
		case e.held:
			m.end(e, 912)
		}
	}
	m.lose()
	return m.flush()
}

// Cut is the end of the link.
func (m *Model) Cut() []Out {
	m.now++
	m.Up, m.away = false, m.StandIn
	m.lose()
	for _, o := range m.queue {
		o.sent = false
	}
	return m.flush()
}

// Connect is the link's return. The bank decides itself again, unless it leaves unanswered what it
// is owed.
func (m *Model) Connect() []Out {
	m.Up = true
	m.back()
	return m.flush()
}

// Hear lets the bank answer advices and reversals again.
func (m *Model) Hear() []Out {
	m.Deaf = false
	m.back()
	return m.flush()
}

func (m *Model) back() { m.away = m.away && (!m.Up || m.Deaf && len(m.queue) > 0) }

// Crash is the death of the switch and its return. Nobody who asked before is answered unless he
// asks again.
func (m *Model) Crash() []Out {
	m.now++
	for _, e := range m.entries {
		if e.held {
			e.open, e.held, e.action = false, false, 912
		}
	}
	m.lose()
	m.out = slices.DeleteFunc(m.out, func(o Out) bool { return !o.ToBank })
	for _, o := range m.queue {
		o.sent = false
	}
	m.Up = true
	m.back()
	return m.flush()
}

// lose ends all that was sent and has no answer: nobody knows what became of it, so it is reversed.
func (m *Model) lose() {
	for _, e := range m.entries {
		if !e.open || e.held {
			continue
		}
		if !e.cancelled {
			e.reversed = true
			m.owe(1420, e.Key, e.Card, nil)
		}
		m.end(e, 911)
	}
}

// end ends an open question.
func (m *Model) end(e *entry, action int) {
	e.open, e.held, e.action = false, false, action
	m.tell(e.Key, action)
	for _, o := range m.queue {
		if o.after == e {
			o.after = nil
		}
	}
}

func (m *Model) keep(e *entry, action int) {
	e.action = action
	m.tell(e.Key, action)
}

func (m *Model) note(e *entry) {
	m.known[e.Key] = e
	m.entries = append(m.entries, e)
}

func (m *Model) owe(kind Kind, about Key, card int, after *entry) {
	m.now++
	m.queue = append(m.queue, &owed{kind: kind, about: about, card: card, at: m.now, after: after})
}

// owes tells whether something for a card is owed that is older.
func (m *Model) owes(card, at int) bool {
	return slices.ContainsFunc(m.queue, func(o *owed) bool { return o.card == card && o.at < at })
}

func (m *Model) tell(k Key, action int) {
	m.out = append(m.out, Out{Kind: k.Kind + 10, About: k, Action: action})
}

func (m *Model) send(kind Kind, about Key) {
	m.out = append(m.out, Out{ToBank: true, Kind: kind, About: about})
}

// flush delivers what is owed, card by card in order, lets go what waited behind it, and gives all
// that was sent.
func (m *Model) flush() []Out {
	for m.Up && m.deliver() {
	}
	out := m.out
	m.out = nil
	return out
}

// deliver sends one thing that is due, and says whether there was one.
func (m *Model) deliver() bool {
	for i, o := range m.queue {
		if m.owes(o.card, o.at) || o.after != nil {
			continue // not the first of its card, or not yet
		}
		if !o.sent {
			o.sent = true
			m.send(o.kind, o.about)
		}
		if !m.Deaf {
			m.queue = slices.Delete(m.queue, i, i+1)
			return true
		}
	}
	for _, e := range m.entries {
		if e.held && !m.owes(e.Card, e.at) {
			e.held = false
			m.send(1200, e.Key)
			return true
		}
	}
	return false
}

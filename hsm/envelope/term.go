package envelope

import "sync/atomic"

// Terms are what one peer has proven of its terms, over all its links and connections. A term is
// the number of the election by which the nodes of a cluster made one of them the active one: a
// later one is a higher number. (An epoch is another thing here, and so is a generation.) The zero
// Terms has heard of none.
//
// Once a term is proven, a node of an earlier one is not the active one any more, whatever that
// node itself believes: Handshake refuses it, and Opener what still comes over its connections.
type Terms struct{ highest atomic.Uint64 }

// Admit takes in a term that its sender has proven to mean; 0 is a sender that has none. It gives
// the highest term there was until then, this one included, and false if this one is earlier.
func (t *Terms) Admit(term uint64) (highest uint64, ok bool) {
	for {
		highest = t.highest.Load()
		switch {
		case term == 0:
			return highest, true
		case term <= highest:
			return highest, term == highest
		case t.highest.CompareAndSwap(highest, term):
			return term, true
		}
	}
}

// Highest is the highest term there was, 0 if there was none.
func (t *Terms) Highest() uint64 { return t.highest.Load() }

// Forget takes any term as the first again. It is for people who know that the peer's terms began
// anew.
func (t *Terms) Forget() { t.highest.Store(0) }

// standing is a connection's place among the terms of its peer.
type standing struct {
	terms *Terms        // nil: nobody asks
	said  atomic.Uint64 // of the peer
	since atomic.Uint64 // the highest term there was when the peer had proven itself
	waits atomic.Bool   // for the term of a standby: none ends it before it has said its own
}

// admit finds the place of a peer that has proven to be of a term; false if that is an earlier one.
func (s *standing) admit(terms *Terms, term uint64) bool {
	if terms == nil {
		return true
	}
	s.terms = terms
	highest, ok := terms.Admit(term)
	s.since.Store(highest)
	s.waits.Store(false)
	return ok
}

// wait gives the place of a peer that says its term later.
func (s *standing) wait(terms *Terms) {
	s.terms = terms
	s.waits.Store(true)
}

// over tells whether a higher term was proven since.
func (s *standing) over() bool {
	return s.terms != nil && s.terms.highest.Load() > s.since.Load() && !s.waits.Load()
}

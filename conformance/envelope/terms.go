package envelope

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
)

// Terms are those that one peer has said, in all sessions that there are with it (section 14).
type Terms struct {
	mu     sync.Mutex
	counts TermCounts
	newest uint64 // of the messages taken
	open   map[*Session]func()
}

// TermCounts is what came of the terms.
type TermCounts struct {
	Highest  uint64 `json:"highest"`
	Messages int    `json:"messages"` // taken of sessions that said a term
	Refused  int    `json:"refused"`  // sessions that said a lower term than the highest
	Ended    int    `json:"ended"`    // sessions that a higher term of another one ended
	Late     int    `json:"late"`     // messages that came in such a session; none was taken
	// Older are messages taken of a lower term than one that was taken before: none may be.
	Older int `json:"older"`
}

// Add adds those of another center.
func (c *TermCounts) Add(o TermCounts) {
	c.Highest = max(c.Highest, o.Highest)
	c.Messages += o.Messages
	c.Refused += o.Refused
	c.Ended += o.Ended
	c.Late += o.Late
	c.Older += o.Older
}

// Counts are those so far.
func (t *Terms) Counts() TermCounts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

// Forget takes any term as the first again.
func (t *Terms) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Highest, t.newest = 0, 0
}

// noTerm is since when a session stands whose other end says its term later: none ends it before.
const noTerm = math.MaxUint64

// admit takes in the term of a session whose other end has proven itself, and ends those of lower
// terms.
func (t *Terms) admit(s *Session) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.term != 0 && s.term < t.counts.Highest {
		t.counts.Refused++
		return fmt.Errorf("term %d, after term %d", s.term, t.counts.Highest)
	}
	if s.term > t.counts.Highest {
		t.counts.Highest = s.term
		for old, end := range t.open {
			if old == s || old.since == noTerm {
				continue
			}
			t.counts.Ended++
			delete(t.open, old)
			go end() // it may wait for one that waits for us
		}
	}
	s.since = t.counts.Highest
	if s.waits && !s.options.Initiator {
		s.since = noTerm
	}
	if s.options.Over != nil {
		if t.open == nil {
			t.open = make(map[*Session]func())
		}
		t.open[s] = s.options.Over
	}
	return nil
}

// raise takes the term that a standby says when it has become the active node.
func (t *Terms) raise(s *Session, content []byte) error {
	if len(content) != 8 || !s.waits || s.options.Initiator {
		return errors.New("a term out of turn")
	}
	if s.term = binary.BigEndian.Uint64(content); s.term == 0 {
		return errors.New("a term of 0")
	}
	s.waits = false
	return t.admit(s)
}

// over tells whether a higher term was proven since a session began to stand.
func (t *Terms) over(s *Session) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts.Highest > s.since
}

// take has a frame of a session count, unless that one is over.
func (t *Terms) take(s *Session, message bool) error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts.Highest > s.since {
		if message {
			t.counts.Late++
		}
		return fmt.Errorf("a frame of term %d, after term %d", s.term, t.counts.Highest)
	}
	if message && s.term != 0 {
		t.counts.Messages++
		if s.term < t.newest {
			t.counts.Older++
		}
		t.newest = max(t.newest, s.term)
	}
	return nil
}

// Left says that a session's connection has ended.
func (s *Session) Left() {
	t := s.options.Terms
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, s)
}

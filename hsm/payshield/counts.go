package payshield

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Count is how often a command of a unit had an outcome, and how long that took altogether.
//
// Code is an answer's error code, or what happened instead: "timeout", "broken", "unsent" and
// "full" for questions, "late" for answers that nobody waited for, and "connection" with no command
// for connections that ended or didn't stand. The codes for what may be wrong with a PIN block are
// all "PIN": told apart they would help who guesses.
type Count struct {
	Unit    string
	Command string
	Code    string
	Number  uint64
	Time    time.Duration
}

type countKey struct {
	command command
	code    string
}

type counts struct {
	mu sync.Mutex
	of map[countKey]Count
}

// mostCounts bounds them against a unit that makes up codes.
const mostCounts = 1000

func newCounts() *counts { return &counts{of: make(map[countKey]Count)} }

func (c *counts) add(of command, code string, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := countKey{of, code}
	if _, known := c.of[key]; !known && len(c.of) >= mostCounts {
		key.code = "other"
	}
	n := c.of[key]
	n.Number++
	n.Time += took
	c.of[key] = n
}

// outcome counts what became of a question.
func (c *counts) outcome(of command, o outcome, took time.Duration) {
	code := o.result
	switch {
	case o.err == nil && of.ofPIN() && hidden(code):
		code = "PIN"
	case o.err == nil:
	case o.err == errFull:
		code = "full"
	case o.err == errUnsent, o.err == errCrowded:
		code = "unsent"
	case o.err == errLate:
		code = "timeout"
	default:
		code = "broken"
	}
	c.add(of, code, took)
}

// list gives them in order.
func (c *counts) list(unit string) []Count {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Count, 0, len(c.of))
	for key, n := range c.of {
		n.Unit, n.Command, n.Code = unit, string(key.command), key.code
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Command, b.Command), cmp.Compare(a.Code, b.Code))
	})
	return list
}

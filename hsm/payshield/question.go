package payshield

import (
	"errors"
	"sync/atomic"
)

// What becomes of a question without an answer.
var (
	errUnsent   = errors.New("the unit went down before it was sent")
	errFull     = errors.New("the queue is full")
	errCrowded  = errors.New("the unit had no place for it in time")
	errLate     = errors.New("no answer in time")
	errBroken   = errors.New("the connection ended before the answer")
	errDisorder = errors.New("an answer to nothing that was asked")
)

// unsent tells that a question certainly never left.
func unsent(err error) bool { return err == errUnsent || err == errFull || err == errCrowded }

// question is one command on its way.
type question struct {
	command command
	fields  []byte
	state   atomic.Uint32
	reply   chan outcome // of one, so that who answers never waits
}

// The states of a question. The one who asks and the connection that takes it each move it once,
// and whoever comes second sees it.
const (
	waiting   uint32 = iota
	taken            // by a connection: it may have left
	withdrawn        // before that: it never leaves
	answered
	forsaken // taken, and nobody waits for the answer any more
)

// outcome is an answer, or why there is none.
type outcome struct {
	result string
	rest   []byte
	err    error
}

// newQuestion keeps a copy of the fields, which have card numbers: who moves the question on for
// the last time clears it, while the one who asked may need its own for another unit.
func newQuestion(c command, fields []byte) *question {
	return &question{command: c, fields: append([]byte(nil), fields...),
		reply: make(chan outcome, 1)}
}

// take is for a connection: false if the question was withdrawn.
func (q *question) take() bool { return q.state.CompareAndSwap(waiting, taken) }

// withdraw is for the one who asked: true if the question certainly never leaves.
func (q *question) withdraw() bool {
	if !q.state.CompareAndSwap(waiting, withdrawn) {
		return false
	}
	clear(q.fields)
	return true
}

// forsake is for the one who asked: false if the answer is there after all.
func (q *question) forsake() bool { return q.state.CompareAndSwap(taken, forsaken) }

// answer is for a connection: false if nobody waits.
func (q *question) answer(o outcome) bool {
	if !q.state.CompareAndSwap(taken, answered) {
		clear(o.rest)
		return false
	}
	q.reply <- o
	return true
}

package world

import (
	"fmt"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// fate is what has become of one sale, if everything had happened one after the other.
type fate struct {
	answer    string // to the merchant; empty: none yet
	approved  bool
	posted    bool // the issuer has approved it
	booked    bool // or has decided otherwise
	withdrawn bool
}

// step does one thing after the others, and says whether it may come out like that: an issuer books
// a request once; a merchant hears of an approval only what the issuer has booked and not taken
// back; the same question has the same answer; and of what was approved nobody says that he doesn't
// know it.
func (f fate) step(c *Call) (bool, fate) {
	switch c.What {
	case Posts:
		ok := !f.booked
		f.booked, f.posted = true, c.Approved
		return ok, f
	case Withdraws:
		f.withdrawn = true
		return f.booked, f
	case Undoes:
		return c.Approved || !f.approved, f
	}
	if f.answer != "" {
		return f.answer == c.Answer, f
	}
	ok := !c.Approved || c.StoodIn || c.Told || f.posted && !f.withdrawn
	f.answer, f.approved = c.Answer, c.Approved
	return ok, f
}

// sales is the sequential model against which porcupine holds a history, sale by sale.
func sales() porcupine.Model {
	return porcupine.Model{
		Partition: func(all []porcupine.Operation) (parts [][]porcupine.Operation) {
			places := map[string]int{}
			for _, op := range all {
				key := op.Input.(*Call).Key
				at, ok := places[key]
				if !ok {
					at = len(parts)
					places[key], parts = at, append(parts, nil)
				}
				parts[at] = append(parts[at], op)
			}
			return parts
		},
		Init: func() any { return fate{} },
		Step: func(state, input, _ any) (bool, any) { return state.(fate).step(input.(*Call)) },
	}
}

// linearizable tells whether all that centers saw could have happened one after the other. The sale
// that couldn't is named.
func linearizable(calls []Call) error {
	all := map[string][]porcupine.Operation{}
	for i := range calls {
		c := &calls[i]
		all[c.Key] = append(all[c.Key], porcupine.Operation{Input: c, Call: int64(c.Asked),
			Return: int64(c.Answered)})
	}
	model := sales()
	for key, ops := range all {
		if porcupine.CheckOperations(model, ops) {
			continue
		}
		text := ""
		for _, op := range ops {
			text += fmt.Sprintf("\n  %+v", *op.Input.(*Call))
		}
		return fmt.Errorf("what centers saw of %s can't have happened one after the other:%s", key, text)
	}
	return nil
}

// The model refuses what breaks a promise, and allows what only looks like it.
func TestModel(t *testing.T) {
	call := func(what What, approved bool, answer string, from, to int) Call {
		return Call{Key: "1", What: what, Approved: approved, Answer: answer,
			Asked: time.Duration(from), Answered: time.Duration(to)}
	}
	for name, c := range map[string]struct {
		calls []Call
		may   bool
	}{
		"a sale": {[]Call{call(Asks, true, "a", 1, 9), call(Posts, true, "", 5, 5)}, true},
		"an approval before the issuer's": {[]Call{call(Asks, true, "a", 1, 4),
			call(Posts, true, "", 5, 5)}, false},
		"booked twice": {[]Call{call(Posts, true, "", 5, 5), call(Posts, true, "", 6, 6)}, false},
		"a repeat with another answer": {[]Call{call(Asks, false, "a", 1, 2),
			call(Asks, false, "b", 3, 4)}, false},
		"an approval of what was taken back": {[]Call{call(Posts, true, "", 1, 1),
			call(Withdraws, true, "", 2, 2), call(Asks, true, "a", 3, 4)}, false},
		"an approval that was long under way": {[]Call{call(Posts, true, "", 1, 1),
			call(Withdraws, true, "", 2, 2), call(Asks, true, "a", 0, 4)}, true},
		"who approved knows nothing of it": {[]Call{call(Posts, true, "", 1, 1),
			call(Asks, true, "a", 0, 2), call(Undoes, false, "914", 3, 4)}, false},
		"a reversal that overtook": {[]Call{call(Posts, true, "", 1, 1), call(Asks, true, "a", 0, 9),
			call(Undoes, false, "914", 3, 4)}, true},
	} {
		if err := linearizable(c.calls); (err == nil) != c.may {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package payshield

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cardswitch/hsm"
)

const mostAttempts = 2

var errNobody = errors.New("no unit is up (hint: see the log for why)")

// ask puts a command to a unit, and to the other if the first doesn't answer and nothing speaks
// against asking twice. It clears the fields. The answer's fields are the caller's.
func (m *Module) ask(ctx context.Context, c command, fields []byte) ([]byte, error) {
	defer clear(fields)
	if err := hsm.Ended(ctx); err != nil {
		return nil, err
	}
	if err := m.open(); err != nil {
		return nil, err
	}
	var failed *unit
	again := false // the same unit may be asked once more
	err := unavailable(c, errNobody)
	for attempt := range mostAttempts {
		u := m.choose(failed, again)
		if u == nil {
			break
		}
		began := time.Now()
		o := u.ask(ctx, c, fields, m.patience(ctx, c, attempt))
		took := time.Since(began)
		u.counts.outcome(c, o, took)
		u.learn(o, took)
		switch {
		case o.err != nil:
			err = unavailable(c, o.err)
		case o.result == done:
			return o.rest, nil
		default:
			err = refusal(c, o.result)
			if !sick(o.result) {
				return nil, err
			}
		}
		if ctx.Err() != nil {
			return nil, unavailable(c, context.Cause(ctx))
		}
		if !unsent(o.err) && !c.repeatable() {
			return nil, err
		}
		failed, again = u, o.err == errUnsent || o.err == errBroken
	}
	return nil, err
}

// patience is how long a unit has for an answer. If another can be asked after it, both must fit
// into what the context leaves.
func (m *Module) patience(ctx context.Context, c command, attempt int) time.Duration {
	patience := c.patience(m.config.Limits)
	deadline, ok := ctx.Deadline()
	if ok && attempt == 0 && c.repeatable() && len(m.units) > 1 {
		patience = min(patience, time.Until(deadline)/2)
	}
	return patience
}

// choose gives the unit to ask: of those that are up the first that isn't resting, else the first.
// The one that failed is only asked again if it may be and no other is up.
func (m *Module) choose(failed *unit, again bool) *unit {
	now := time.Now()
	var resting, same *unit
	for _, u := range m.units {
		up, rested, _ := u.up(now)
		switch {
		case !up:
		case u == failed:
			same = u
		case rested:
			return u
		case resting == nil:
			resting = u
		}
	}
	if resting == nil && again {
		return same
	}
	return resting
}

// unavailable makes the error of a question without an answer.
func unavailable(c command, err error) error {
	return fmt.Errorf("payshield: %s: %w: %w", c, hsm.ErrUnavailable, err)
}

package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// upgraded is how long answers are looked at after a node was replaced.
const upgraded = time.Second

// upgrades replaces the older program's nodes one by one by those of the present one and these by
// the older one's again, as often as wanted. In the end all are the present one's.
func (r *run) upgrades(ctx context.Context, times int) error {
	for range times {
		if err := errors.Join(r.roll(ctx, r.Program), r.roll(ctx, r.Old)); err != nil {
			return err
		}
	}
	return r.roll(ctx, r.Program)
}

// roll replaces each node by one of that program, the active one last: it hands over first.
func (r *run) roll(ctx context.Context, program string) error {
	serves, err := r.whole(ctx)
	if err != nil {
		return err
	}
	order := slices.DeleteFunc(slices.Clone(r.nodes), func(n *node) bool { return n == serves })
	for _, n := range append(order, serves) {
		if n.program == program {
			continue
		}
		if err := r.replace(ctx, n, program); err != nil {
			return err
		}
	}
	return nil
}

// replace does with a node what an operator does: it hands over if it is the active one, ends, and
// starts again as another program's. It counts what merchants saw until the cluster is whole.
func (r *run) replace(ctx context.Context, n *node, program string) error {
	if _, err := r.whole(ctx); err != nil {
		return err
	}
	if err := r.town.flows(ctx, startTime); err != nil {
		return err
	}
	at := time.Now()
	if s, err := n.status(ctx); err != nil {
		return err
	} else if s.State == active {
		if err := n.transfer(ctx); err != nil {
			return fmt.Errorf("lab: upgrade: node %d hands over: %w", n.number, err)
		}
	}
	err := n.child.Stop(startTime)
	n.child, n.program = nil, program
	if err = errors.Join(err, n.start(ctx)); err != nil {
		return fmt.Errorf("lab: upgrade: node %d: %w", n.number, err)
	}
	if _, err := r.whole(ctx); err != nil {
		words, _ := n.died()
		return fmt.Errorf("lab: upgrade: node %d as %s: %w %s", n.number, r.nameOf(program), err, words)
	}
	pause(ctx, upgraded)
	m := measureUntil(Upgrade, at, time.Now(), r.town.since(at.Add(-time.Second)))
	r.report.add(m)
	_, err = fmt.Fprintf(r.Progress, "node %d is %s: at most %s without an answer, %d declined\n",
		n.number, r.nameOf(program), m.Gap.Round(time.Millisecond), m.Declined)
	return err
}

func (r *run) nameOf(program string) string {
	if program == r.Old {
		return "the older program's"
	}
	return "the present program's"
}

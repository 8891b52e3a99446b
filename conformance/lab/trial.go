package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// Kind is what is done to the active node.
type Kind string

const (
	Kill     Kind = "kill"       // the process ends at once
	Twice    Kind = "kill twice" // and the one that takes over, too, as soon as it serves
	Stop     Kind = "stop"       // it stands still, and goes on later
	Cut      Kind = "cut"        // nothing passes between it and the other nodes
	Deafened Kind = "deafened"   // nothing of the others comes to it
	Muted    Kind = "muted"      // nothing of it comes to the others
	Transfer Kind = "transfer"   // an operator has another node lead
	Rekey    Kind = "rekey"      // the same, while the merchants get new keys
	Drain    Kind = "drain"      // it is asked to end, as for an upgrade
	Full     Kind = "full"       // its disk has no free space
	Stalled  Kind = "stalled"    // its disk answers no write
	Practise Kind = "practise"   // the drills that operators order, one after the other
	Upgrade  Kind = "upgrade"    // each node is replaced by one of another program, and back
	Restart  Kind = "restart"    // of a node that is alone
	Site     Kind = "site"       // all nodes of the site end at once; the other one is promoted

	// These come with it: the lost machines join, and one of them serves again.
	Joining Kind = "joining"
	Home    Kind = "fail-back"
)

// Kinds are all there are.
func Kinds() []Kind {
	return []Kind{Kill, Twice, Stop, Cut, Deafened, Muted, Transfer, Rekey, Drain, Full,
		Stalled, Practise, Upgrade, Restart, Site}
}

// Trial is a fault done some times.
type Trial struct {
	Kind  Kind
	Times int
}

// Plan is the usual one, or only some kinds of it. Of an upgrade there must be told from what; a
// restart is a run of its own.
func Plan(kills int, only []string) (plan []Trial, err error) {
	all := []Trial{{Kill, kills}, {Stop, 3}, {Cut, 3}, {Deafened, 2}, {Muted, 2}, {Twice, 2},
		{Transfer, 3}, {Rekey, 3}, {Drain, 3}, {Full, 2}, {Stalled, 3}, {Practise, 1},
		{Upgrade, 1}, {Restart, 5}, {Site, 1}}
	if len(only) == 0 {
		return all[:len(all)-3], nil
	}
	for _, name := range only {
		at := slices.IndexFunc(all, func(t Trial) bool { return string(t.Kind) == name })
		if at < 0 {
			return nil, fmt.Errorf("lab: no fault %q; there are %v", name, Kinds())
		}
		plan = append(plan, all[at])
	}
	return plan, nil
}

// active is the state of the node that serves.
const active = "active"

// lasts is how long a fault stays before it is healed: longer than a takeover may take.
const lasts = 2 * time.Second

// try does one kind of fault as often as the plan says, each on a cluster that is whole.
func (r *run) try(ctx context.Context, t Trial) error {
	switch t.Kind {
	case Practise:
		return r.practise(ctx)
	case Site:
		return r.loseSite(ctx)
	case Upgrade:
		return r.upgrades(ctx, t.Times)
	case Restart:
		return r.restarts(ctx, t.Times)
	}
	for n := range t.Times {
		serves, err := r.spread(ctx)
		if err != nil {
			return err
		}
		if err := r.town.flows(ctx, startTime); err != nil {
			return err
		}
		at := time.Now()
		healed, err := r.hurt(ctx, t.Kind, serves)
		if err != nil {
			r.report.cannot(t.Kind, err)
			return nil
		}
		pause(ctx, time.Until(at.Add(watched)))
		m := measure(t.Kind, at, r.answersOf(0, at))
		if r.Shards {
			m.Others = measure(t.Kind, at, r.answersOf(1, at)).Gap
		}
		if err := healed(); err != nil {
			return fmt.Errorf("lab: %s: %w", t.Kind, err)
		}
		r.report.add(m)
		fmt.Fprintf(r.Progress, "%s %d of %d: back after %s%s\n", t.Kind, n+1, t.Times,
			m.Gap.Round(time.Millisecond), m.beside())
	}
	return nil
}

// hurt does a fault to a node and returns what ends it.
func (r *run) hurt(ctx context.Context, k Kind, to *node) (heal func() error, err error) {
	nothing := func() error { return nil }
	switch k {
	case Kill:
		to.kill()
		return func() error { return to.start(ctx) }, nil
	case Twice:
		return r.killTwice(ctx, to)
	case Stop:
		to.child.Signal(syscall.SIGSTOP)
		return func() error { return to.child.Signal(syscall.SIGCONT) }, nil
	case Cut:
		return r.cut(to, true, true)
	case Deafened:
		return r.cut(to, false, true)
	case Muted:
		return r.cut(to, true, false)
	case Full:
		return r.fill(ctx, to)
	case Stalled:
		return r.stall(to)
	case Transfer:
		return nothing, to.transfer(ctx)
	case Rekey:
		return r.rekey(ctx, to)
	case Drain:
		err := to.child.Stop(startTime)
		to.child = nil
		return func() error { return to.start(ctx) }, err
	}
	return nil, fmt.Errorf("there is no fault %q", k)
}

// killTwice kills the second one once it answers, and starts both again then: of three nodes one
// alone serves nobody.
func (r *run) killTwice(ctx context.Context, first *node) (heal func() error, err error) {
	first.kill()
	for end := time.Now().Add(lasts); time.Now().Before(end); {
		for _, n := range r.nodes {
			if s, err := n.status(ctx); n != first && err == nil && s.State == active {
				n.kill()
				return func() error { return nil }, errors.Join(first.start(ctx), n.start(ctx))
			}
		}
		if !pause(ctx, 10*time.Millisecond) {
			break
		}
	}
	return func() error { return first.start(ctx) }, nil
}

// cut lets nothing pass from a node to the others, or from them to it, or both.
func (r *run) cut(to *node, out, in bool) (heal func() error, err error) {
	if r.place.name == "" {
		return nil, r.place.why
	}
	each := func(do func(from, to int) error) (err error) {
		for _, other := range r.nodes {
			if other == to {
				continue
			}
			if out {
				err = errors.Join(err, do(to.number, other.number))
			}
			if in {
				err = errors.Join(err, do(other.number, to.number))
			}
		}
		return err
	}
	return func() error { return each(r.place.heal) }, each(r.place.cut)
}

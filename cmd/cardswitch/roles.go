package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"cardswitch/dr/role"
	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
)

// run serves until ctx ends and the switch has drained. The operators can watch it drain.
func (n *node) run(ctx context.Context) error {
	doors, closeDoors := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- n.front.Serve(doors, n.operators, n.public) }()
	var fetched sync.WaitGroup
	if n.wire != nil {
		fetched.Go(func() { n.fetches(doors) })
		fetched.Go(func() { n.listens(doors) })
	}
	fetched.Go(func() { n.tendDrills(doors) })
	if !n.claims { // else whoever is the active one has the links
		n.warm.Hold()
	}
	err := n.turned(ctx, n.roles.Serve(ctx))
	closeDoors()
	fetched.Wait()
	err = errors.Join(err, <-served)
	stopped := audit.Done
	if err != nil && !startsAnew(err) {
		stopped = audit.Failed
	}
	err = errors.Join(err, n.tell(context.WithoutCancel(ctx), audit.SystemStopped, stopped, "", ""))
	return errors.Join(err, n.close())
}

// newRoles gives the node to the loop that has it lead and follow.
func (n *node) newRoles() *role.Loop {
	return role.New(role.Loop{Replica: n.replica, Store: n.store, Owner: n, Logger: n.log,
		Alone: n.wire == nil, Deposed: cardswitch.Deposed})
}

// Leads is role's.
func (n *node) Leads(ctx context.Context, d role.Duty, term uint64, began time.Time) error {
	a := d.(*active)
	n.took(a, term, began)
	n.active.Store(a)
	n.front.Show(a.admin)
	return n.tell(ctx, audit.NodePromoted, audit.Done, n.config.Load().Node, "elected")
}

// Follows is role's.
func (n *node) Follows(ctx context.Context, term uint64, deposed bool) error {
	n.active.Store(nil)
	n.front.Show(n.standbyServer())
	if ctx.Err() == nil { // else the node is about to end
		n.followEarlyKeys(ctx)
		n.warm.Hold()
	}
	if !deposed {
		return nil
	}
	n.log.Warn("this node was deposed; it follows", "term", term)
	return n.tell(ctx, audit.NodeFenced, audit.Done, n.config.Load().Node, "deposed")
}

package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"cardswitch/dr/replica"
	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
)

// A node follows until it is elected, then it leads until it is deposed or hands over, and follows
// again. Each time that it leads it makes a switch; when it is deposed, that one is fenced off and
// thrown away, while the journal goes on.

// leaving is the wish that another node takes over.
type leaving struct {
	to   uint64 // 0: the best
	done chan error
}

// handOver bounds how long another node may take to lead, once this one is silent.
const handOver = 10 * time.Second

// run serves until ctx ends and the switch has drained. The operators can watch it drain.
func (n *node) run(ctx context.Context) error {
	doors, closeDoors := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- n.front.Serve(doors, n.operators, n.public) }()
	var fetched sync.WaitGroup
	if n.wire != nil {
		fetched.Go(func() { n.fetches(doors) })
	}
	err := n.serve(ctx)
	closeDoors()
	fetched.Wait()
	err = errors.Join(err, <-served)
	stopped := audit.Done
	if err != nil {
		stopped = audit.Failed
	}
	err = errors.Join(err, n.tell(context.WithoutCancel(ctx), audit.SystemStopped, stopped, "", ""))
	return errors.Join(err, n.close())
}

// serve follows and leads until ctx ends, or something fails.
func (n *node) serve(ctx context.Context) error {
	if a := n.active.Load(); a != nil {
		a.run(ctx, n)
	}
	for {
		var ended chan error
		if a := n.active.Load(); a != nil {
			ended = a.ended
		}
		var err error
		select {
		case role := <-n.replica.Roles():
			err = n.follow(ctx, role)
			if a := n.active.Load(); a != nil && a.ended == nil {
				a.run(ctx, n)
			}
		case err = <-ended:
			err = n.ended(ctx, err)
		case l := <-n.leave:
			l.done <- n.stepDown(ctx, l.to)
		case <-ctx.Done():
			return n.stop(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// follow does what the cluster has decided about this node.
func (n *node) follow(ctx context.Context, role replica.Role) error {
	a := n.active.Load()
	if a != nil && (!role.Leading || role.Term != a.term) {
		if err := n.depose(ctx, a); err != nil {
			return err
		}
		a = nil
	}
	switch {
	case role.Stopped:
		return role.Err
	case !role.Leading || a != nil:
		return nil
	}
	next, err := n.lead(ctx, role.Term)
	if err != nil && n.store.Epoch() != role.Term && n.wire != nil {
		n.log.Warn("deposed before this node was active", "term", role.Term, "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	n.active.Store(next)
	n.front.Show(next.admin)
	return n.tell(ctx, audit.NodePromoted, audit.Done, n.config.Load().Node, "elected")
}

// depose fences the switch off and throws it away.
func (n *node) depose(ctx context.Context, a *active) error {
	n.front.Show(n.standbyServer())
	var err error
	if a.ended != nil {
		a.Switch.Fence()
		err = <-a.ended
	}
	return n.ended(ctx, err)
}

// ended takes leave of a switch that has ended. If it was deposed the node goes on following; what
// else ended it ends the node.
func (n *node) ended(ctx context.Context, why error) error {
	a := n.active.Swap(nil)
	n.front.Show(n.standbyServer())
	err := a.end()
	switch {
	case errors.Is(why, cardswitch.ErrNotEnded):
		return errors.Join(why, err)
	case errors.Is(why, cardswitch.ErrNotActive):
		n.log.Warn("this node was deposed; it follows", "term", a.term)
		return errors.Join(err, n.tell(ctx, audit.NodeFenced, audit.Done, n.config.Load().Node,
			"deposed"))
	}
	return errors.Join(why, err)
}

// stepDown drains the switch and has another node lead. Without one that could, nothing is done.
func (n *node) stepDown(ctx context.Context, to uint64) error {
	a := n.active.Load()
	if a == nil {
		return errors.New("this node is not the active one; see `cardswitch cluster status`")
	}
	if err := n.successor(to); err != nil {
		return err
	}
	a.Switch.HandOver()
	a.drain()
	if err := n.ended(ctx, <-a.ended); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handOver)
	defer cancel()
	return n.replica.Transfer(ctx, to)
}

// stop ends the node's work: another one takes over if there is one.
func (n *node) stop(ctx context.Context) error {
	a := n.active.Load()
	switch {
	case a == nil:
		return nil
	case n.successor(0) == nil:
		if err := n.stepDown(ctx, 0); err != nil {
			n.log.Warn("no other node took over in time", "error", err)
		}
		return nil
	}
	a.drain()
	return n.ended(ctx, <-a.ended)
}

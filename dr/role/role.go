// Package role has a node lead when its cluster elects it, and follow otherwise.
//
// A node follows until it is elected, then it leads until it is deposed or hands over, and follows
// again. Each time that it leads its owner makes a duty, which is the switch; when the node is
// deposed, that one is fenced off and thrown away, while the journal goes on. Every decision about
// it is made here, in the one goroutine that runs Serve.
package role

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"cardswitch/dr/replica"
	"cardswitch/store"
)

// Duty is what a node does while it leads.
type Duty interface {
	// Run works until ctx ends and all that is in flight is finished, or until it is fenced off.
	Run(ctx context.Context) error
	Fence()    // nothing leaves any more, and Run ends
	HandOver() // another node takes over: what Run still does is done in silence
	Close() error
}

// Owner is the node whose role it is.
type Owner interface {
	// Lead makes the duty of a term, in which the store is led. Nothing of it may leave unless
	// mayLeave says so at that moment.
	Lead(ctx context.Context, term uint64, mayLeave func() bool) (Duty, error)
	// Leads is told of a duty that is about to run, and since when the node has been at it.
	Leads(ctx context.Context, d Duty, term uint64, began time.Time) error
	// Follows is told that there is no duty any more: another node leads, or it has ended.
	Follows(ctx context.Context, term uint64, deposed bool) error
}

// Loop follows and leads. Its fields are set before it is used.
type Loop struct {
	Replica *replica.Replica
	Store   *store.Store
	Owner   Owner
	Logger  *slog.Logger
	// Alone is a node of a cluster of one: nobody else will lead, so what keeps it from leading ends
	// it.
	Alone bool
	// Deposed tells that a duty ended, all of it, because another node leads.
	Deposed func(error) bool

	turn  *turn // nil while the node follows
	leave chan leaving
}

// turn is one time that the node leads.
type turn struct {
	duty  Duty
	term  uint64
	drain context.CancelFunc
	ended chan error // nil: it doesn't run yet
}

// leaving is the wish that another node takes over.
type leaving struct {
	to   uint64 // 0: the best
	done chan error
}

// unable is for how long a node that couldn't begin its duty is passed over, if another could.
const unable = 10 * time.Second

// known is after how long a leader has heard of all others that are there, with time to spare.
const known = time.Second

// handOver bounds how long another node may take to lead, once this one is silent.
const handOver = 10 * time.Second

const seeStatus = "see `cardswitch cluster status`"

// New makes a loop of its fields.
func New(l Loop) *Loop {
	l.leave = make(chan leaving)
	return &l
}

// Await follows until the node leads, and doesn't run its duty yet. It is for a node alone.
func (l *Loop) Await(ctx context.Context) error {
	for l.turn == nil {
		select {
		case role := <-l.Replica.Roles():
			if err := l.follow(ctx, role); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Serve follows and leads until ctx ends, or something fails.
func (l *Loop) Serve(ctx context.Context) error {
	for {
		var ended chan error
		if l.turn != nil {
			if l.turn.ended == nil {
				l.turn.run(ctx)
			}
			ended = l.turn.ended
		}
		var err error
		select {
		case role := <-l.Replica.Roles():
			err = l.follow(ctx, role)
		case err = <-ended:
			err = l.ended(ctx, err)
		case wish := <-l.leave:
			err = l.grant(ctx, wish)
		case <-ctx.Done():
			return l.stop(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// run starts the duty. ctx outlives it; drain ends it in order.
func (t *turn) run(ctx context.Context) {
	running, drain := context.WithCancel(context.WithoutCancel(ctx))
	t.drain, t.ended = drain, make(chan error, 1)
	go func() { t.ended <- t.duty.Run(running) }()
}

// follow does what the cluster has decided about this node.
func (l *Loop) follow(ctx context.Context, role replica.Role) error {
	if l.turn != nil && (!role.Leading || role.Term != l.turn.term) {
		if err := l.depose(ctx); err != nil {
			return err
		}
	}
	switch {
	case role.Stopped:
		return role.Err
	case !role.Leading || l.turn != nil:
		return nil
	}
	err := l.lead(ctx, role.Term)
	late := errors.Is(err, errDeposed) // the next role tells what became of this node
	if err != nil && l.turn == nil && l.Store.Epoch() != role.Term && (late || !l.Alone) {
		l.Logger.Warn("deposed before this node was active", "term", role.Term, "error", err)
		return nil
	}
	if err != nil && l.turn == nil && l.Store.Health().Failure == nil {
		l.Store.Yield()
		l.Replica.Unable(unable)
		return l.handOn(ctx, role.Term, err)
	}
	return err
}

var errDeposed = errors.New("another node leads")

// lead makes this node the active one of a term: everything that was agreed is applied.
func (l *Loop) lead(ctx context.Context, term uint64) error {
	began := time.Now()
	if err := l.Store.Lead(term); err != nil {
		return err
	}
	if !l.leads(term) { // deposed since it was told; that may have come before Lead
		l.Store.Yield()
		return errDeposed
	}
	mayLeave := l.speaks(term)
	duty, err := l.Owner.Lead(ctx, term, mayLeave)
	if err != nil {
		return err
	}
	// The first lease comes with the first answers of the others. A link that tried before would be
	// fenced off.
	for !mayLeave() {
		if l.Store.Epoch() != term {
			return errors.Join(errDeposed, duty.Close())
		}
		time.Sleep(time.Millisecond)
	}
	l.turn = &turn{duty: duty, term: term}
	return l.Owner.Leads(ctx, duty, term, began)
}

// speaks tells whether this node may send in a term: it leads in it, and its lease lasts.
func (l *Loop) speaks(term uint64) func() bool {
	lease := l.Replica.Lease()
	return func() bool { return l.Store.Epoch() == term && lease.Valid() }
}

// depose fences the duty off and throws it away.
func (l *Loop) depose(ctx context.Context) error {
	var err error
	if l.turn.ended != nil {
		l.turn.duty.Fence()
		err = <-l.turn.ended
	}
	return l.ended(ctx, err)
}

// ended takes leave of a duty that has ended. If another node leads, this one goes on following;
// what else ended it ends the node.
func (l *Loop) ended(ctx context.Context, why error) error {
	t, deposed := l.turn, why != nil && l.Deposed(why)
	l.turn = nil
	err := errors.Join(l.Owner.Follows(ctx, t.term, deposed), t.duty.Close())
	full := errors.Is(why, store.ErrDiskFull)
	switch {
	case err != nil || !deposed && !full:
		return errors.Join(why, err)
	case l.leads(t.term):
		return l.handOn(ctx, t.term, why)
	case full && l.Alone:
		return why
	}
	return nil
}

// leads tells whether the agreement still takes this node for the leader of a term.
func (l *Loop) leads(term uint64) bool {
	s := l.Replica.Status()
	return s.Term == term && s.Leader == s.Node
}

// handOn has another node lead, as this one can't serve: its disk is full, or it couldn't begin. If
// none can, the node ends, and is started again until it can. One that was late to hear that it is
// deposed, as after a pause, follows whoever leads.
func (l *Loop) handOn(ctx context.Context, term uint64, why error) error {
	if l.Alone {
		return why
	}
	err := l.Successor(0)
	for by := time.Now().Add(known); err != nil && l.leads(term) && time.Now().Before(by); {
		time.Sleep(5 * time.Millisecond)
		err = l.Successor(0)
	}
	if err != nil && l.leads(term) {
		return fmt.Errorf("%w; nobody takes over: %w", why, err)
	}
	l.Logger.Error("this node leads, but can't serve; another one is to lead", "error", why)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handOver)
	defer cancel()
	if err := l.Replica.Transfer(ctx, 0); err != nil && l.leads(term) {
		return errors.Join(why, err)
	}
	return nil
}

// Transfer drains this node and has another one lead: that one, or the one that has most if it is
// 0. Without one that could, nothing is done.
func (l *Loop) Transfer(to uint64) error {
	wish := leaving{to, make(chan error, 1)}
	select {
	case l.leave <- wish:
		return <-wish.done
	case <-time.After(handOver):
		return errors.New("the node is busy with another change of its role")
	}
}

// grant has another node lead. If that one can't any more once this one is drained, this one makes
// a new duty.
func (l *Loop) grant(ctx context.Context, wish leaving) (err error) {
	was := l.turn
	refused := l.stepDown(ctx, wish.to)
	if refused != nil && was != nil && l.turn == nil && l.leads(was.term) {
		err = l.follow(ctx, replica.Role{Leading: true, Term: was.term})
	}
	wish.done <- refused
	return err
}

// stepDown drains the duty and has another node lead.
func (l *Loop) stepDown(ctx context.Context, to uint64) error {
	if l.turn == nil {
		return errors.New("this node is not the active one; " + seeStatus)
	}
	if err := l.Successor(to); err != nil {
		return err
	}
	l.turn.duty.HandOver()
	l.turn.drain()
	if err := l.ended(ctx, <-l.turn.ended); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handOver)
	defer cancel()
	return l.Replica.Transfer(ctx, to)
}

// stop ends the node's work: another one takes over if there is one.
func (l *Loop) stop(ctx context.Context) error {
	switch {
	case l.turn == nil:
		return nil
	case l.Successor(0) == nil:
		if err := l.stepDown(ctx, 0); err != nil {
			l.Logger.Warn("no other node took over in time", "error", err)
		}
		return nil
	}
	l.turn.drain()
	return l.ended(ctx, <-l.turn.ended)
}

// Successor says why no other node can take over, or not that one; nil if one can.
func (l *Loop) Successor(to uint64) error {
	if l.Alone {
		return errors.New("this node is alone")
	}
	s := l.Replica.Status()
	for _, m := range s.Members {
		is := to == 0 || m.ID == to
		if is && m.ID != s.Node && m.Kind == replica.Data && m.Votes && m.InSync &&
			!m.Unfit {
			return nil
		}
	}
	if to == 0 {
		return errors.New("no other data node is in sync and could serve; " + seeStatus)
	}
	return fmt.Errorf("node %d is no data node that is in sync and could serve; "+seeStatus, to)
}

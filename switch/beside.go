package cardswitch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyring"
	"cardswitch/spec"
	"cardswitch/switch/link"
	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

// Work that asks a security module stands beside the doors. What comes from a center that agreed
// on security is inspected before the doors; what goes to it is protected at the release, after
// its commit (protect.go). Where the module works in this process, both are done inline, by the
// link's reader and by the committer. Where it is a machine of its own, the messages wait for it
// in lanes, by connection and way for each terminal and each card, and all others pass them by.
//
// Who isn't trusted binds nobody. A message with a wrong code is answered 916 and recorded, but it
// is not the question that it says it is: the true one that comes after it gets an answer of its
// own. Nor does an answer with a wrong code end the transaction that it names. It is recorded, and
// the true one, or the deadline and its reversal, does.
type beside struct {
	guard *security.Guard // nil: there are no keys
	lanes *security.Lanes // nil: the module works in this process
	ctx   context.Context // ends with the switch
	stop  context.CancelFunc

	mu        sync.Mutex
	inspected []inspected
	wake      chan struct{}
}

// inspected is a message that comes to the doors out of its lane.
type inspected struct {
	link  *link.Link
	in    link.Inbound
	found security.Finding
}

// guardWith makes ready what stands beside the doors.
func (s *Switch) guardWith(ring *keyring.Ring) {
	b := &s.beside
	s.metrics.countLanes(b.waiting)
	if ring == nil {
		return
	}
	b.guard = security.NewGuard(ring.Module(), ring, s.metrics.moduleTook)
	b.guard.Borrow(s.deps.Lent)
	b.ctx, b.stop = context.WithCancel(context.Background())
	if b.guard.Elsewhere() {
		b.lanes, b.wake = security.NewLanes(lanesWaiting), make(chan struct{}, 1)
	}
}

// waiting is how many messages wait for the module.
func (b *beside) waiting() int {
	if b.lanes == nil {
		return 0
	}
	return b.lanes.Waiting()
}

// start starts its goroutines.
func (b *beside) start(s *Switch) {
	if b.lanes == nil {
		return
	}
	for range lanesWorkers {
		s.joined.Go(b.lanes.Work)
	}
	s.joined.Go(s.admits)
}

func (b *beside) close() {
	if b.stop != nil {
		b.stop()
	}
	if b.lanes != nil {
		b.lanes.Close()
	}
}

var errNoKeys = errors.New("there are no keys (hint: configure `keys`, or leave security out)")

// securityOf compiles what is agreed with a center, and refuses what the module may not do.
func (s *Switch) securityOf(c *CenterConfig, d *spec.Dialect, production bool) (
	*security.Profile, error) {
	if c.Security == nil {
		return nil, nil
	}
	if s.beside.guard == nil || c.lent && s.deps.Lent == nil {
		return nil, errNoKeys
	}
	p, err := c.Security.profile(c.Name, d)
	if err != nil {
		return nil, err
	}
	p.Lent = c.lent
	allowed := hsm.Test
	if production {
		allowed = hsm.Production
	}
	if err := s.beside.guard.Permit(p, allowed); err != nil {
		return nil, fmt.Errorf("security module %s: %w", s.deps.Keys.Module().Name(), err)
	}
	return p, nil
}

// inspect looks at a message before the doors, step by step. A step may refuse it, or put another
// in its place (in.Frame and in.Message): what opens card data stands behind the code, which is
// over the message as it came.
func (s *Switch) inspect(ctx context.Context, l *link.Link, c *center, p *security.Profile,
	in *link.Inbound) security.Finding {
	var f security.Finding
	switch {
	case in.Fault.OK():
		f = s.beside.guard.Inspect(ctx, p, &in.Message)
	case p.MAC != nil && in.Message.MTI().IsResponse():
		f.Reason = txn.MACMissing // a request that can't be read is answered 904
	}
	if p.P2PE != nil && in.Fault.OK() && f.Reason == txn.None && f.Order == nil {
		s.openCard(ctx, c, p, in, &f)
	}
	s.judged(l, c, p, &in.Message, &f)
	if f.Order != nil && f.Reason == txn.None {
		var fault spec.Fault
		if in.Frame, fault = f.Bare(nil, &in.Message); fault.OK() {
			in.Fault = p.Dialect.Index(&in.Message, in.Frame)
		}
	}
	return f
}

// inspectAside gives what came from a center to the lanes; false if it isn't to be inspected, or
// is by the reader.
func (s *Switch) inspectAside(l *link.Link, in []link.Inbound) bool {
	b := &s.beside
	if b.lanes == nil {
		return false
	}
	seat, ok := s.tables.Load().seats[l.Center().ID()]
	if !ok || seat.profile.security == nil ||
		!b.guard.InspectsElsewhere(seat.profile.security) {
		return false
	}
	// A merchant is told that too much waits. An issuer's answers are waited for with.
	wait := l.Center().Role() == link.Issuer
	for i := range in {
		one := link.Inbound{Frame: bytes.Clone(in[i].Frame), Prefix: in[i].Prefix}
		by := time.Now().Add(moduleWait)
		keys := b.lanes.Of(l.Number(), false, &in[i].Message)
		if !b.lanes.Submit(keys, wait, func() { s.inspectOne(by, l, seat, one) }) {
			f := security.Finding{Reason: txn.ModuleBusy}
			s.judged(l, seat.center, seat.profile.security, &in[i].Message, &f)
			s.enter(l, in[i:i+1], []security.Finding{f})
		}
	}
	return true
}

// inspectOne is the job of a lane.
func (s *Switch) inspectOne(by time.Time, l *link.Link, at seat, in link.Inbound) {
	ctx, cancel := context.WithDeadline(s.beside.ctx, by)
	defer cancel()
	in.Fault = at.profile.dialect.Index(&in.Message, in.Frame)
	f := s.inspect(ctx, l, at.center, at.profile.security, &in)
	b := &s.beside
	b.mu.Lock()
	b.inspected = append(b.inspected, inspected{l, in, f})
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// admits brings what the lanes have inspected to the doors: all that waits, run by run of a link.
func (s *Switch) admits() {
	b := &s.beside
	var list []inspected
	var in []link.Inbound
	var found []security.Finding
	for {
		select {
		case <-b.wake:
		case <-s.stopped:
			return
		}
		b.mu.Lock()
		list, b.inspected = b.inspected, list[:0]
		b.mu.Unlock()
		for from := 0; from < len(list); {
			in, found = in[:0], found[:0]
			l, i := list[from].link, from
			for ; i < len(list) && list[i].link == l; i++ {
				in, found = append(in, list[i].in), append(found, list[i].found)
			}
			s.enter(l, in, found)
			from = i
		}
		clear(list)
		clear(in[:cap(in)])
	}
}

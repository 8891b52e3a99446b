package world

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"cardswitch/dr/replica"
)

// Nodes that join and leave while money moves. An operator asks the active node, and again until he
// sees that it is so.

// askAgain is after how long an operator asks again.
const askAgain = 200 * time.Millisecond

// setOut says whether a machine has no part in the world: nobody switches it on.
func (n *node) setOut(out bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.out = out
}

func (n *node) isOut() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.out
}

// belongs tells whether a node is a member of the cluster, as the active one knows it.
func (n *node) belongs(members []replica.MemberStatus) bool {
	return slices.ContainsFunc(members, func(m replica.MemberStatus) bool { return m.ID == n.id() })
}

// membersNow gives those of the cluster as the active node knows them; nil: nobody is active.
func (w *World) membersNow() []replica.MemberStatus {
	if n, _ := w.active(); n != nil {
		return n.process().member.replica.Status().Members
	}
	return nil
}

// until has an operator ask the active node for a change of the members until it has come to pass,
// or while he still wants it.
func (w *World) until(passed func([]replica.MemberStatus) bool, wants func() bool,
	ask func(context.Context, *replica.Replica) error) bool {
	for w.stands() && wants() {
		if n, _ := w.active(); n != nil {
			r := n.process().member.replica
			if passed(r.Status().Members) {
				return true
			}
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			if err := ask(ctx, r); err != nil && !errors.Is(err, errStays) {
				w.tell("%s doesn't change the members: %v", n, err)
			}
			cancel()
		}
		w.clock.sleep(ofWorld, askAgain)
	}
	return false
}

// stands tells whether the world isn't over.
func (w *World) stands() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.over && len(w.broken) == 0
}

// join has a new machine join.
func (w *World) join(*rand.Rand) {
	n := w.nodes[len(w.nodes)-1]
	if !n.spare || !n.isOut() || n.isLost() || n.process() != nil {
		return
	}
	w.tell("%s is to join", n)
	n.setOut(false)
	n.generation.Store(w.generation())
	w.start(n)
	m := replica.Member{ID: n.id(), Kind: replica.Data}
	wanted := func() bool { return !n.isLost() }
	w.parties.Go(func() {
		if w.until(n.belongs, wanted, func(ctx context.Context, r *replica.Replica) error {
			return r.AddMember(ctx, m)
		}) {
			w.tell("%s has joined", n)
		}
	})
}

// joining tells whether a machine is to join, and hasn't yet.
func (w *World) joining() bool {
	n := w.nodes[len(w.nodes)-1]
	return n.spare && !n.isOut() && !n.isLost() && !n.belongs(w.membersNow())
}

// leave has an operator take out a node, be it away, and switch its machine off after a while.
func (w *World) leave(r *rand.Rand) {
	n, d := w.nodes[r.IntN(w.options.Nodes)], time.Duration(r.IntN(2000))*time.Millisecond
	if n.isOut() {
		return
	}
	w.tell("%s is to leave", n)
	w.parties.Go(func() {
		gone := func(members []replica.MemberStatus) bool { return !n.belongs(members) }
		if !w.until(gone, w.faulty, func(ctx context.Context, r *replica.Replica) error {
			return takeOut(ctx, r, n.id())
		}) {
			return
		}
		w.tell("%s has left", n)
		w.clock.sleep(ofWorld, d)
		n.setOut(true)
		n.cut()
	})
}

var errStays = errors.New("it leads, or those that are left aren't enough to serve")

// takeOut takes a member out if the program's operator may.
func takeOut(ctx context.Context, r *replica.Replica, id uint64) error {
	s := r.Status()
	there, all := replica.VotesWithout(s.Members, id)
	if id == s.Node || 2*there <= all {
		return errStays
	}
	return r.RemoveMember(ctx, id)
}

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"cardswitch/conformance/load/stage"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

// FailBack is how the site that was lost came to serve again.
type FailBack struct {
	Joined time.Duration `json:"joined"` // until its machines, as new nodes, had all and a vote
	Handed time.Duration `json:"handed"` // what the command took that moved the service
	Whole  time.Duration `json:"whole"`  // until the other site followed again, in all
}

// failBack does what the manual tells the operator to do, with the operator's commands, while money
// moves: each machine of the lost site gets a new number and joins the promoted node, one of them
// takes over, and the other site's machine joins again as one that follows. It gives the node that
// serves then; the old ones are no longer among the run's.
func (r *run) failBack(ctx context.Context, there *node) (*node, error) {
	// Who asked before the site was lost has its answer by then, and isn't counted here.
	pause(ctx, 2*answerTime)
	if err := r.town.flows(ctx, startTime); err != nil {
		return nil, err
	}
	back, at := &FailBack{}, time.Now()
	r.report.Site.Home = back
	r.nodes = []*node{there}
	for m := 1; m <= nodes; m++ { // all at once: two nodes with a vote are worse than one
		if _, err := r.joins(ctx, there, m, cardswitch.NodeData); err != nil {
			return nil, err
		}
	}
	err := r.comesTo(ctx, "all have the journal and a vote", func(n *node, s *admin.ClusterStatus) (
		bool, error) {
		return s.VotesThere == len(r.nodes) && s.InSync == len(r.nodes), nil
	})
	if err != nil {
		return nil, err
	}
	back.Joined = time.Since(at)
	r.report.add(measureUntil(Joining, at, time.Now(), r.town.since(at.Add(-time.Second))))
	home, began := there, time.Now()
	to := strconv.Itoa(r.nodes[1].number)
	err = r.comesTo(ctx, "one of them is active", func(n *node, _ *admin.ClusterStatus) (
		bool, error) {
		if home = n; n != there {
			return true, nil
		}
		_, err := n.command(ctx, "transfer", to)
		return false, err
	})
	if err != nil {
		return nil, err
	}
	back.Handed = time.Since(began)
	if err := r.moves(ctx, there); err != nil {
		return nil, err
	}
	back.Whole = time.Since(at)
	pause(ctx, time.Until(began.Add(watched)))
	m := measureUntil(Home, began, time.Now(), r.town.since(began.Add(-time.Second)))
	r.report.add(m)
	fmt.Fprintf(r.Progress, "site: its machines joined within %s, one served %s after the command, "+
		"the other site followed within %s in all; %d declined, no answer for at most %s\n",
		back.Joined.Round(time.Millisecond), back.Handed.Round(time.Millisecond),
		back.Whole.Round(time.Millisecond), m.Declined, m.Gap.Round(time.Millisecond))
	return home, nil
}

// moves has the other site's node leave, and its machine join as one that follows.
func (r *run) moves(ctx context.Context, there *node) error {
	gone := strconv.Itoa(there.number)
	err := r.comesTo(ctx, "the other site's node has left", func(n *node, s *admin.ClusterStatus) (
		bool, error) {
		if memberOf(s, there.number) == nil {
			return true, nil
		}
		_, err := n.command(ctx, "leave", gone)
		return false, err
	})
	if err != nil {
		return err
	}
	r.nodes = r.nodes[1:]
	there.kill() // it has stopped by itself, or is about to
	n, err := r.joins(ctx, there, far, cardswitch.NodeLearner)
	if err != nil {
		return err
	}
	return r.comesTo(ctx, "the other site follows", func(_ *node, s *admin.ClusterStatus) (
		bool, error) {
		m := memberOf(s, n.number)
		return m != nil && m.InSync && m.Connected, nil
	})
}

// comesTo asks or orders the active node until it is as wanted. Which one is active may change,
// where the machine is busy.
func (r *run) comesTo(ctx context.Context, what string,
	is func(*node, *admin.ClusterStatus) (bool, error)) error {
	return until(ctx, what, func() (ok bool, err error) {
		for _, n := range r.nodes {
			s, fault := n.status(ctx)
			if fault == nil && s.State == active {
				return is(n, &s)
			}
			err = errors.Join(err, fault)
		}
		return false, errors.Join(err, errors.New("no node is active"))
	})
}

func memberOf(s *admin.ClusterStatus, number int) *admin.ClusterMember {
	for i := range s.Members {
		if m := &s.Members[i]; m.Node == uint64(number) {
			return m
		}
	}
	return nil
}

// joins makes a new node of a machine, with the keys of another one, and has it taken in.
func (r *run) joins(ctx context.Context, like *node, machine int, role string) (*node, error) {
	r.used++
	number := far + r.used
	s, err := r.stageOf(number, machine, like.stage.Issuers)
	if err != nil {
		return nil, err
	}
	s.Cluster = r.identity(number, machine) + fmt.Sprintf("  role: %s\n", role)
	if err := stage.CopyKeys(like.stage, s); err != nil {
		return nil, err
	}
	key, err := os.ReadFile(like.stage.File("data.key"))
	if err == nil {
		err = os.WriteFile(s.File("data.key"), key, 0o600)
	}
	if err = errors.Join(err, s.Write()); err != nil {
		return nil, err
	}
	n := &node{number: number, machine: machine, run: r, stage: s, program: r.Program}
	if _, err := n.command(ctx, "certify", strconv.Itoa(number), "--authority", r.authority(),
		"--out", s.Dir, "--name", clusterName); err != nil {
		return nil, err
	}
	if err := n.start(ctx); err != nil {
		return nil, err
	}
	err = r.comesTo(ctx, fmt.Sprintf("node %d is a member", number), func(serves *node,
		s *admin.ClusterStatus) (bool, error) {
		if memberOf(s, number) != nil {
			return true, nil
		}
		_, err := serves.command(ctx, "join", strconv.Itoa(number), r.member(machine), "--role", role)
		return false, err
	})
	r.nodes = append(r.nodes, n)
	return n, err
}

// command runs a command of the operator's, cluster WORDS, and gives what it printed.
func (n *node) command(ctx context.Context, words ...string) (string, error) {
	args := append([]string{"cluster"}, words...)
	out, err := exec.CommandContext(ctx, n.program, append(args, "--socket", n.stage.Socket())...).
		CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("lab: %v at node %d: %w: %s", args, n.number, err, out)
	}
	return string(out), nil
}

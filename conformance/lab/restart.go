package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	cardswitch "cardswitch/switch"
)

// Restarts are of a node that is alone: nobody takes over, so its sockets go from one program to
// the next. Who connects is never refused.

// alone tells whether one node is all there is.
func (c *Config) alone() bool { return c.plans(Restart) }

// rehearses tells whether there is a node at another site for drills alone: in the usual plan its
// work would be in what is measured.
func (c *Config) rehearses() bool { return c.plans(Practise) && len(c.Plan) == 1 && !c.Shards }

// number is how many nodes the run has.
func (c *Config) number() int {
	switch {
	case c.alone():
		return 1
	case c.plans(Site) || c.rehearses():
		return far
	}
	return nodes
}

// restarts orders one after the other, and counts what merchants saw until each was over.
func (r *run) restarts(ctx context.Context, times int) error {
	n := r.nodes[0]
	for i := range times {
		if _, err := r.whole(ctx); err != nil {
			return err
		}
		if err := r.town.flows(ctx, startTime); err != nil {
			return err
		}
		before, err := n.stands(ctx)
		if err != nil {
			return err
		}
		at := time.Now()
		if err := n.ask(ctx, http.MethodPost, "/v1/restart", struct{}{}, nil); err != nil {
			return err
		}
		if err := n.anew(ctx, before.Started); err != nil {
			return err
		}
		pause(ctx, upgraded)
		m := measureUntil(Restart, at, time.Now(), r.town.since(at.Add(-time.Second)))
		r.report.add(m)
		fmt.Fprintf(r.Progress, "restart %d of %d: at most %s without an answer, %d declined\n", i+1,
			times, m.Gap.Round(time.Millisecond), m.Declined)
	}
	return nil
}

// stands is what the node's switch says of itself.
func (n *node) stands(ctx context.Context) (s cardswitch.Status, err error) {
	return s, n.ask(ctx, http.MethodGet, "/v1/status", nil, &s)
}

// anew waits until the node serves that started later.
func (n *node) anew(ctx context.Context, than time.Time) error {
	var err error
	for end := time.Now().Add(startTime); time.Now().Before(end) && pause(ctx, pollTime); {
		if words, ended := n.died(); ended {
			return fmt.Errorf("lab: restart: %s", words)
		}
		var s cardswitch.Status
		if s, err = n.stands(ctx); err == nil && s.Started.After(than) && s.State == "serving" {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("lab: restart: the node doesn't serve within %s", startTime), err)
}

const pollTime = 10 * time.Millisecond

// dial notes who is refused: nobody may be, while the only node starts anew.
func (r *run) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := r.place.dial(ctx, address)
	if r.alone() && errors.Is(err, syscall.ECONNREFUSED) {
		r.refused.Add(1)
	}
	return conn, err
}

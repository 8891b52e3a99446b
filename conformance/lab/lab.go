// Package lab runs a cluster of its own on one machine, hurts it while money moves, and measures
// for how long nobody was served.
//
// Three nodes run as their operators would start them, each with its own data and, where the
// machine allows it, its own network namespace; merchants and issuers are in this process. One
// fault after the other is done to the node that is active; after each the cluster must be whole
// again before the next. At the end the merchants' receipts, the journal and the issuers' postings
// are laid side by side.
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"cardswitch/conformance/load/sealed"
)

// Config is one run.
type Config struct {
	Program  string // the cardswitch program
	Old      string // an older one, as whose nodes the cluster begins; "": none is at hand
	Dir      string // where the folder of the run is made
	Keep     bool   // leave the folder, also if all went well
	Shards   bool   // of each issuer one; every node is then the active one of a shard
	Loopback bool   // no namespaces, even where they could be made: nobody is cut off then
	Cold     bool   // no node keeps connections to issuers ready before it is the active one
	Rate     float64
	Seed     uint64
	Plan     []Trial
	Progress io.Writer
}

// Validate says what is wrong with a configuration.
func (c *Config) Validate() error {
	switch {
	case c.Rate < 10 || c.Rate > 10_000:
		return errors.New("lab: 10 to 10000 transactions a second")
	case len(c.Plan) == 0:
		return errors.New("lab: nothing is to be done")
	case (c.Old != "") != c.plans(Upgrade):
		return errors.New("lab: an upgrade needs an older program, and that is for an upgrade alone")
	case c.alone() && (len(c.Plan) > 1 || c.Shards):
		return errors.New("lab: a restart is of one node alone; do nothing else in that run")
	case c.plans(Site) && len(c.Plan) > 1:
		return errors.New("lab: the loss of a site is a run of its own")
	}
	return nil
}

func (c *Config) plans(k Kind) bool {
	return slices.ContainsFunc(c.Plan, func(t Trial) bool { return t.Kind == k })
}

const (
	startTime = 30 * time.Second // a cluster that takes longer to be whole is a failure
	// watched is how long after a fault answers are looked at.
	watched = 3 * time.Second
)

// run is a run in progress.
type run struct {
	Config
	dir    string
	place  *place
	town   town
	nodes  []*node
	used   int // numbers of nodes that joined later
	report *Report

	disks   []string // folders that have one of their own
	noDisks error    // why they can't

	refused atomic.Int32 // connections of merchants, where there is one node
}

// Run does the plan and compares the books. An error is about the run itself; what the cluster did
// wrong is in the report.
func Run(ctx context.Context, config Config) (report *Report, err error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(config.Dir, "cardswitch-lab-")
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	r := &run{Config: config, dir: dir, place: openPlace(config.number(), config.Loopback),
		report: &Report{Seed: config.Seed}}
	r.report.Namespaces = r.place.name != ""
	defer func() {
		r.close()
		if !config.Keep && err == nil && report.Clean() {
			_ = os.RemoveAll(dir)
		} else {
			r.report.Folder = dir
		}
	}()
	if err := r.setUp(ctx); err != nil {
		return r.report, err
	}
	for _, t := range config.Plan {
		if err := r.try(ctx, t); err != nil {
			return r.report, err
		}
	}
	if r.report.Site != nil { // the books are compared
		return r.report, nil
	}
	return r.report, r.settle(ctx)
}

// setUp starts issuers, nodes and merchants, and waits until all is whole.
func (r *run) setUp(ctx context.Context) error {
	secret := sealed.Secret(fmt.Sprintf("lab %d", r.Seed))
	zones, err := r.zonesOf(secret)
	if err != nil {
		return err
	}
	links, err := r.town.openIssuers(r.place, secret, zones, r.Seed)
	if err != nil {
		return err
	}
	if err := r.layOut(ctx, links, secret); err != nil {
		return err
	}
	for _, n := range r.nodes {
		if err := n.start(ctx); err != nil {
			return err
		}
	}
	if _, err := r.whole(ctx); err != nil {
		return err
	}
	var addresses []string
	for _, n := range r.nodes {
		addresses = append(addresses, n.stage.Merchants)
	}
	if err := r.town.open(r.dial, secret, zones, addresses, r.Rate, r.Seed); err != nil {
		return err
	}
	return r.town.flows(ctx, startTime)
}

func (r *run) close() {
	r.town.close()
	r.thaw()
	for _, n := range r.nodes {
		n.kill()
	}
	r.unmountDisks()
	r.place.close()
}

// whole waits until one node is active and all others have all that it has, in every shard if there
// are some. It gives that node, of the first shard.
func (r *run) whole(ctx context.Context) (serves *node, err error) {
	for end := time.Now().Add(startTime); time.Now().Before(end); {
		var serve []*node
		if serve, err = r.serving(ctx); err == nil {
			return serve[0], nil
		}
		if !pause(ctx, 50*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
	for _, n := range r.nodes {
		if words, ended := n.died(); ended {
			err = errors.Join(err, errors.New(words))
		}
	}
	return nil, errors.Join(fmt.Errorf("lab: the cluster isn't whole within %s", startTime), err)
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

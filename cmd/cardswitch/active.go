package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/hsm/keyring"
	"cardswitch/store"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
	"cardswitch/switch/keys"
)

// active is a node while it is the active one: the switch with its keys, made anew each time.
type active struct {
	*cardswitch.Switch
	keys  *keys.Keys
	admin *admin.Server
	term  uint64
	drain context.CancelFunc
	ended chan error // nil: it doesn't run
}

// lead makes this node the active one of a term: everything that was agreed is applied.
func (n *node) lead(ctx context.Context, term uint64) (*active, error) {
	began := time.Now()
	if err := n.store.Lead(term); err != nil {
		return nil, err
	}
	config := *n.config.Load()
	n.fetching.Lock() // one that is under way ends first, and there is no other
	n.fetching.Unlock()
	if n.wire != nil {
		if err := n.bringKeyStore(&config); err != nil {
			return nil, err
		}
	}
	a := &active{term: term}
	deps := n.deps
	deps.Store, deps.Security, deps.Audit = n.store, watcher{n}, watcher{n}
	deps.MayLeave = n.speaks(term)
	metrics := prometheus.NewRegistry()
	deps.Metrics = metrics
	deps.OpenKeys = func(journal *store.Store) (ring *keyring.Ring, err error) {
		a.keys, err = keys.Open(ctx, &config, keys.Options{Audit: n.evidence, Logger: n.log,
			Witness: journal.KeyWitness(), Module: n.module})
		if err != nil {
			return nil, err
		}
		return a.keys.Ring, nil
	}
	var err error
	if a.Switch, err = cardswitch.New(config, deps); err != nil {
		return nil, errors.Join(err, a.end())
	}
	if n.wire != nil {
		if err := n.shareKeyStore(&config); err != nil {
			return nil, errors.Join(err, a.end())
		}
	}
	a.admin = n.server(a, metrics)
	// The first lease comes with the first answers of the others. A link that tried before would be
	// fenced off.
	for !deps.MayLeave() {
		if n.store.Epoch() != term {
			return nil, errors.Join(cardswitch.ErrNotActive, a.end())
		}
		time.Sleep(time.Millisecond)
	}
	found := a.Switch.Found()
	n.takeover.Store(&admin.Takeover{At: began, Term: term, US: time.Since(began).Microseconds(),
		Replayed: found.Records, Reversed: found.Reversed})
	n.takeovers.Add(1)
	n.log.Info("this node is the active one", "term", term, "took", time.Since(began).String())
	return a, nil
}

// speaks tells whether this node may send in a term: it leads in it, and its lease lasts.
func (n *node) speaks(term uint64) func() bool {
	lease := n.replica.Lease()
	return func() bool { return n.store.Epoch() == term && lease.Valid() }
}

// server is what the operators see of an active node.
func (n *node) server(a *active, metrics *prometheus.Registry) *admin.Server {
	o := n.options(prometheus.Gatherers{n.metrics, metrics})
	o.Switch, o.Keys, o.Settlement = a.Switch, a.keys, a.Switch
	o.Ceremonies = admin.Ceremonies{Room: a.keys.Room}
	o.Rewrap = a.Switch.Rewrap
	s := admin.New(o)
	if v := a.Switch.Vault(); v != nil {
		s.Vault = v
	}
	return s
}

// options are what every server of the node has.
func (n *node) options(metrics prometheus.Gatherer) admin.Options {
	o := admin.Options{Journal: n.store, Names: n.store.Registry(), Metrics: metrics, Logger: n.log,
		Audit: n.evidence, Evidence: n.evidence,
		Access: func() admin.Access { return admin.NewAccess(n.config.Load()) },
		Reload: n.reconfigure, Backup: n.orderedBackup}
	if n.wire != nil {
		o.Cluster = n
	}
	return o
}

// standbyServer is what the operators see of a node that follows.
func (n *node) standbyServer() *admin.Server {
	o := n.options(n.metrics)
	o.Standby = n.standby
	return admin.New(o)
}

// standby is how a node stands that isn't the active one.
func (n *node) standby() cardswitch.Status {
	s, health := n.replica.Status(), n.store.Health()
	why := "no node is the active one"
	if s.Leader != 0 && s.Leader != s.Node {
		why = fmt.Sprintf("node %d is", s.Leader)
	}
	return cardswitch.Status{Node: n.config.Load().Node, State: "standby", Reason: why,
		Journal: cardswitch.JournalStatus{LastSeq: n.store.LastSeq(),
			CommitUS: s.LastSync.Microseconds(), FreeMB: int64(health.FreeBytes >> 20),
			Stalled: health.Stalled}}
}

// run starts the switch. ctx outlives it; drain ends it in order.
func (a *active) run(ctx context.Context, n *node) {
	running, drain := context.WithCancel(context.WithoutCancel(ctx))
	a.drain, a.ended = drain, make(chan error, 1)
	go func() {
		tending, rest := context.WithCancel(running)
		var tended sync.WaitGroup
		tended.Go(func() { a.keys.Tend(tending, n.log) })
		tended.Go(func() { n.tendBackups(tending) })
		tended.Go(func() { n.tendTails(tending) })
		err := a.Switch.Run(running)
		rest()
		tended.Wait()
		a.ended <- err
	}()
}

// end forgets the keys. The switch has ended before, or never ran.
func (a *active) end() error {
	if a.keys == nil {
		return nil
	}
	return a.keys.Close()
}

// alive tells systemd that the node isn't broken.
func (n *node) alive() bool {
	a := n.active.Load()
	return n.store.Health().Failure == nil && (a == nil || a.Status().State != "failed")
}

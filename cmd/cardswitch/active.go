package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/dr/role"
	"cardswitch/hsm/keyring"
	"cardswitch/store"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
	"cardswitch/switch/keys"
)

// active is a node while it is the active one: the switch with its keys, made anew each time.
type active struct {
	*cardswitch.Switch
	node  *node
	keys  *keys.Keys
	admin *admin.Server
	ran   bool
}

// Lead is role's: it makes the switch of a term. Everything that was agreed is applied.
func (n *node) Lead(ctx context.Context, term uint64, mayLeave func() bool) (role.Duty, error) {
	config := *n.config.Load()
	n.fetching.Lock() // one that is under way ends first, and there is no other
	n.fetching.Unlock()
	if n.wire != nil {
		if err := n.bringKeyStore(&config); err != nil {
			return nil, err
		}
	}
	a := &active{node: n}
	deps := n.deps
	deps.Store, deps.Security, deps.Audit = n.store, watcher{n}, watcher{n}
	deps.MayLeave, deps.Term, deps.Ready = mayLeave, term, n.warm.Take
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
		return nil, errors.Join(err, a.Close())
	}
	if n.wire != nil {
		if err := n.shareKeyStore(&config); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	a.admin = n.server(a, metrics)
	return a, nil
}

// took notes what it took to become the active node.
func (n *node) took(a *active, term uint64, began time.Time) {
	found := a.Found()
	n.takeover.Store(&admin.Takeover{At: began, Term: term, US: time.Since(began).Microseconds(),
		Replayed: found.Records, Reversed: found.Reversed})
	n.takeovers.Add(1)
	n.log.Info("this node is the active one", "term", term, "took", time.Since(began).String())
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
		Reload: n.reconfigure, Restart: n.Restart, Backup: n.orderedBackup}
	if !isWitness(n.config.Load()) {
		o.Drills = n
	}
	if n.wire != nil {
		o.Cluster, o.Consent = n, &n.site.consent
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
	switch {
	case n.claims:
		why = admin.WhyBroughtBack
	case len(s.Members) == 0:
		why = "it isn't a member yet, see `cardswitch cluster join`"
	case n.stateOf(&s) == takenOut:
		why = "it was taken out of the cluster; end it"
	case s.Leader == s.Node:
		why = "it takes over now"
	case s.Leader != 0:
		why = fmt.Sprintf("node %d is the active one", s.Leader)
	}
	return cardswitch.Status{Node: n.config.Load().Node, State: "standby", Reason: why,
		Journal: cardswitch.JournalStatus{LastSeq: n.store.LastSeq(),
			CommitUS: s.LastSync.Microseconds(), FreeMB: int64(health.FreeBytes >> 20),
			Stalled: health.Stalled}, Warm: n.warm.Status()}
}

// Run runs the switch, and what else an active node does.
func (a *active) Run(ctx context.Context) error {
	n := a.node
	a.ran = true
	tending, rest := context.WithCancel(ctx)
	var tended sync.WaitGroup
	tended.Go(func() { a.keys.Tend(tending, n.log) })
	tended.Go(func() { n.tendBackups(tending) })
	tended.Go(func() { n.tendTails(tending) })
	tended.Go(func() { n.tendLevel(tending) })
	err := a.Switch.Run(ctx)
	rest()
	tended.Wait()
	return err
}

// Close forgets the keys. The switch has ended before, or never ran.
func (a *active) Close() (err error) {
	if a.Switch != nil && !a.ran {
		err = a.Switch.Discard()
	}
	if a.keys == nil {
		return err
	}
	return errors.Join(err, a.keys.Close())
}

// alive tells systemd that the node isn't broken.
func (n *node) alive() bool {
	a := n.active.Load()
	return n.store.Health().Failure == nil && (a == nil || a.Status().State != "failed")
}

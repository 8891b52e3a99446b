package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"cardswitch/dr/backup"
	"cardswitch/hsm/keyring"
	"cardswitch/store"
	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
	"cardswitch/switch/evidence"
	"cardswitch/switch/keys"
)

// node is a switch with the doors of its operators: what `start` and `demo` run.
type node struct {
	*cardswitch.Switch
	keys              *keys.Keys
	evidence          *evidence.Log
	log               *slog.Logger
	config            atomic.Pointer[cardswitch.Config]
	admin             *admin.Server
	metrics           *prometheus.Registry
	operators, public net.Listener
	backing           sync.Mutex // held while a backup is made
	backupMetrics     backupMetrics
	archiver          atomic.Pointer[backup.Archiver] // of tails; nil: none is at work
}

// newNode opens the doors, then the switch. Reload brings the configuration anew.
func newNode(ctx context.Context, config cardswitch.Config, deps cardswitch.Deps,
	reload func() (cardswitch.Config, error)) (*node, error) {
	n := &node{log: deps.Log}
	n.config.Store(&config)
	// The socket first: it tells whether another cardswitch runs on this data.
	if err := os.MkdirAll(filepath.Dir(config.Admin.Socket), 0o750); err != nil {
		return nil, fmt.Errorf("make the socket's folder: %w", err)
	}
	var err error
	if n.operators, err = admin.ListenSocket(config.Admin.Socket); err != nil {
		return nil, err
	}
	if config.Admin.HTTP != "" {
		if n.public, err = net.Listen("tcp", config.Admin.HTTP); err != nil {
			return nil, errors.Join(fmt.Errorf("admin.http: %w", err), n.closeDoors())
		}
	}
	deps.Security, deps.Audit = watcher{n}, watcher{n}
	// The journal's lock first: two processes must not write one key store.
	deps.OpenKeys = func(journal *store.Store) (ring *keyring.Ring, err error) {
		if n.evidence, err = evidence.Open(&config.Audit, n.log); err != nil {
			return nil, err
		}
		n.keys, n.operators, err = openKeys(ctx, &config, n.log, n.operators, n.evidence,
			journal.KeyWitness())
		if err != nil {
			return nil, err
		}
		tellCaps(n.log, n.keys.Module(), config.Production)
		tellLegacy(n.log, &config)
		return n.keys.Ring, nil
	}
	n.metrics = prometheus.NewRegistry()
	n.metrics.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	n.newBackupMetrics()
	deps.Metrics = n.metrics
	if n.Switch, err = cardswitch.New(config, deps); err != nil {
		return nil, errors.Join(err, n.closeKeys(), n.closeDoors())
	}
	n.admin = admin.New(admin.Options{
		Switch:     n.Switch,
		Journal:    n.Switch.Journal(),
		Names:      n.Switch.Journal().Registry(),
		Metrics:    n.metrics,
		Logger:     deps.Log,
		Keys:       n.keys,
		Audit:      n.evidence,
		Evidence:   n.evidence,
		Access:     func() admin.Access { return admin.NewAccess(n.config.Load()) },
		Ceremonies: admin.Ceremonies{Room: n.keys.Room},
		Reload:     func() error { return n.reconfigure(reload) },
		Rewrap:     n.Switch.Rewrap,
		Settlement: n.Switch,
		Backup:     n.orderedBackup,
	})
	if v := n.Switch.Vault(); v != nil {
		n.admin.Vault = v
	}
	if err := n.tell(ctx, audit.SystemStarted, audit.Done, "node "+config.Node, ""); err != nil {
		return nil, errors.Join(err, n.closeKeys(), n.closeDoors())
	}
	return n, nil
}

// tell records what the program itself does, in the name of who runs it.
func (n *node) tell(ctx context.Context, e audit.Event, r audit.Result, what, why string) error {
	_, err := n.evidence.Append(ctx, audit.Entry{Actor: "cardswitch", Role: currentUser(), Event: e,
		Object: what, Reason: why, Result: r})
	return err
}

// reconfigure puts another configuration in force, or leaves all as it is.
func (n *node) reconfigure(reload func() (cardswitch.Config, error)) error {
	config, err := reload()
	if err != nil {
		return err
	}
	old := n.config.Load()
	if config.Production != old.Production || !config.Keys.Same(&old.Keys) ||
		config.Audit != old.Audit || config.Vault != old.Vault {
		return errors.New("production, keys, audit and vault change at a restart only")
	}
	if err := n.Switch.Reload(config); err != nil {
		return err
	}
	tellLegacy(n.log, &config)
	n.config.Store(&config)
	return nil
}

func (n *node) closeKeys() (err error) {
	if n.keys != nil {
		err = n.keys.Close()
	}
	if n.evidence != nil {
		err = errors.Join(err, n.evidence.Close())
	}
	return err
}

// watcher tells the audit log what concerns the security of messages; they come after it is open.
type watcher struct{ n *node }

// Append is vault's.
func (w watcher) Append(ctx context.Context, e audit.Entry) (uint64, error) {
	return w.n.evidence.Append(ctx, e)
}

// Security is cardswitch's.
func (w watcher) Security(e cardswitch.SecurityEvent) { w.n.evidence.Security(e) }

func (n *node) closeDoors() error {
	err := n.operators.Close()
	if n.public != nil {
		err = errors.Join(err, n.public.Close())
	}
	return err
}

// run serves until ctx ends and the switch has drained. The operators can watch it drain.
func (n *node) run(ctx context.Context) error {
	doors, closeDoors := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- n.admin.Serve(doors, n.operators, n.public) }()
	var tended sync.WaitGroup
	tended.Go(func() { n.keys.Tend(doors, n.log) })
	tended.Go(func() { n.tendBackups(doors) })
	tended.Go(func() { n.tendTails(doors) })
	err := n.Switch.Run(ctx)
	closeDoors()
	tended.Wait()
	err = errors.Join(err, <-served, n.keys.Close())
	stopped := audit.Done
	if err != nil {
		stopped = audit.Failed
	}
	return errors.Join(err, n.tell(context.WithoutCancel(ctx), audit.SystemStopped, stopped, "", ""),
		n.evidence.Close())
}

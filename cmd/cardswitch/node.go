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
	"cardswitch/dr/replica"
	"cardswitch/dr/replica/wire"
	"cardswitch/dr/role"
	"cardswitch/hsm"
	"cardswitch/spec/dialect"
	"cardswitch/store"
	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
	"cardswitch/switch/evidence"
	"cardswitch/switch/keys"
	"cardswitch/switch/link"
	"cardswitch/switch/link/warm"
)

// node is what `start` and `demo` run: the doors of the operators, the journal, the node's part in
// its cluster, and while it is the active node, the switch. A node alone is a cluster of one.
type node struct {
	log      *slog.Logger
	config   atomic.Pointer[cardswitch.Config]
	deps     cardswitch.Deps
	reload   func() (cardswitch.Config, error)
	evidence *evidence.Log
	module   hsm.Module
	store    *store.Store
	replica  *replica.Replica
	roles    *role.Loop
	wire     *wire.Transport // nil: alone
	claims   bool            // its journal was brought back, and nobody has agreed to it yet
	metrics  *prometheus.Registry
	front    admin.Front
	active   atomic.Pointer[active]         // nil while it follows
	takeover atomic.Pointer[admin.Takeover] // the last one

	takeovers atomic.Uint64
	warm      *warm.Holder // connections to issuers, while it follows
	early     earlyKeys    // for their envelopes and codes
	fetching  sync.Mutex   // held while a file of the active node is put in place
	site      site

	house    *house     // of a shard; nil: there is one journal for all
	lent     *keys.Copy // of merchants' keys, which are the first shard's
	passages *passages  // where merchants' connections come to a shard

	backing       sync.Mutex // held while a backup is made
	backupMetrics backupMetrics
	archiver      atomic.Pointer[backup.Archiver] // of tails; nil: none is at work

	practice practice

	operators, public net.Listener

	next *next // nil: it can't start anew
}

// newNode opens the doors, the journal and the security module, and takes part in the cluster. A
// node alone is active when it returns. Reload brings the configuration anew; next is what a
// restart starts, nil if there is to be none.
func newNode(ctx context.Context, config cardswitch.Config, deps cardswitch.Deps,
	reload func() (cardswitch.Config, error), next *next) (*node, error) {
	n := &node{log: deps.Log, deps: deps, reload: reload, next: next, site: newSite()}
	n.config.Store(&config)
	if err := n.open(ctx, &config); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

func (n *node) open(ctx context.Context, config *cardswitch.Config) (err error) {
	// The socket first: it tells whether another cardswitch runs on this data.
	if err := os.MkdirAll(filepath.Dir(config.Admin.Socket), 0o750); err != nil {
		return fmt.Errorf("make the socket's folder: %w", err)
	}
	if n.operators, err = admin.ListenSocket(config.Admin.Socket); err != nil {
		return failed(err, "`cardswitch status` asks who answers there")
	}
	if config.Admin.HTTP != "" {
		if n.public, err = n.next.listen(config.Admin.HTTP); err != nil {
			return fmt.Errorf("admin.http: %w", err)
		}
	}
	n.metrics = prometheus.NewRegistry()
	n.metrics.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	n.newBackupMetrics()
	n.warm = warm.New(n.log)
	dialers, err := n.warmLinks(config)
	if err != nil {
		return err
	}
	n.warm.Set(dialers)
	// Then the journal's lock: two processes must not write one key store.
	o := config.StoreOptions()
	o.FS, o.Logger = n.deps.Disk, n.log
	o.LogOnly = isWitness(config)
	if n.store, err = store.Open(o); err != nil {
		return err
	}
	if n.evidence, err = evidence.Open(&config.Audit, n.log); err != nil {
		return err
	}
	if !isWitness(config) { // it never leads, so it holds no keys
		if err := n.openModule(ctx, config); err != nil {
			return err
		}
		if config.Cluster != nil {
			if err := n.openEarlyKeys(ctx); err != nil {
				return err
			}
		}
	}
	restored, err := n.restored()
	if err != nil {
		return err
	}
	if err := n.takePart(config); err != nil {
		return err
	}
	n.metrics.MustRegister(newClusterMetrics(n), newDrillMetrics(n))
	n.front.Show(n.standbyServer())
	if err := n.tell(ctx, audit.SystemStarted, audit.Done, "node "+config.Node, ""); err != nil {
		return err
	}
	if restored != "" {
		n.log.Warn("the journal was brought back from a backup", "is", restored, "hint", "what was done "+
			"after it isn't in it: compare with every center; see README, backups")
		if err := n.tell(ctx, audit.BackupRestored, audit.Done, restored, ""); err != nil {
			return err
		}
	}
	if n.roles = n.newRoles(); n.wire == nil {
		return n.roles.Await(ctx)
	}
	return nil
}

func isWitness(config *cardswitch.Config) bool {
	return config.Cluster != nil && config.Cluster.Role == cardswitch.NodeWitness
}

// openModule opens the security module. In production the first start waits until people have made
// the master key over the operators' socket, which is then open again.
func (n *node) openModule(ctx context.Context, config *cardswitch.Config) error {
	words, err := makeFolders(config)
	if err != nil {
		return err
	}
	defer clear(words)
	o := keys.Options{Passphrase: words, Logger: n.log}
	n.module, err = keys.OpenModule(ctx, config, o)
	if errors.Is(err, keys.ErrNoMaster) {
		n.operators, err = makeMaster(ctx, config, n.log, n.operators, words, n.evidence)
		if err == nil {
			n.module, err = keys.OpenModule(ctx, config, o)
		}
	}
	if err != nil {
		return err
	}
	tellCaps(n.log, n.module, config.Production)
	tellLegacy(n.log, config)
	return nil
}

// tell records what the program itself does, in the name of who runs it.
func (n *node) tell(ctx context.Context, e audit.Event, r audit.Result, what, why string) error {
	_, err := n.evidence.Append(ctx, audit.Entry{Actor: "cardswitch", Role: currentUser(), Event: e,
		Object: what, Reason: why, Result: r})
	return err
}

// reconfigure puts another configuration in force, or leaves all as it is.
func (n *node) reconfigure() error {
	if n.house != nil {
		return n.house.reconfigure()
	}
	config, err := n.reload()
	if err != nil {
		return err
	}
	return n.adopt(&config)
}

var errFixed = errors.New("production, keys, audit, vault and cluster change at a restart only")

func (n *node) adopt(config *cardswitch.Config) error {
	old := n.config.Load()
	if config.Production != old.Production || !config.Keys.Same(&old.Keys) ||
		config.Audit != old.Audit || config.Vault != old.Vault ||
		!config.Cluster.Same(old.Cluster) {
		return errFixed
	}
	dialers, err := n.warmLinks(config)
	if err != nil {
		return err
	}
	if a := n.active.Load(); a != nil {
		if err := a.Switch.Reload(*config); err != nil {
			return err
		}
	}
	n.warm.Set(dialers)
	tellLegacy(n.log, config)
	n.config.Store(config)
	return nil
}

// warmLinks are those of which connections are to be ready before this node is the active one. A
// witness never is.
func (n *node) warmLinks(config *cardswitch.Config) ([]*link.Dialer, error) {
	if isWitness(config) {
		return nil, nil
	}
	return config.WarmLinks(dialect.Builtin, &n.early, n.deps.Seed, n.deps.Dial)
}

// watcher tells the audit log what concerns the security of messages.
type watcher struct{ n *node }

// Append is vault's.
func (w watcher) Append(ctx context.Context, e audit.Entry) (uint64, error) {
	return w.n.evidence.Append(ctx, e)
}

// Security is cardswitch's.
func (w watcher) Security(e cardswitch.SecurityEvent) { w.n.evidence.Security(e) }

// close ends what was opened, in the order in which one needs the other.
func (n *node) close() (err error) {
	if a := n.active.Load(); a != nil {
		err = a.Close()
	}
	if n.warm != nil {
		n.warm.Close()
	}
	if n.wire != nil {
		err = errors.Join(err, n.wire.Wire().Close())
	}
	if n.replica != nil {
		n.replica.Close()
	}
	if n.store != nil {
		err = errors.Join(err, n.store.Close())
	}
	if n.lent != nil {
		err = errors.Join(err, n.lent.Close()) // before the module that they are in
	}
	err = errors.Join(err, n.early.close())
	if n.module != nil {
		err = errors.Join(err, n.module.Close())
	}
	if n.evidence != nil {
		err = errors.Join(err, n.evidence.Close())
	}
	for _, door := range []net.Listener{n.operators, n.public} {
		if door != nil {
			_ = door.Close() // whoever served it may have
		}
	}
	return err
}

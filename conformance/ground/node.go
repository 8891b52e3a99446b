package ground

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
	"cardswitch/switch/evidence"
)

// Node is a running switch with the doors of its operators.
type Node struct {
	*cardswitch.Switch
	Metrics *prometheus.Registry
	Admin   *admin.Server
	Socket  string // the operators' door
	Stop    func() // drains and closes; the test's end does so too

	ground *Ground
	config cardswitch.Config
	log    *slog.Logger
}

// StartNode runs a switch with its admin server, as the program does.
func (g *Ground) StartNode(t *testing.T, c cardswitch.Config, log *slog.Logger) *Node {
	t.Helper()
	c.Complete()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	n := &Node{Metrics: prometheus.NewRegistry(), ground: g, config: c, log: log,
		Socket: filepath.Join(filepath.Dir(c.Data.Dir), "admin.sock")}
	n.Metrics.MustRegister(collectors.NewGoCollector())
	operators, err := admin.ListenSocket(n.Socket)
	if err != nil {
		t.Fatal(err)
	}
	record, err := evidence.Open(&c.Audit, log)
	if err != nil {
		t.Fatal(errors.Join(err, operators.Close()))
	}
	n.Switch, err = cardswitch.New(c, cardswitch.Deps{Audit: record, Security: record,
		Listen: g.Listen, Dial: g.Dial, Log: log,
		Metrics: n.Metrics, Keys: g.keys})
	if err != nil {
		t.Fatal(errors.Join(err, operators.Close()))
	}
	n.Admin = admin.New(admin.Options{Switch: n.Switch, Journal: n.Journal(),
		Names: n.Journal().Registry(), Metrics: n.Metrics, Logger: log, Audit: record,
		Evidence: record, Settlement: n.Switch,
		Reload: func() error { return n.Reload(c) }})
	if v := n.Vault(); v != nil {
		n.Admin.Vault, n.Admin.Rewrap = v, n.Rewrap
	}
	ctx, cancel := context.WithCancel(context.Background())
	doors, closeDoors := context.WithCancel(context.Background())
	done, served := make(chan error, 1), make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	go func() { served <- n.Admin.Serve(doors, operators, nil) }()
	n.Stop = sync.OnceFunc(func() {
		cancel()
		err := <-done
		closeDoors()
		if err := errors.Join(err, <-served, record.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(n.Stop)
	return n
}

// Again starts the switch of a node that was stopped anew, on the same data and keys.
func (n *Node) Again(t *testing.T) *Node {
	t.Helper()
	return n.ground.StartNode(t, n.config, n.log)
}

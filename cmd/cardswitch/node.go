package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

// node is a switch with the doors of its operators: what `start` and `demo` run.
type node struct {
	*cardswitch.Switch
	admin             *admin.Server
	metrics           *prometheus.Registry
	operators, public net.Listener
}

// newNode opens the doors, then the switch. Reload brings the configuration anew.
func newNode(config cardswitch.Config, deps cardswitch.Deps,
	reload func() (cardswitch.Config, error)) (*node, error) {
	n := &node{}
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
	n.metrics = prometheus.NewRegistry()
	n.metrics.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	deps.Metrics = n.metrics
	if n.Switch, err = cardswitch.New(config, deps); err != nil {
		return nil, errors.Join(err, n.closeDoors())
	}
	n.admin = admin.New(admin.Options{
		Switch:  n.Switch,
		Journal: n.Switch.Journal(),
		Names:   n.Switch.Journal().Registry(),
		Metrics: n.metrics,
		Logger:  deps.Log,
		Reload: func() error {
			config, err := reload()
			if err != nil {
				return err
			}
			return n.Switch.Reload(config)
		},
	})
	return n, nil
}

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
	err := n.Switch.Run(ctx)
	closeDoors()
	return errors.Join(err, <-served)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/dr/replica/wire"
	"cardswitch/hsm/keyring"
	"cardswitch/routing"
	"cardswitch/spec/dialect"
	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/door"
	"cardswitch/switch/link/keyorder"
	"cardswitch/switch/txn"
)

// program is what `start` runs: a node, or a house of several.
type program interface {
	run(ctx context.Context) error
	alive() bool
	reconfigure() error
	Restart(ctx context.Context) error
	tell(ctx context.Context, e audit.Event, r audit.Result, what, why string) error
}

// house is this machine's part in a cluster with several shards: a node a shard, all at one address
// for the other machines, and one door for the merchants.
type house struct {
	log    *slog.Logger
	config atomic.Pointer[cardswitch.Config]
	reload func() (cardswitch.Config, error)
	groups *wire.Groups
	nodes  []*node
	door   *door.Door // nil: a witness serves nobody
	keys   *lentKeys  // of merchants; nil: a witness has none

	reloading sync.Mutex
	routes    *routing.Table // under reloading
}

// newProgram makes what the configuration says.
func newProgram(ctx context.Context, config cardswitch.Config, deps cardswitch.Deps,
	reload func() (cardswitch.Config, error), next *next) (program, error) {
	if len(config.Shards()) == 0 {
		return newNode(ctx, config, deps, reload, next)
	}
	return newHouse(ctx, config, deps, reload)
}

func newHouse(ctx context.Context, config cardswitch.Config, deps cardswitch.Deps,
	reload func() (cardswitch.Config, error)) (*house, error) {
	h := &house{log: deps.Log, reload: reload}
	h.config.Store(&config)
	if err := h.open(ctx, &config, deps); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *house) open(ctx context.Context, config *cardswitch.Config,
	deps cardswitch.Deps) (err error) {
	if h.groups, err = wire.ListenGroups(config.Cluster.Listen); err != nil {
		return err
	}
	for _, name := range config.Shards() {
		own, _ := config.Shard(name)
		n := &node{deps: deps, house: h, site: newSite(), passages: newPassages()}
		n.log = deps.Log.With("shard", name)
		n.deps.Log, n.deps.Listen = n.log, n.passages.listen
		n.config.Store(&own)
		if err := n.open(ctx, &own); err != nil {
			return errors.Join(fmt.Errorf("shard %s: %w", name, err), n.close())
		}
		h.nodes = append(h.nodes, n)
	}
	if !isWitness(config) {
		if err := h.lendAll(ctx); err != nil {
			return err
		}
	}
	c, err := h.doorOf(config)
	if err != nil {
		return err
	}
	if h.routes = c.Routes.Table; isWitness(config) {
		return nil
	}
	if err := h.openDoor(config, c); err != nil {
		return err
	}
	h.nodes[0].metrics.MustRegister(newDoorMetrics(h.door))
	return nil
}

func (h *house) openDoor(config *cardswitch.Config, c door.Config) (err error) {
	c.Logger = h.log.With("part", "door")
	c.Keys, c.Orders = h.keys, h.nodes[0].openOrders
	for i, name := range config.Shards() {
		n := h.nodes[i]
		c.Shards = append(c.Shards, door.Shard{Name: name, Place: n.place, Open: n.openWay})
	}
	h.door, err = door.New(c)
	return err
}

// doorOf is what a door must know of a configuration.
func (h *house) doorOf(config *cardswitch.Config) (c door.Config, err error) {
	c.Institution, c.Patience = config.Institution, make(map[string]time.Duration)
	if c.Centers, err = config.DoorCenters(dialect.Builtin, h.keys); err != nil {
		return c, err
	}
	for i := range config.Centers {
		c.Patience[config.Centers[i].Name] = config.Centers[i].AnswerTime
	}
	if c.Routes.Table, err = config.Routes(); err != nil {
		return c, err
	}
	if h.keys != nil {
		first := h.nodes[0]
		c.Codes, err = config.DoorCodes(dialect.Builtin, first.module, first.lent.Ring())
		if err != nil {
			return c, err
		}
	}
	for _, issuer := range config.Issuers() {
		c.Routes.Shards = append(c.Routes.Shards, config.ShardOf(issuer))
	}
	return c, nil
}

// run serves until ctx ends: then merchants go elsewhere, and the shards that are active here.
func (h *house) run(ctx context.Context) error {
	serving, stop := context.WithCancel(ctx)
	defer stop()
	working, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	errs := make([]error, len(h.nodes))
	var nodes sync.WaitGroup
	for i, n := range h.nodes {
		nodes.Go(func() {
			errs[i] = n.run(working)
			stop() // one that ends by itself takes the others along
		})
	}
	var err error
	if h.door == nil {
		<-serving.Done()
	} else {
		err = h.door.Run(serving)
	}
	end()
	nodes.Wait()
	return errors.Join(append(errs, err, h.groups.Close())...)
}

// close ends what was opened of a house that never ran.
func (h *house) close() (err error) {
	for _, n := range h.nodes {
		err = errors.Join(err, n.close())
	}
	if h.groups != nil {
		err = errors.Join(err, h.groups.Close())
	}
	return err
}

func (h *house) alive() bool {
	for _, n := range h.nodes {
		if !n.alive() {
			return false
		}
	}
	return true
}

// reconfigure puts another configuration in force for all shards and the door.
func (h *house) reconfigure() error {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	config, err := h.reload()
	if err != nil {
		return err
	}
	if !config.Cluster.Same(h.config.Load().Cluster) {
		return errFixed
	}
	c, err := h.doorOf(&config)
	if err != nil {
		return err
	}
	if err := h.config.Load().KeepsShards(h.routes, c.Routes.Table); err != nil {
		return err
	}
	for _, n := range h.nodes {
		own, _ := config.Shard(n.config.Load().Cluster.Shard)
		if err := n.adopt(&own); err != nil {
			return fmt.Errorf("shard %s: %w", own.Cluster.Shard, err)
		}
	}
	h.config.Store(&config)
	h.routes = c.Routes.Table
	if h.door == nil {
		return nil
	}
	h.keys.Anew()
	return h.door.Reload(c)
}

// Restart is program's.
func (h *house) Restart(context.Context) error { return errClustered }

// wantKey has the first shard told that another one and a merchant don't agree on a key.
func (h *house) wantKey(slot keyring.Slot, why txn.Reason) {
	h.door.WantKey(keyorder.Want{Slot: slot.String(), Why: uint16(why)})
}

// tell has the first shard's audit log say what was done to all.
func (h *house) tell(ctx context.Context, e audit.Event, r audit.Result, what, why string) error {
	return h.nodes[0].tell(ctx, e, r, what, why)
}

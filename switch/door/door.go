// Package door takes merchants' connections on a node, and passes each message to the shard that
// decides on it, wherever that one is active.
//
// A door decides nothing about money and keeps nothing: it has the TCP connection, its TLS and its
// session. For each connection of a merchant, a visit, it holds one connection to each shard that
// was asked something, a way; to the shard that is one more connection of that merchant. Which
// shard a message is for, the card number alone says, so what follows a transaction goes where it
// went; what has no card goes to the first shard, and so do sign-ons, which the others are told.
//
// When a shard moves to another node or its node dies, what was asked and not answered is asked
// again there, byte for byte. The shard knows what it was asked before, and gives the same answer.
//
// Messages in envelopes are opened and sealed here. The link keys are the first shard's, which
// exchanges them with the merchants; a door uses those that this node's replica of its journal has,
// and tells it when all connections know a new one (package keyorder).
//
// Codes (MACs) and PINs pass through a door as they are: the shard that decides on a message checks
// its code and translates its PIN, and makes the code of what it says. A PIN block has to be opened
// there anyway, at the release, so each shard needs the merchants' keys; what a wrong code means is
// a decision that is journaled; and so nothing is different from one journal, but for whose copy of
// the keys it is. A shard that hasn't the generation that a message names refuses it. A door makes
// and checks codes only of what it says itself.
//
// Goroutines: those of package link; watches; one keep a way, with a writer while it stands; one
// speaks a visit with codes; tendsKeys and obeys.
package door

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/routing"
	"cardswitch/spec"
	"cardswitch/switch/link"
)

// Shard is how one shard is reached.
type Shard struct {
	Name string
	// Place is the node where it is active, 0 if none is known.
	Place func() uint64
	// Open opens a connection to it for one of a merchant's.
	Open func(ctx context.Context, v Visitor) (net.Conn, error)
}

// Visitor is what a shard is told of a merchant's connection.
type Visitor struct {
	Center, Link string
	From         net.Addr // the merchant's address
	Envelope     string   // how its messages are encrypted; empty: they aren't
	SignedOn     bool
}

// Config is all that a door must know.
type Config struct {
	Centers     []link.CenterConfig // the merchants
	Routes      Routes
	Shards      []Shard
	Institution string
	Patience    map[string]time.Duration // by center: how long it waits for an answer
	Logger      *slog.Logger
	Listen      func(address string) (net.Listener, error) // nil: TCP

	Codes Codes // of what the door says itself; nil: there are none
	Keys  Keys  // of links with an envelope; nil: there are none
	// Orders opens a connection with the switch of the first shard about those keys (package
	// keyorder).
	Orders func(ctx context.Context) (net.Conn, error)
}

// Routes says to which shard a card's messages go.
type Routes struct {
	Table *routing.Table
	// Shards is the place of the shard of each of the table's destinations.
	Shards []int
}

// shardOf is the place of the shard that a message is for.
func (r *Routes) shardOf(m *spec.Message) int {
	pan := m.PAN()
	if pan.IsZero() {
		return 0
	}
	q := r.Table.Query(m, 0)
	if route, ok := r.Table.Nearest(q.PAN); ok {
		return r.Shards[route.To[0]]
	}
	return 0
}

// Door is one node's.
type Door struct {
	config  Config
	log     *slog.Logger
	network *link.Network
	routes  atomic.Pointer[Routes]
	patient atomic.Pointer[map[string]time.Duration]
	codes   atomic.Pointer[Codes]
	wrong   atomic.Uint64 // codes of answers to the door
	counts  []counts
	// gates are, by shard, for those that open a way to it.
	gates []chan struct{}
	// merchants are the configured ones.
	merchants atomic.Pointer[[]link.CenterConfig]
	keys      keyState
	obeying   atomic.Bool

	stan   atomic.Uint32 // of what the door sends itself
	lost   atomic.Int64  // unix nanoseconds since when no shard's place is known; 0: one is
	visits sync.WaitGroup

	mu   sync.Mutex
	here map[*visit]bool
}

// counts are those of one shard.
type counts struct{ passed, again, dropped atomic.Uint64 }

// Counts are the messages of merchants: passed to a shard, passed again after it moved, and left
// unanswered, because too much waited.
type Counts struct {
	Shard                  string
	Passed, Again, Dropped uint64
}

const (
	watch = 10 * time.Millisecond
	// lostAfter is how long no shard may be reached until merchants are sent to other nodes: this one
	// is cut off.
	lostAfter = 500 * time.Millisecond
	// dutyEvery is how often sessions are looked after, in watches.
	dutyEvery = 20
)

// New makes a door. It listens from Run on.
func New(c Config) (*Door, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Door{config: c, log: c.Logger, counts: make([]counts, len(c.Shards)),
		here: make(map[*visit]bool), keys: keyState{turned: make(map[string]turn)}}
	for range c.Shards {
		d.gates = append(d.gates, make(chan struct{}, openAtOnce))
	}
	d.routes.Store(&c.Routes)
	d.patient.Store(&c.Patience)
	d.codes.Store(&c.Codes)
	d.merchants.Store(&c.Centers)
	var err error
	d.network, err = link.New(link.Config{Centers: c.Centers, Logger: c.Logger, Listen: c.Listen,
		MayLeave: func() bool { return !d.cutOff() }}, d)
	return d, err
}

// Reload takes the centers, routes, patience and codes of another configuration.
func (d *Door) Reload(c Config) error {
	if err := d.network.Reconfigure(c.Centers); err != nil {
		return err
	}
	d.routes.Store(&c.Routes)
	d.patient.Store(&c.Patience)
	d.codes.Store(&c.Codes)
	d.merchants.Store(&c.Centers)
	return nil
}

// Counts are those of each shard.
func (d *Door) Counts() []Counts {
	out := make([]Counts, len(d.counts))
	for i := range d.counts {
		c := &d.counts[i]
		out[i] = Counts{d.config.Shards[i].Name, c.passed.Load(), c.again.Load(), c.dropped.Load()}
	}
	return out
}

// Network is what is below.
func (d *Door) Network() *link.Network { return d.network }

const drainWait = 10 * time.Second

// Run serves until ctx ends. Then it takes nothing new and waits for what is on its way.
func (d *Door) Run(ctx context.Context) error {
	links, stop := context.WithCancel(context.Background())
	defer stop()
	if err := d.network.Start(links); err != nil {
		return err
	}
	var watching sync.WaitGroup
	watching.Go(func() { d.watches(links) })
	if d.config.Keys != nil {
		watching.Go(func() { d.tendsKeys(links) })
		watching.Go(func() { d.obeys(links) })
	}
	<-ctx.Done()
	draining, cancel := context.WithTimeout(context.Background(), drainWait)
	defer cancel()
	if err := d.network.Drain(draining); err != nil {
		d.log.Warn("not every merchant could be let go in order", "error", err)
	}
	stop()
	d.network.Wait()
	watching.Wait()
	d.visits.Wait()
	return nil
}

// watches follows the shards from node to node, and looks after sessions.
func (d *Door) watches(ctx context.Context) {
	ticker := time.NewTicker(watch)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		d.follow(time.Now())
		if n%dutyEvery == 0 {
			d.duties(time.Now())
		}
	}
}

// follow ends ways to nodes where their shards aren't active any more.
func (d *Door) follow(now time.Time) {
	known := false
	places := make([]uint64, len(d.config.Shards))
	for i := range d.config.Shards {
		places[i] = d.config.Shards[i].Place()
		known = known || places[i] != 0
	}
	if known {
		d.lost.Store(0)
	} else if d.lost.Load() == 0 {
		d.lost.Store(now.UnixNano())
	}
	for _, v := range d.all() {
		for _, w := range v.ways {
			w.follow(places[w.shard])
		}
	}
}

// cutOff tells whether this node reaches no shard.
func (d *Door) cutOff() bool {
	since := d.lost.Load()
	return since != 0 && time.Now().UnixNano()-since > int64(lostAfter)
}

func (d *Door) all() []*visit {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*visit, 0, len(d.here))
	for v := range d.here {
		list = append(list, v)
	}
	return list
}

// duties sends the echo tests and sign-offs that are owed, and forgets what nobody waits for.
func (d *Door) duties(now time.Time) {
	for _, v := range d.all() {
		if duty := v.link.Due(now); duty != link.Nothing {
			d.manage(v, duty)
		}
		if patience := (*d.patient.Load())[v.link.Center().Name()]; patience > 0 {
			for _, w := range v.ways {
				w.forget(now.Add(-patience))
			}
		}
	}
}

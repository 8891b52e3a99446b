package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config says who the node is and whom it knows.
type Config struct {
	Cluster string
	Group   string // which of the groups that share an address, see Groups; "": there are none
	// Generation is 0 of a node whose journal was brought back from a backup, as long as nobody has
	// agreed that it goes on: it is refused by all, refuses all, and supersedes nobody.
	Generation uint64
	Node       uint64
	DataKey    [8]byte // names the journal's key; zero: the node keeps no journal
	Listen     string  // address to listen on
	Address    string  // at which the others reach it
	Peers      []Peer  // that it knows of; who dials it and has a certificate is one too
	Identity   *Identity
	Program    Program      // the node's own
	Level      func() uint8 // of its journal now, see store.Level; nil: it has none

	// Receive is given each message, in the order of its sender. It is valid during the call, which
	// may block: then that sender's messages wait, and more of them are lost.
	Receive func(from uint64, message []byte)
	// Ended is told that a connection with a node has ended that was for messages.
	Ended func(node uint64)
	// Serve writes what a peer asked for by Stream; nil: nothing is served.
	Serve func(ctx context.Context, from uint64, request string, to io.Writer) error
	// Takes says why no connection of which a peer says that can be passed on to this node now; nil if
	// it can. It is asked before the peer is answered.
	Takes func(what string) error
	// Take is given such a connection; nil: none are taken. Whether it returns an error or not, the
	// connection is its own from then on.
	Take func(from uint64, what string, conn net.Conn) error
	// Superseded is told once that there is a higher generation: this node must stop for good.
	Superseded func(generation uint64)

	Logger *slog.Logger
	// Net and Dial are where connections come from; nil is TCP.
	Net  func(address string) (net.Listener, error)
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// Peer is another node.
type Peer struct {
	Node    uint64
	Address string
}

// Bounds.
const (
	// queueBytes is how many bytes of messages wait for a peer. One alone may be larger: raft sends an
	// entry again until it arrives, so what doesn't fit now must fit some time.
	queueBytes = 8 << 20
	// silence is how long a peer may be silent, or take nothing, until the connection is given up.
	// A ping goes out each third of it.
	silence   = 3 * time.Second
	shakeTime = 2 * time.Second
	redialMin = 20 * time.Millisecond
	redialMax = 500 * time.Millisecond
	// streamTime bounds a stream's standstill.
	streamTime = 10 * time.Second
	// mostConns bounds the connections that came: a few of each peer, and those of strangers, who have
	// shakeTime to show that they are none.
	mostConns = 256
)

// Wire is a node's end of all connections with the others.
type Wire struct {
	config   Config
	log      *slog.Logger
	listener net.Listener
	began    time.Time // pings carry the time since
	ctx      context.Context
	cancel   context.CancelFunc
	done     sync.WaitGroup
	left     sync.Once // superseded
	highest  atomic.Uint64

	mu    sync.Mutex
	peers map[uint64]*peer
	out   map[uint64]bool      // who was taken out
	conns map[net.Conn]bool    // that came
	said  map[string]time.Time // why connections ended, and when that was logged
	// passes are those that centers' connections go over.
	passes map[net.Conn]bool
}

// Start listens and dials until Close.
func Start(c Config) (*Wire, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Net == nil {
		c.Net = listenTCP
	}
	if c.Dial == nil {
		c.Dial = dialTCP
	}
	if c.Program.Reads == 0 {
		c.Program = unnamed
	}
	if c.Ended == nil {
		c.Ended = func(uint64) {}
	}
	if c.Receive == nil {
		c.Receive = func(uint64, []byte) {}
	}
	w := &Wire{config: c, log: c.Logger, peers: make(map[uint64]*peer), out: make(map[uint64]bool),
		conns: make(map[net.Conn]bool), passes: make(map[net.Conn]bool),
		said: make(map[string]time.Time), began: time.Now()}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	var err error
	if w.listener, err = c.Net(c.Listen); err != nil {
		return nil, fmt.Errorf("cluster.listen: %w", err)
	}
	for _, p := range c.Peers {
		w.meet(p)
	}
	w.done.Go(w.accept)
	return w, nil
}

// Addr is where it listens.
func (w *Wire) Addr() net.Addr { return w.listener.Addr() }

// meet makes a node a peer: it is dialled from now on. One that has moved is dialled at its new
// address.
func (w *Wire) meet(one Peer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.peers[one.Node]
	if one.Node == w.config.Node || one.Address == "" || w.out[one.Node] || w.ctx.Err() != nil ||
		known != nil && known.Address == one.Address {
		return
	}
	if known != nil {
		known.stop()
	}
	p := newPeer(w, one)
	w.peers[one.Node] = p
	w.done.Go(p.keep)
}

// part cuts a node off that was taken out of the cluster, for good.
func (w *Wire) part(node uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out[node] = true
	if p := w.peers[node]; p != nil {
		p.stop()
		delete(w.peers, node)
	}
}

func (w *Wire) isOut(node uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out[node]
}

func (w *Wire) peer(node uint64) (*peer, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, ok := w.peers[node]
	return p, ok
}

// Send queues a message, of which it keeps nothing. False: it was dropped, because the peer is not
// connected, takes too little, or isn't known.
func (w *Wire) Send(to uint64, message []byte) bool {
	p, ok := w.peer(to)
	return ok && p.send(message)
}

// Close ends all connections.
func (w *Wire) Close() error {
	if w.ctx.Err() != nil {
		return nil
	}
	w.cancel()
	err := w.listener.Close()
	w.mu.Lock()
	for c := range w.conns {
		_ = c.Close() // it may have ended
	}
	for c := range w.passes {
		_ = c.Close()
	}
	w.mu.Unlock()
	w.done.Wait()
	return err
}

// superseded tells once that a higher generation was heard.
func (w *Wire) superseded(generation uint64) {
	if generation <= w.config.Generation || w.config.Generation == 0 {
		return
	}
	w.left.Do(func() {
		w.log.Error("another site was promoted: this node stops for good", "generation", generation,
			"own", w.config.Generation, "hint", "keep its data for the comparison; then let it join anew")
		if w.config.Superseded != nil {
			go w.config.Superseded(generation)
		}
	})
}

// notes that a node lives, and of which generation it is.
func (w *Wire) notes(node, generation uint64) {
	if p, ok := w.peer(node); ok {
		p.heardNS.Store(time.Now().UnixNano())
	}
	for {
		known := w.highest.Load()
		if generation <= known || w.highest.CompareAndSwap(known, generation) {
			return
		}
	}
}

// Highest is the highest generation that was heard of another node, 0 if there was none.
func (w *Wire) Highest() uint64 { return w.highest.Load() }

// Status is how the connections with the peers stand, by node.
func (w *Wire) Status() []PeerStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]PeerStatus, 0, len(w.peers))
	for _, p := range w.peers {
		out = append(out, p.status())
	}
	slices.SortFunc(out, func(a, b PeerStatus) int { return int(a.Node) - int(b.Node) })
	return out
}

// Reads is the newest level of a journal that all of these nodes can read; 0: one isn't connected,
// and may come with any program.
func (w *Wire) Reads(nodes []uint64) uint8 {
	lowest := w.config.Program.Reads
	for _, id := range nodes {
		if id == w.config.Node {
			continue
		}
		p, ok := w.peer(id)
		if !ok {
			return 0
		}
		s := p.status()
		if !s.Connected {
			return 0
		}
		lowest = min(lowest, s.Program.Reads)
	}
	return lowest
}

var errClosed = errors.New("the connection was ended here")

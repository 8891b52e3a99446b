package link

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Network is all centers with their lines.
type Network struct {
	handler Handler
	logger  *slog.Logger
	listen  func(address string) (net.Listener, error)
	dial    func(ctx context.Context, address string) (net.Conn, error)
	ready   func() []*Idle
	seed    uint64
	fence   fence
	term    uint64
	epoch   time.Time // times are kept as time since then: wall clocks jump

	connections atomic.Uint64
	stopping    atomic.Bool // connects no more
	left        chan struct{}
	done        sync.WaitGroup

	mu      sync.Mutex
	ctx     context.Context // of Start; nil before
	centers []*Center
	leaving []*Center // removed, with links still draining
	ports   map[string]*port
}

// New checks the configuration and reads the certificates. Centers and lines are there from now on,
// connections from Start on.
func New(config Config, handler Handler) (*Network, error) {
	n := &Network{
		handler: handler,
		logger:  config.Logger,
		listen:  config.Listen,
		dial:    config.Dial,
		ready:   config.Ready,
		seed:    config.Seed,
		term:    config.Term,
		epoch:   time.Now(),
		left:    make(chan struct{}, 1),
		ports:   map[string]*port{},
	}
	if n.logger == nil {
		n.logger = slog.Default()
	}
	n.fence.mayLeave, n.fence.logger = config.MayLeave, n.logger
	// Both set TCP_NODELAY and TCP keep-alive by themselves.
	if n.listen == nil {
		n.listen = func(address string) (net.Listener, error) { return net.Listen("tcp", address) }
	}
	if n.dial == nil {
		n.dial = dialTCP
	}
	if n.ready == nil {
		n.ready = func() []*Idle { return nil }
	}
	if err := n.Reconfigure(config.Centers); err != nil {
		return nil, err
	}
	return n, nil
}

// Start listens and dials until ctx ends. An address that can't be listened on is an error.
func (n *Network) Start(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	lines := linesOf(n.centers)
	opened, err := n.open(lines)
	if err != nil {
		return err
	}
	n.ctx = ctx
	n.assign(lines, opened)
	ready := n.ready()
	for _, line := range lines {
		n.begin(line, line.fits(ready))
	}
	for _, c := range ready {
		if !c.used {
			c.Close()
		}
	}
	n.done.Add(1)
	context.AfterFunc(ctx, n.stop)
	return nil
}

// stop ends everything at once.
func (n *Network) stop() {
	defer n.done.Done()
	n.stopping.Store(true)
	n.mu.Lock()
	n.assign(nil, nil)
	centers := slices.Concat(n.centers, n.leaving)
	n.mu.Unlock()
	for _, c := range centers {
		c.stop()
	}
}

// Wait returns when every goroutine has ended after the end of the context.
func (n *Network) Wait() {
	n.mu.Lock()
	ctx := n.ctx
	n.mu.Unlock()
	if ctx == nil {
		return
	}
	<-ctx.Done()
	n.done.Wait()
}

// Fence lets nothing more out, for good, and resets every connection. What was queued is dropped.
func (n *Network) Fence() {
	n.fence.shut.Store(true)
	n.fence.refuses()
	for _, l := range n.Links() {
		l.fail(Fenced)
	}
}

// Run is Start and Wait.
func (n *Network) Run(ctx context.Context) error {
	if err := n.Start(ctx); err != nil {
		return err
	}
	n.Wait()
	return nil
}

// Drain drains every link, and closes those left when ctx ends. Nothing connects afterwards.
func (n *Network) Drain(ctx context.Context) error {
	n.stopping.Store(true)
	n.mu.Lock()
	n.assign(nil, nil)
	lines := linesOf(n.centers)
	n.mu.Unlock()
	for _, line := range lines {
		line.retire()
	}
	for {
		links := n.Links()
		if len(links) == 0 {
			return nil
		}
		select {
		case <-n.left:
		case <-ctx.Done():
			for _, l := range links {
				l.fail(Stopped)
			}
			return fmt.Errorf("drain: %d connections were cut: %w", len(links), ctx.Err())
		}
	}
}

// removed wakes Drain.
func (n *Network) removed() {
	select {
	case n.left <- struct{}{}:
	default:
	}
}

// Centers are those configured, in their order.
func (n *Network) Centers() []*Center {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.centers)
}

// Center is the one of that name, nil if there is none.
func (n *Network) Center(name string) *Center {
	for _, c := range n.Centers() {
		if c.name == name {
			return c
		}
	}
	return nil
}

// Links are all live connections, those of removed centers included.
func (n *Network) Links() []*Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leaving = slices.DeleteFunc(n.leaving, func(c *Center) bool { return len(c.Links()) == 0 })
	var out []*Link
	for _, c := range slices.Concat(n.centers, n.leaving) {
		out = append(out, c.Links()...)
	}
	return out
}

func (n *Network) now() time.Duration { return time.Since(n.epoch) }

func (n *Network) stopped() bool { return n.stopping.Load() }

// breaks closes the socket when the network stops, until it is called off.
func (n *Network) breaks(s *socket) func() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return context.AfterFunc(n.ctx, func() { s.Close() })
}

func linesOf(centers []*Center) []*Line {
	var out []*Line
	for _, c := range centers {
		out = append(out, c.Lines()...)
	}
	return out
}

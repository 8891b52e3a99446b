package link

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"time"
)

// backoff is how long a dialer waits: each time twice as long, with jitter, so that the links of a
// center that returns don't all come at once.
type backoff struct {
	config Redial
	next   time.Duration
	random *rand.Rand
}

func (n *Line) backoff() *backoff {
	return newBackoff(n.config.Redial, n.center.network.seed, n.fullName())
}

func newBackoff(config Redial, seed uint64, line string) *backoff {
	if seed == 0 {
		seed = rand.Uint64()
	}
	name := fnv.New64a()
	name.Write([]byte(line))
	return &backoff{config, config.First, rand.New(rand.NewPCG(seed, name.Sum64()))}
}

// wait is the time until the next dial, after a connection that stood that long.
func (b *backoff) wait(stood time.Duration) time.Duration {
	if stood >= b.config.Stable {
		b.next = b.config.First
	}
	half := b.next / 2
	b.next = min(2*b.next, b.config.Max)
	return half + time.Duration(b.random.Int64N(int64(half)+1))
}

// keep is the dialer: one dial at a time, then the connection, then a wait, until ctx ends. Ready
// is a connection that is there already; nil: none is.
func (n *Line) keep(ctx context.Context, ready *Idle) {
	backoff := n.backoff()
	if ready != nil && n.takes(ctx, ready) {
		return
	}
	for {
		for n.held.Load() {
			select {
			case <-n.resumed:
			case <-ctx.Done():
				return
			}
		}
		began := time.Now()
		err := guard(n.logger(), func() error { return n.connect(ctx) })
		if ctx.Err() != nil {
			return
		}
		stood := time.Since(began)
		if err != nil {
			n.dialFailures.Add(1)
			n.note(err)
			hint := "see that the center listens there and the network lets us through"
			if causeOf(err).isRefusal() {
				hint = hintOf(err)
			}
			n.logger().Warn("dial failed", "address", n.config.Dial, "error", err.Error(),
				"hint", hint)
			stood = 0
		}
		select {
		case <-time.After(backoff.wait(stood)):
		case <-n.resumed:
		case <-ctx.Done():
			return
		}
	}
}

// takes uses a connection that was dialled before the node was the active one, for its life, and
// tells whether ctx ended. Nothing has to be waited for afterwards: it may have been dead.
func (n *Line) takes(ctx context.Context, ready *Idle) (ended bool) {
	defer ready.Close()
	err := guard(n.logger(), func() error {
		trying, cancel := context.WithTimeout(ctx, n.config.ConnectTimeout)
		defer cancel()
		socket := ready.use(n.center.network)
		if ready.greeted != nil {
			return n.goesOn(socket, ready)
		}
		return n.begun(trying, socket, ready.conn)
	})
	if err != nil && ctx.Err() == nil {
		n.note(err)
		n.logger().Info("the connection that was kept ready can't be used; dialing", "error",
			err.Error())
	}
	return ctx.Err() != nil
}

// connect dials once and returns when the connection has ended. An error means there was none.
func (n *Line) connect(ctx context.Context) error {
	if !n.center.network.fence.open() {
		return n.center.network.fence.refuses()
	}
	trying, cancel := context.WithTimeout(ctx, n.config.ConnectTimeout)
	defer cancel()
	raw, err := n.center.network.dial(trying, n.config.Dial)
	if err != nil {
		return err
	}
	socket := n.center.network.socket(raw)
	conn, err := agree(trying, socket, n.secrets)
	if err != nil {
		n.ends[causeOf(err)].Add(1)
		return err
	}
	return n.begun(trying, socket, conn)
}

// begun agrees on the envelope, if the line has one, and is then the connection's life.
func (n *Line) begun(trying context.Context, socket *socket, conn net.Conn) error {
	stream := newStream(conn, &n.framing)
	if n.sealed == nil {
		return n.serve(newLink(n, socket, conn, stream, nil))
	}
	sealed, err := n.sealed.initiate(trying, socket, stream, n.fullName(), n.policy())
	if err != nil {
		socket.Close()
		n.ends[causeOf(err)].Add(1)
		return err
	}
	return n.serve(newLink(n, socket, conn, stream, sealed))
}

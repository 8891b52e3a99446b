package link

import (
	"context"
	"crypto/tls"
	"errors"
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
	seed := n.center.network.seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	name := fnv.New64a()
	name.Write([]byte(n.center.name + "/" + n.config.Name))
	return &backoff{n.config.Redial, n.config.Redial.First, rand.New(rand.NewPCG(seed, name.Sum64()))}
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

// keep is the dialer: one dial at a time, then the connection, then a wait, until ctx ends.
func (n *Line) keep(ctx context.Context) {
	backoff := n.backoff()
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
			if errors.Is(err, Refused) {
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
	if n.secrets == nil {
		return n.begun(trying, socket, socket)
	}
	conn := tls.Client(socket, n.secrets.client)
	if err := conn.HandshakeContext(trying); err != nil {
		raw.Close()
		if errors.Is(err, WrongName) {
			n.ends[WrongName].Add(1)
			return err
		}
		n.ends[HandshakeFail].Add(1)
		return because(HandshakeFail, err)
	}
	return n.begun(trying, socket, conn)
}

// begun agrees on the envelope, if the line has one, and is then the connection's life.
func (n *Line) begun(trying context.Context, socket *socket, conn net.Conn) error {
	stream := newStream(conn, &n.framing)
	if n.sealed == nil {
		return n.serve(newLink(n, socket, conn, stream, nil))
	}
	sealed, err := n.initiate(trying, socket, stream)
	if err != nil {
		socket.Close()
		n.ends[causeOf(err)].Add(1)
		return err
	}
	return n.serve(newLink(n, socket, conn, stream, sealed))
}

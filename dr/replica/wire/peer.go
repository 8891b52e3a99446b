package wire

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// peer is the way to another node.
type peer struct {
	Peer
	wire *Wire
	ctx  context.Context
	stop context.CancelFunc

	mu        sync.Mutex
	connected bool
	waiting   []byte // frames
	wake      chan struct{}

	version    atomic.Uint32
	program    atomic.Pointer[Program] // of the last connection
	bytesOut   atomic.Uint64
	bytesIn    atomic.Uint64
	sent, lost atomic.Uint64 // messages
	received   atomic.Uint64
	connects   atomic.Uint64
	tripNS     atomic.Int64 // of the last ping
	heardNS    atomic.Int64 // unix, when something last came from it
	lastError  atomic.Pointer[string]
}

// PeerStatus is how the way to another node stands.
type PeerStatus struct {
	Peer
	Connected bool
	Version   uint16
	Program   Program
	Trip      time.Duration // there and back; 0: not known
	Heard     time.Time
	BytesOut  uint64
	BytesIn   uint64
	Sent      uint64 // messages
	Lost      uint64 // dropped here
	Received  uint64
	Connects  uint64
	LastError string
}

func newPeer(w *Wire, of Peer) *peer {
	p := &peer{Peer: of, wire: w, wake: make(chan struct{}, 1)}
	p.ctx, p.stop = context.WithCancel(w.ctx)
	return p
}

func (p *peer) status() PeerStatus {
	p.mu.Lock()
	connected := p.connected
	p.mu.Unlock()
	s := PeerStatus{Peer: p.Peer, Connected: connected, Version: uint16(p.version.Load()),
		Trip: time.Duration(p.tripNS.Load()), BytesOut: p.bytesOut.Load(), BytesIn: p.bytesIn.Load(),
		Sent: p.sent.Load(), Lost: p.lost.Load(), Received: p.received.Load(),
		Connects: p.connects.Load()}
	if at := p.heardNS.Load(); at != 0 {
		s.Heard = time.Unix(0, at)
	}
	if program := p.program.Load(); program != nil {
		s.Program = *program
	}
	if text := p.lastError.Load(); text != nil && !connected {
		s.LastError = *text
	}
	return s
}

// send queues a message.
func (p *peer) send(message []byte) bool {
	p.mu.Lock()
	ok := p.connected && len(message) <= MaxMessage &&
		(len(p.waiting) == 0 || len(p.waiting)+len(message) <= queueBytes)
	if ok {
		p.waiting = appendFrame(p.waiting, kindMessage, message)
	}
	p.mu.Unlock()
	if !ok {
		p.lost.Add(1)
		return false
	}
	p.sent.Add(1)
	p.nudge()
	return true
}

func (p *peer) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// keep is the dialer: one connection after the other, with a wait in between.
func (p *peer) keep() {
	wait := redialMin
	for {
		began := time.Now()
		err := p.connect()
		if p.ctx.Err() != nil {
			return
		}
		p.failed(err)
		if time.Since(began) > silence {
			wait = redialMin
		}
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-p.ctx.Done():
			return
		}
		wait = min(2*wait, redialMax)
	}
}

// failed notes why there is no connection; the log has each reason once.
func (p *peer) failed(err error) {
	text := err.Error()
	if before := p.lastError.Swap(&text); before == nil || *before != text {
		p.wire.log.Warn("no connection with another node", "node", p.Node, "address", p.Address,
			"error", text)
	}
}

// connect dials and returns when the connection has ended.
func (p *peer) connect() error {
	conn, v, err := p.wire.shake(p.ctx, p.Peer, hello{For: forMessages,
		Request: p.wire.config.Program.append(nil)})
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(p.ctx, func() { _ = conn.Close() })
	defer stop()
	program := parseProgram([]byte(v.Text))
	p.program.Store(&program)
	p.version.Store(uint32(v.Version))
	p.connects.Add(1)
	none := ""
	p.lastError.Store(&none)
	p.wire.log.Info("connected with another node", "node", p.Node, "address", p.Address,
		"version", v.Version, "program", program.Name, "reads", program.Reads)
	p.set(true)
	defer p.wire.config.Ended(p.Node)
	defer p.set(false)
	ended := make(chan error, 1)
	go func() {
		ended <- p.hearPongs(conn)
		_ = conn.Close()
		p.nudge()
	}()
	err = p.write(conn, ended)
	_ = conn.Close()
	return err
}

// set says whether messages are taken. What waited for a connection that ended is dropped.
func (p *peer) set(connected bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connected, p.waiting = connected, p.waiting[:0]
}

// write is the writer: all that waits leaves in one write.
func (p *peer) write(conn net.Conn, ended <-chan error) error {
	var taken []byte
	pings := time.NewTicker(silence / 3)
	defer pings.Stop()
	ping := p.ping(nil)
	for {
		if len(ping) > 0 {
			taken = append(taken, ping...)
			ping = ping[:0]
		}
		p.mu.Lock()
		taken, p.waiting = append(taken, p.waiting...), p.waiting[:0]
		p.mu.Unlock()
		if len(taken) > 0 {
			_ = conn.SetWriteDeadline(time.Now().Add(silence))
			n, err := conn.Write(taken)
			p.bytesOut.Add(uint64(n))
			if err != nil {
				return err
			}
			taken = taken[:0]
			if cap(taken) > queueBytes/4 {
				taken = nil
			}
			continue
		}
		select {
		case <-p.wake:
		case <-pings.C:
			ping = p.ping(ping)
		case err := <-ended:
			return err
		case <-p.ctx.Done():
			return errClosed
		}
	}
}

func (p *peer) ping(b []byte) []byte {
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(time.Since(p.wire.began)))
	return appendFrame(b, kindPing, at[:])
}

// hearPongs reads what comes back: the answers to pings, and nothing else.
func (p *peer) hearPongs(conn net.Conn) error {
	in := newFrames(conn)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(silence))
		k, body, err := in.next(8)
		if err != nil {
			return err
		}
		if k != kindPong || len(body) != 8 {
			return errFrame
		}
		p.heardNS.Store(time.Now().UnixNano())
		p.tripNS.Store(int64(time.Since(p.wire.began)) - int64(binary.BigEndian.Uint64(body)))
	}
}

// shake dials a node and agrees with it that the connection is for this.
func (w *Wire) shake(ctx context.Context, to Peer, h hello) (net.Conn, verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, shakeTime)
	defer cancel()
	raw, err := w.config.Dial(ctx, to.Address)
	if err != nil {
		return nil, verdict{}, err
	}
	c := &w.config
	conn := &secure{tls.Client(raw, c.Identity.client(c.Cluster, c.Group, to.Node)), raw}
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, verdict{}, errors.Join(fmt.Errorf("TLS: %w", err), raw.Close())
	}
	by, _ := ctx.Deadline()
	_ = conn.SetDeadline(by)
	h.Oldest, h.Newest = oldestVersion, newestVersion
	h.Generation, h.From, h.To = w.config.Generation, w.config.Node, to.Node
	h.Cluster, h.DataKey, h.Address = w.config.Cluster, w.config.DataKey, w.config.Address
	v, err := greet(conn, &h)
	if err != nil {
		return nil, verdict{}, errors.Join(err, conn.Close())
	}
	w.notes(to.Node, v.Generation)
	if v.Code != accepted {
		if v.Code == oldGeneration {
			w.superseded(v.Generation)
		}
		return nil, verdict{}, errors.Join(&RefusedError{to.Node, v.Text}, conn.Close())
	}
	if reads := parseProgram([]byte(v.Text)).Reads; reads < w.level() {
		return nil, verdict{}, errors.Join(fmt.Errorf("node %d can't follow: %s", to.Node,
			tooOldFor(reads, w.level())), conn.Close())
	}
	_ = conn.SetDeadline(time.Time{})
	return conn, v, nil
}

// secure is a connection whose Close doesn't wait: TLS would say good-bye for seconds to a peer
// that takes nothing, and no end here means anything but what a frame has said.
type secure struct {
	*tls.Conn
	raw net.Conn
}

func (s *secure) Close() error { return s.raw.Close() }

// greet says hello and reads the verdict.
func greet(conn net.Conn, h *hello) (verdict, error) {
	if _, err := conn.Write(appendFrame(nil, kindHello, h.append(nil))); err != nil {
		return verdict{}, err
	}
	// One byte after the other, for what follows the verdict is for whoever gets the connection.
	in := &frames{in: newSingle(conn)}
	k, body, err := in.next(mostHello)
	if err != nil {
		return verdict{}, fmt.Errorf("no answer to the hello: %w", err)
	}
	if k != kindVerdict {
		return verdict{}, errHello
	}
	return parseVerdict(body)
}

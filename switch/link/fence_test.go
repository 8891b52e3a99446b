package link

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cardswitch/hsm/envelope"
	"cardswitch/switch/link/linktest"
)

// lease is what a node may send under.
type lease struct{ ended atomic.Bool }

func (l *lease) valid() bool { return !l.ended.Load() }

// What was queued and flushed after the lease ended never reaches the peer, whatever is between
// them; the connection is reset, and nothing says good-bye.
func TestNothingLeavesBehindTheFence(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "switch", "switch")
	a.issue(t, "shop", "shop.example")
	acts := map[string]func(*house, *Link){
		"a message": func(_ *house, l *Link) { l.Flush() },
		"a close":   func(_ *house, l *Link) { l.Close(Closed) },
		"a drain":   func(_ *house, l *Link) { l.Drain(); l.Due(time.Now()) },
		"a fence":   func(h *house, _ *Link) { h.Fence() },
	}
	for name, act := range acts {
		for _, kind := range []string{"plain", "TLS", "envelope"} {
			t.Run(name+" over "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { checkFence(t, a, kind, act) })
			})
		}
	}
}

func checkFence(t *testing.T, a *authority, kind string, act func(*house, *Link)) {
	var lease lease
	h := build(t, &tape{mayLeave: lease.valid}, merchant("m", func(m *CenterConfig) {
		switch kind {
		case "TLS":
			m.Links[0].TLS = a.tls("switch", "shop.example")
		case "envelope":
			enveloped(envelope.Policy{})(m)
		}
	}))
	var wire *linktest.Conn
	var heard func() []string
	switch kind {
	case "envelope":
		peer := h.callSealed(t, "m/a", 1, envelope.Policy{})
		wire, heard = peer.Conn.(*linktest.Conn), func() []string { return peer.read(t) }
	case "TLS":
		wire = h.call(t)
		peer := tls.Client(wire, a.peer(t, "shop"))
		if err := peer.Handshake(); err != nil {
			t.Fatal(err)
		}
		heard = func() []string { return read(t, peer) }
	default:
		wire = h.call(t)
		heard = func() []string { return read(t, wire) }
	}
	synctest.Wait()
	l := h.last(t)
	l.Queue(1, []byte("before"), Prefix{})
	l.Flush()
	if diff := cmp.Diff([]string{"before"}, heard()); diff != "" {
		t.Fatal(diff)
	}
	lease.ended.Store(true)
	l.Queue(2, []byte("after"), Prefix{})
	act(h, l)
	l.Flush()
	synctest.Wait()
	wire.SetDeadline(time.Now().Add(time.Hour))
	if n, err := wire.Read(make([]byte, 100)); n != 0 || !errors.Is(err, linktest.ErrCut) {
		t.Errorf("the peer reads %d bytes and %v", n, err)
	}
	h.ended(t, causeOf(l.cause)) // once
	if h.Status().Centers[0].Lines[0].Counters.Ended[causeOf(l.cause).String()] != 1 {
		t.Error("it isn't counted")
	}
	if n := strings.Count(h.log.String(), "no longer the active one"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
	if h.call(t); len(h.links) != 1 || h.Status().Ports[0].Refused[Fenced.String()] != 1 {
		t.Error("a connection was taken")
	}
}

// A write that waits in the system for a peer that doesn't read ends with the lease: of what was
// not yet taken nothing leaves, and of what the system had taken nothing more.
func TestAWaitingWriteEndsAtTheFence(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "switch", "switch")
	a.issue(t, "shop", "shop.example")
	for name, secure := range map[string]*TLS{"plain": nil, "TLS": a.tls("switch", "shop.example")} {
		t.Run(name, func(t *testing.T) {
			var lease lease
			r := &tape{mayLeave: lease.valid}
			n := loopback(t, r, secure)
			c, err := net.Dial("tcp", n.Center("m").Lines()[0].Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(time.Minute))
			var peer net.Conn = c
			if secure != nil {
				peer = tls.Client(c, a.peer(t, "shop"))
			}
			if _, err := peer.Write(frame("hello")); err != nil {
				t.Fatal(err)
			}
			l := awaitLink(t, r)
			const size = 32 << 20 // more than any socket buffers
			for range size / 8000 {
				l.Queue(1, make([]byte, 8000), Prefix{})
			}
			l.Flush()
			for last := uint64(0); ; { // until nothing goes any more
				time.Sleep(50 * time.Millisecond)
				now := l.status().Counters.BytesOut
				if now > 0 && now == last {
					break
				}
				last = now
			}
			lease.ended.Store(true)
			got, err := io.Copy(io.Discard, peer)
			if !errors.Is(err, syscall.ECONNRESET) || got >= size {
				t.Errorf("the peer read %d bytes of %d, then %v", got, size, err)
			}
		})
	}
}

// loopback starts a network with one merchant over real sockets.
func loopback(t *testing.T, r *tape, secure *TLS) *Network {
	t.Helper()
	n, err := New(Config{Logger: slog.New(slog.DiscardHandler), MayLeave: r.mayLeave,
		Centers: []CenterConfig{merchant("m", func(c *CenterConfig) {
			c.Links[0].Listen, c.Links[0].TLS = "127.0.0.1:0", secure
			c.Links[0].QueueBytes = 64 << 20
		})}}, r)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); n.Wait() })
	if err := n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return n
}

func awaitLink(t *testing.T, r *tape) *Link {
	t.Helper()
	for range 1000 {
		if len(r.messages()) > 0 {
			return r.last(t)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("no message came")
	return nil
}

// What the fence costs: a message over loopback TCP, without and with it.
func BenchmarkFence(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = io.Copy(io.Discard, c)
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	until, began := int64(time.Hour), time.Now()
	leased := func() bool { return int64(time.Since(began)) < atomic.LoadInt64(&until) }
	for name, may := range map[string]func() bool{"none": nil, "leased": leased} {
		s := (&Network{fence: fence{mayLeave: may}}).socket(c)
		message := make([]byte, 400)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Write(message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

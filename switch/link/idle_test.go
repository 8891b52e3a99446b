package link

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cardswitch/hsm/envelope"
	"cardswitch/switch/link/linktest"
)

// vault is an issuer that is dialled, at the one address there is, and its end of each connection.
type vault struct {
	net   *linktest.Net
	conns chan *linktest.Conn
}

func openVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{linktest.New(1 << 17), make(chan *linktest.Conn, 10)}
	l, err := v.net.Listen(bank)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			v.conns <- c.(*linktest.Conn)
		}
	}()
	t.Cleanup(func() { l.Close() })
	return v
}

// keep dials a line ahead of time.
func (v *vault) keep(t *testing.T, c CenterConfig) *Idle {
	t.Helper()
	d, err := NewDialer(c.Name, c.Links[0], 1, v.net.Dial)
	if err != nil {
		t.Fatal(err)
	}
	idle, err := d.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(idle.Close)
	return idle
}

// acceptor is an issuer's side of an envelope.
func acceptor() *envelope.Handshake {
	return envelope.NewAcceptor(func(string, uint16) (envelope.Key, envelope.Policy, bool) {
		return keyOf(1), envelope.Policy{}, true
	})
}

func giving(list ...*Idle) func() []*Idle { return func() []*Idle { return list } }

// What is kept ready becomes the line's connection, with what its peer has said before. Until then
// not one byte leaves on it but TLS's, and afterwards the fence holds on it as on any other.
func TestAConnectionKeptReadyIsTakenOver(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "switch", "switch")
	a.issue(t, "bank", "bank.example")
	for _, kind := range []string{"plain", "TLS", "envelope", "envelope in TLS"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { checkTakenOver(t, a, kind) })
		})
	}
}

func checkTakenOver(t *testing.T, a *authority, kind string) {
	c := issuer("i", func(c *CenterConfig) {
		if strings.Contains(kind, "TLS") {
			c.Links[0].TLS = a.tls("switch", "bank.example")
		}
		if strings.Contains(kind, "envelope") {
			enveloped(envelope.Policy{})(c)
		}
	})
	v := openVault(t)
	secured := make(chan net.Conn, 1)
	var wire *linktest.Conn
	go func() {
		wire = <-v.conns
		peer := net.Conn(wire)
		if strings.Contains(kind, "TLS") {
			s := tls.Server(peer, a.server(t, "bank"))
			if err := s.Handshake(); err != nil {
				t.Error(err)
			}
			peer = s
		}
		secured <- peer
	}()
	idle := v.keep(t, c)
	peer := <-secured
	if !strings.Contains(kind, "envelope") { // with one, who dialled speaks first
		write(t, peer, frame("early bird"))
	}
	time.Sleep(time.Hour)
	if got := read(t, peer); len(got) > 0 {
		t.Fatalf("%q left a node that isn't active", got)
	}
	if !idle.Release() {
		t.Fatal(idle.Err())
	}
	var lease lease
	h := buildOn(t, v.net, &tape{mayLeave: lease.valid}, giving(idle), c)
	heard := func() []string { return read(t, peer) }
	if strings.Contains(kind, "envelope") {
		f := shakenHands(t, peer, acceptor())
		write(t, f, f.seal(t, "early bird"))
		heard = func() []string { return f.read(t) }
	}
	synctest.Wait()
	l := h.last(t)
	l.Queue(1, []byte("question"), Prefix{})
	l.Flush()
	if diff := cmp.Diff([]string{"question"}, heard()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"early bird"}, h.messages()); diff != "" {
		t.Error(diff)
	}
	if len(v.conns) > 0 || h.Status().Centers[0].Lines[0].Counters.Connects != 1 {
		t.Error("it was dialled again")
	}
	fenced(t, &lease, l, wire)
}

// fenced demands that nothing leaves once the lease is over, and that the peer feels it.
func fenced(t *testing.T, lease *lease, l *Link, peer net.Conn) {
	t.Helper()
	lease.ended.Store(true)
	l.Queue(2, []byte("after"), Prefix{})
	l.Flush()
	synctest.Wait()
	peer.SetDeadline(time.Now().Add(time.Hour))
	if n, err := peer.Read(make([]byte, 100)); n != 0 || !errors.Is(err, linktest.ErrCut) {
		t.Errorf("behind the fence the peer reads %d bytes and %v", n, err)
	}
}

// One that was dead when it was handed over costs no time.
func TestADeadConnectionIsDialledAnewAtOnce(t *testing.T) {
	for _, kind := range []string{"plain", "envelope"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := issuer("i", nil)
				if kind == "envelope" {
					enveloped(envelope.Policy{})(&c)
				}
				v := openVault(t)
				idle := v.keep(t, c)
				if !idle.Release() {
					t.Fatal(idle.Err())
				}
				(<-v.conns).Cut()
				began := time.Now()
				h := buildOn(t, v.net, &tape{}, giving(idle), c)
				peer := <-v.conns
				if took := time.Since(began); took != 0 {
					t.Errorf("after %v", took)
				}
				if s := h.Status().Centers[0].Lines[0].Counters; s.DialFailures != 0 {
					t.Errorf("counted as a failed dial: %+v", s)
				}
				_ = peer
			})
		})
	}
}

// A connection that no line would make so is closed: another address, other certificates, a line
// that is gone.
func TestAConnectionThatDoesNotFitIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := openVault(t)
		c := issuer("i", nil)
		gone := v.keep(t, issuer("gone", nil))
		moved := v.keep(t, c)
		if !gone.Release() || !moved.Release() {
			t.Fatal(gone.Err(), moved.Err())
		}
		c.Links[0].Dial = "10.0.0.8:7201"
		h := buildOn(t, v.net, &tape{}, giving(gone, moved), c)
		for range 2 {
			peer := <-v.conns
			peer.SetReadDeadline(time.Now().Add(time.Second))
			if n, err := peer.Read(make([]byte, 1)); n != 0 || err == nil ||
				errors.Is(err, linktest.ErrCut) {
				t.Errorf("%d bytes, %v", n, err)
			}
		}
		if len(h.Links()) != 0 {
			t.Error("it has a link")
		}
	})
}

// An idle connection that ends says why, also what TLS has said; a peer that goes on talking to
// nobody is left.
func TestWhyAConnectionKeptReadyEnds(t *testing.T) {
	ours, foreign := newAuthority(t), newAuthority(t)
	ours.issue(t, "bank", "bank.example")
	foreign.issue(t, "switch", "switch")
	ends := func(t *testing.T, idle *Idle, want string) {
		t.Helper()
		select {
		case <-idle.Ended():
		case <-time.After(time.Minute):
			t.Fatal("it stands")
		}
		if idle.Err() == nil || !strings.Contains(idle.Err().Error(), want) {
			t.Errorf("%v, want %q", idle.Err(), want)
		}
		if idle.Release() {
			t.Error("it can be had")
		}
	}
	plain := issuer("i", nil)
	synctest.Test(t, func(t *testing.T) {
		v := openVault(t)
		idle := v.keep(t, plain)
		(<-v.conns).Close()
		ends(t, idle, PeerClosed.Error())
		idle = v.keep(t, plain)
		(<-v.conns).Cut()
		ends(t, idle, ReadFailed.Error())
		idle = v.keep(t, plain)
		write(t, <-v.conns, make([]byte, earlyBytes+1))
		ends(t, idle, "nobody serves it yet")
	})
	synctest.Test(t, func(t *testing.T) {
		v := openVault(t)
		go func() {
			s := tls.Server(<-v.conns, ours.server(t, "bank"))
			if s.Handshake() == nil {
				t.Error("it takes a foreign certificate")
			}
			s.Close()
		}()
		c := issuer("i", func(c *CenterConfig) {
			c.Links[0].TLS = foreign.tls("switch", "bank.example")
			c.Links[0].TLS.CA = ours.tls("bank", "x").CA
		})
		ends(t, v.keep(t, c), "unknown certificate authority")
	})
}

// What a takeover saves by a connection that is ready: the ways to the center and back for TCP and
// for TLS. The envelope's handshake remains.
func TestWhatAReadyConnectionSaves(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "switch", "switch")
	a.issue(t, "bank", "bank.example")
	for _, c := range []struct {
		kind string
		warm bool
		want int // ways there and back until the first question is at the bank; its own half is cut off
	}{
		{"plain", false, 1}, {"plain", true, 0},
		{"TLS", false, 2}, {"TLS", true, 0},
		{"envelope", false, 2}, {"envelope", true, 1},
		{"envelope in TLS", false, 3}, {"envelope in TLS", true, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			if got := trips(t, a, c.kind, c.warm); got != c.want {
				t.Errorf("%s, ready %t: %d ways there and back, want %d", c.kind, c.warm, got, c.want)
			}
		})
	}
}

func trips(t *testing.T, a *authority, kind string, warm bool) int {
	const oneWay = 10 * time.Millisecond
	c := issuer("i", func(c *CenterConfig) {
		if strings.Contains(kind, "TLS") {
			c.Links[0].TLS = a.tls("switch", "bank.example")
		}
		if strings.Contains(kind, "envelope") {
			enveloped(envelope.Policy{})(c)
		}
	})
	far := func(int) time.Duration { return oneWay }
	v := openVault(t)
	v.net.Shape(func(_, _ string, c *linktest.Conn) { c.Delay(far) })
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		time.Sleep(2 * oneWay) // TCP's handshake
		return v.net.Dial(ctx, address)
	}
	arrived := make(chan time.Time, 1)
	go func() {
		conn := <-v.conns
		conn.Delay(far)
		peer := net.Conn(conn)
		if strings.Contains(kind, "TLS") {
			peer = tls.Server(peer, a.server(t, "bank"))
		}
		s := newStream(peer, &plainLength)
		var err error
		if strings.Contains(kind, "envelope") {
			err = shake(acceptor(), s)
		}
		_, err2 := s.wait()
		if err := errors.Join(err, err2); err != nil {
			t.Error(err)
		}
		arrived <- time.Now()
	}()
	var ready func() []*Idle
	if warm {
		d, err := NewDialer("i", c.Links[0], 1, dial)
		if err != nil {
			t.Fatal(err)
		}
		idle, err := d.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if !idle.Release() {
			t.Fatal(idle.Err())
		}
		ready = giving(idle)
	}
	r := &tape{up: func(l *Link) {
		l.Queue(1, []byte("question"), Prefix{})
		l.Flush()
	}}
	began := time.Now()
	n, err := New(Config{Centers: []CenterConfig{c}, Dial: dial, Ready: ready, Seed: 1,
		Logger: slog.New(slog.DiscardHandler)}, r)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer n.Wait()
	defer stop()
	if err := n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return int((<-arrived).Sub(began) / (2 * oneWay))
}

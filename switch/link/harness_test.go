package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/switch/link/linktest"
)

// tape is a Handler that writes down what it is told.
type tape struct {
	mayLeave func() bool
	term     uint64
	up       func(*Link)
	received func(*Link, []Inbound)

	mu     sync.Mutex
	links  []*Link // in the order of Up
	got    []string
	batch  []int // sizes
	downs  []*Link
	causes []error
	unsent []string
	tags   []uint64
}

func (r *tape) Up(l *Link) {
	r.mu.Lock()
	r.links = append(r.links, l)
	r.mu.Unlock()
	if r.up != nil {
		r.up(l)
	}
}

func (r *tape) Received(l *Link, in []Inbound) {
	r.mu.Lock()
	r.batch = append(r.batch, len(in))
	for i := range in {
		r.got = append(r.got, string(in[i].Frame))
	}
	r.mu.Unlock()
	if r.received != nil {
		r.received(l, in)
	}
}

func (r *tape) Down(l *Link, unsent []Unsent, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.downs, r.causes = append(r.downs, l), append(r.causes, cause)
	for _, u := range unsent {
		r.unsent, r.tags = append(r.unsent, string(u.Frame)), append(r.tags, u.Tag)
	}
}

func (r *tape) messages() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// last is the link that came up last.
func (r *tape) last(t testing.TB) *Link {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.links) == 0 {
		t.Fatal("no link came up")
	}
	return r.links[len(r.links)-1]
}

// ended checks that exactly these causes ended connections, in order.
func (r *tape) ended(t testing.TB, want ...Cause) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	got := make([]Cause, 0, len(r.causes))
	for _, err := range r.causes {
		got = append(got, causeOf(err))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("connections ended by %v, want %v (%v)", got, want, r.causes)
	}
}

const (
	shop = "10.0.0.1:7101" // where we listen
	bank = "10.0.0.9:7201" // whom we dial
)

var everybody = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}

// ascii is the dialect of all tests: most send what it can't index, which is no matter of framing.
var ascii = sync.OnceValue(func() *spec.Dialect {
	d, err := dialect.Builtin(dialect.Default)
	if err != nil {
		panic(err)
	}
	return d
})

// house is a network on an in-memory net, in a bubble.
type house struct {
	*Network
	*tape
	net  *linktest.Net
	log  *bytes.Buffer
	stop context.CancelFunc
}

// merchant and issuer are centers with one line; change adjusts them.
func merchant(name string, change func(*CenterConfig)) CenterConfig {
	c := CenterConfig{
		ID: 1, Name: name, Role: Merchant, Dialect: ascii(), SignOn: SignOnNone,
		Links: []LinkConfig{{ID: 10, Name: "a", Listen: shop, From: everybody}},
	}
	if change != nil {
		change(&c)
	}
	return c
}

func issuer(name string, change func(*CenterConfig)) CenterConfig {
	c := CenterConfig{
		ID: 2, Name: name, Role: Issuer, Dialect: ascii(), SignOn: SignOnNone,
		Links: []LinkConfig{{ID: 20, Name: "primary", Dial: bank}},
	}
	if change != nil {
		change(&c)
	}
	return c
}

// build starts a network; the end of the test stops and joins it.
func build(t *testing.T, r *tape, centers ...CenterConfig) *house {
	t.Helper()
	return buildOn(t, linktest.New(1<<16), r, nil, centers...)
}

// buildOn starts a network where something is there already.
func buildOn(t *testing.T, on *linktest.Net, r *tape, ready func() []*Idle,
	centers ...CenterConfig) *house {
	t.Helper()
	h := &house{tape: r, net: on, log: new(bytes.Buffer)}
	var err error
	h.Network, err = New(Config{
		Centers: centers, Seed: 1, Listen: h.net.Listen, Dial: h.net.Dial,
		MayLeave: r.mayLeave, Term: r.term, Ready: ready,
		Logger: slog.New(slog.NewTextHandler(&locked{out: h.log}, nil)),
	}, r)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.stop = cancel
	if err := h.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		h.Wait()
	})
	return h
}

type locked struct {
	mu  sync.Mutex
	out *bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(b)
}

// call connects to the switch as a center does.
func (h *house) call(t testing.TB) *linktest.Conn {
	t.Helper()
	return h.callFrom(t, "10.1.1.1")
}

func (h *house) callFrom(t testing.TB, host string) *linktest.Conn {
	t.Helper()
	c, err := h.net.DialFrom(t.Context(), host, shop)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return c.(*linktest.Conn)
}

// host is a center that takes every connection at an address and keeps the open ones.
type host struct {
	mu    sync.Mutex
	conns []*linktest.Conn
	l     net.Listener
}

func (h *house) host(t testing.TB, address string) *host {
	t.Helper()
	l, err := h.net.Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	o := &host{l: l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.conns = append(o.conns, c.(*linktest.Conn))
			o.mu.Unlock()
		}
	}()
	t.Cleanup(func() { l.Close() })
	return o
}

func (o *host) last(t testing.TB) *linktest.Conn {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.conns) == 0 {
		t.Fatal("nobody dialed")
	}
	return o.conns[len(o.conns)-1]
}

func (o *host) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns)
}

// frame is a message with a two-byte length.
func frame(message string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}

func write(t testing.TB, c net.Conn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// read gives the messages that have come to a center, without waiting.
func read(t testing.TB, c net.Conn) []string {
	t.Helper()
	synctest.Wait()
	c.SetReadDeadline(time.Now().Add(time.Nanosecond))
	var all []byte
	buf := make([]byte, 1<<16)
	for {
		n, err := c.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			break
		}
	}
	c.SetReadDeadline(time.Time{})
	var out []string
	for len(all) >= 2 {
		n := int(binary.BigEndian.Uint16(all)) + 2
		if len(all) < n {
			t.Fatalf("half a frame came: %d of %d bytes", len(all), n)
		}
		out, all = append(out, string(all[2:n])), all[n:]
	}
	return out
}

func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("message %06d", i)
	}
	return out
}

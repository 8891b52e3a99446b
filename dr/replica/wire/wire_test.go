package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// memory is a network in memory, for bubbles.
type memory struct {
	mu    sync.Mutex
	doors map[string]*door
	ends  []net.Conn
	dials int
}

type door struct {
	net   *memory
	at    string
	came  chan net.Conn
	ended chan struct{}
}

func (m *memory) listen(at string) (net.Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := &door{m, at, make(chan net.Conn), make(chan struct{})}
	m.doors[at] = d
	return d, nil
}

func (m *memory) dial(ctx context.Context, at string) (net.Conn, error) {
	m.mu.Lock()
	d := m.doors[at]
	m.dials++
	m.mu.Unlock()
	if d == nil {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	select {
	case d.came <- far:
	case <-d.ended:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m.mu.Lock()
	m.ends = append(m.ends, near, far)
	m.mu.Unlock()
	return near, nil
}

// cut ends all connections.
func (m *memory) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.ends {
		c.Close()
	}
	m.ends = nil
}

func (d *door) Addr() net.Addr { return &net.UnixAddr{Name: d.at} }

func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.came:
		return c, nil
	case <-d.ended:
		return nil, net.ErrClosed
	}
}

func (d *door) Close() error {
	close(d.ended)
	d.net.mu.Lock()
	defer d.net.mu.Unlock()
	if d.net.doors[d.at] == d {
		delete(d.net.doors, d.at)
	}
	return nil
}

// node is a wire with what it was told.
type node struct {
	*Wire
	mu    sync.Mutex
	heard []string
	left  uint64
	log   bytes.Buffer
}

func (n *node) got() []string {
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string{}, n.heard...)
}

type town struct {
	t  *testing.T
	m  *memory
	ca *Authority
}

const cluster = "tokyo"

func newTown(t *testing.T) *town {
	ca, err := NewAuthority(cluster)
	if err != nil {
		t.Fatal(err)
	}
	return &town{t, &memory{doors: make(map[string]*door)}, ca}
}

func identity(t *testing.T, ca *Authority, id uint64) *Identity {
	t.Helper()
	root, _, err := ca.PEM()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue(cluster, id)
	if err != nil {
		t.Fatal(err)
	}
	i, err := NewIdentity(cert, key, root)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// node starts the node of a number; the cluster has three.
func (o *town) node(id uint64, change func(*Config)) *node {
	o.t.Helper()
	n := new(node)
	c := Config{Cluster: cluster, Generation: 1, Node: id, Listen: fmt.Sprint("node ", id),
		Address: fmt.Sprint("node ", id), DataKey: [8]byte{7}, Identity: identity(o.t, o.ca, id),
		Net: o.m.listen, Dial: o.m.dial,
		Logger: slog.New(slog.NewTextHandler(&locked{n}, nil)),
		Receive: func(from uint64, message []byte) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.heard = append(n.heard, fmt.Sprintf("%d: %s", from, message))
		},
		Superseded: func(g uint64) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.left = g
		}}
	for other := range uint64(4) {
		if other != 0 && other != id {
			c.Peers = append(c.Peers, Peer{other, fmt.Sprint("node ", other)})
		}
	}
	if change != nil {
		change(&c)
	}
	var err error
	if n.Wire, err = Start(c); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		n.Close()
		time.Sleep(time.Minute) // timers of the library
	})
	return n
}

type locked struct{ n *node }

func (l *locked) Write(b []byte) (int, error) {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	return l.n.log.Write(b)
}

func (n *node) said(text string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Contains(n.log.String(), text)
}

func TestMessagesArriveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTown(t)
		a, b, c := o.node(1, nil), o.node(2, nil), o.node(3, nil)
		time.Sleep(time.Second)
		var want []string
		for i := range 500 {
			if !a.Send(2, fmt.Appendf(nil, "message %d", i)) {
				t.Fatal("dropped")
			}
			want = append(want, fmt.Sprintf("1: message %d", i))
		}
		c.Send(1, []byte("hello"))
		if diff := cmp.Diff(want, b.got()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"3: hello"}, a.got()); diff != "" {
			t.Error(diff)
		}
		if a.Send(9, []byte("nobody")) || b.Send(2, []byte("myself")) {
			t.Error("sent to nobody")
		}
		time.Sleep(10 * time.Second) // pings keep silent connections
		for _, s := range a.Status() {
			if !s.Connected || s.Connects != 1 || s.Version != newestVersion {
				t.Errorf("%+v", s)
			}
		}
		if s := a.Status()[0]; s.Sent != 500 || s.Lost != 0 || s.Node != 2 || s.BytesOut < 500*9 {
			t.Errorf("%+v", s)
		}
	})
}

// A connection that ends is dialled again; what is sent meanwhile is dropped, never kept for later.
func TestConnectionsComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTown(t)
		a, b := o.node(1, nil), o.node(2, nil)
		time.Sleep(time.Second)
		o.m.cut()
		synctest.Wait()
		if a.Send(2, []byte("into the void")) {
			t.Error("taken without a connection")
		}
		time.Sleep(2 * redialMax)
		a.Send(2, []byte("again"))
		if diff := cmp.Diff([]string{"1: again"}, b.got()); diff != "" {
			t.Error(diff)
		}
		b.Close()
		time.Sleep(time.Minute)
		o.m.mu.Lock()
		dials := o.m.dials
		o.m.mu.Unlock()
		if most := 2 * int(time.Minute/(redialMax/2)) * 2; dials > most {
			t.Errorf("%d dials in a minute, at most %d", dials, most)
		}
		if s := a.Status()[0]; s.Connected || s.LastError == "" {
			t.Errorf("%+v", s)
		}
		again := o.node(2, nil)
		time.Sleep(2 * redialMax)
		a.Send(2, []byte("back"))
		if diff := cmp.Diff([]string{"1: back"}, again.got()); diff != "" {
			t.Error(diff)
		}
	})
}

// A peer that takes nothing holds up nobody, and costs no more memory than the queue's bound.
func TestAPeerThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTown(t)
		hold := make(chan struct{})
		a := o.node(1, nil)
		o.node(2, func(c *Config) { c.Receive = func(uint64, []byte) { <-hold } })
		time.Sleep(time.Second)
		taken := 0
		for range 200 {
			if a.Send(2, make([]byte, 1<<20)) {
				taken++
			}
			synctest.Wait()
		}
		// One is with the peer, one pile is being written, one waits.
		if taken == 0 || taken > 2*queueBytes>>20+1 {
			t.Errorf("%d MB were taken", taken)
		}
		if lost := a.Status()[0].Lost; lost != uint64(200-taken) {
			t.Errorf("%d are counted as lost, %d were", lost, 200-taken)
		}
		time.Sleep(2 * silence)
		if n := a.Status()[0].Connects; n < 2 {
			t.Error("the connection was not given up")
		}
		close(hold)
	})
}

func TestWhoDoesNotFitIsRefusedAndTold(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*testing.T, *town, *Config)
		why    string
	}{
		"another cluster": {func(_ *testing.T, _ *town, c *Config) { c.Cluster = "osaka" },
			"isn't node 1 of cluster"},
		"one brought back": {func(_ *testing.T, _ *town, c *Config) { c.Generation = 0 },
			"brought back from a backup"},
		"another key": {func(_ *testing.T, _ *town, c *Config) { c.DataKey = [8]byte{8} },
			"data.key_file"},
		"a foreign authority": {func(t *testing.T, _ *town, c *Config) {
			c.Identity = identity(t, newTown(t).ca, 2)
		}, "isn't node 1"},
		"another node's certificate": {func(t *testing.T, o *town, c *Config) {
			c.Identity = identity(t, o.ca, 3)
		}, "node 3 by its certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newTown(t)
				a, b := o.node(1, nil), o.node(2, func(own *Config) { c.change(t, o, own) })
				time.Sleep(time.Second)
				if b.Send(1, []byte("in")) || a.Send(2, []byte("out")) {
					t.Error("connected")
				}
				if !b.said(c.why) {
					t.Errorf("it isn't told why: %s", b.log.String())
				}
			})
		})
	}
}

// What a verdict says of each hello that doesn't fit.
func TestJudge(t *testing.T) {
	w := &Wire{config: Config{Cluster: cluster, Generation: 5, Node: 1, DataKey: [8]byte{7},
		Level: func() uint8 { return 2 }},
		out: map[uint64]bool{4: true}}
	for name, c := range map[string]struct {
		change func(*hello)
		proven uint64
		want   refusal
	}{
		"fits":                {func(*hello) {}, 2, accepted},
		"a witness fits":      {func(h *hello) { h.DataKey = [8]byte{} }, 2, accepted},
		"newer, knows ours":   {func(h *hello) { h.Newest = 99 }, 2, accepted},
		"too new":             {func(h *hello) { h.Oldest, h.Newest = 98, 99 }, 2, tooNew},
		"too old":             {func(h *hello) { h.Oldest, h.Newest = 0, 0 }, 2, tooOld},
		"reads more":          {func(h *hello) { h.Request = []byte("\x03newer") }, 2, accepted},
		"reads too little":    {func(h *hello) { h.Request = []byte("\x01older") }, 2, tooOld},
		"says not what":       {func(h *hello) { h.Request = nil }, 2, tooOld},
		"a stream":            {func(h *hello) { h.For, h.Request = forStream, nil }, 2, accepted},
		"another cluster":     {func(h *hello) { h.Cluster = "osaka" }, 2, otherCluster},
		"older":               {func(h *hello) { h.Generation = 4 }, 2, oldGeneration},
		"newer generation":    {func(h *hello) { h.Generation = 6 }, 2, newGeneration},
		"brought back":        {func(h *hello) { h.Generation = 0 }, 2, unconsented},
		"to another":          {func(h *hello) { h.To = 3 }, 2, otherNode},
		"without certificate": {func(*hello) {}, 0, otherNode},
		"another's":           {func(*hello) {}, 3, otherNode},
		"taken out":           {func(h *hello) { h.From = 4 }, 4, otherNode},
		"left behind":         {func(h *hello) { h.From, h.Generation = 4, 4 }, 4, oldGeneration},
		"not known yet":       {func(h *hello) { h.From = 5 }, 5, accepted},
		"another key":         {func(h *hello) { h.DataKey = [8]byte{8} }, 2, otherKey},
		"wants to join":       {func(h *hello) { h.For, h.From = forJoin, 0 }, 0, accepted},
	} {
		h := hello{Oldest: oldestVersion, Newest: newestVersion, For: forMessages, Generation: 5,
			From: 2, To: 1, Cluster: cluster, DataKey: [8]byte{7}, Request: []byte{2}}
		c.change(&h)
		v := w.judge(&h, c.proven)
		if v.Code != c.want || v.Generation != 5 || v.Text == "" && c.want != accepted {
			t.Errorf("%s: %+v, want %d", name, v, c.want)
		}
		if v.Code == accepted && v.Version != newestVersion {
			t.Errorf("%s: version %d is spoken", name, v.Version)
		}
	}
}

// A node that was left behind by a promotion learns it from whoever it hears first, and stops.
func TestAHigherGenerationStopsANode(t *testing.T) {
	for name, promoted := range map[string]uint64{"who dials": 1, "who is dialled": 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newTown(t)
				// One direction alone: the other end's dialer knows no address.
				deaf := func(id uint64) func(*Config) {
					return func(c *Config) {
						if id == promoted {
							c.Generation = 2
						}
						if id == 2 {
							c.Peers = nil
						} else {
							c.Address = "" // and so isn't dialled
						}
					}
				}
				nodes := []*node{o.node(1, deaf(1)), o.node(2, deaf(2))}
				time.Sleep(time.Second)
				for i, n := range nodes {
					n.mu.Lock()
					if want := uint64(2); uint64(i+1) != promoted && n.left != want ||
						uint64(i+1) == promoted && n.left != 0 {
						t.Errorf("node %d was told of generation %d", i+1, n.left)
					}
					n.mu.Unlock()
				}
			})
		})
	}
}

func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTown(t)
		big := bytes.Repeat([]byte("0123456789"), 200_000)
		a := o.node(1, nil)
		o.node(2, func(c *Config) {
			c.Serve = func(_ context.Context, from uint64, request string, to io.Writer) error {
				switch request {
				case "big":
					_, err := to.Write(big)
					return err
				case "half":
					if _, err := to.Write(big[:1000]); err != nil {
						return err
					}
					o.m.cut()
					return nil
				}
				return fmt.Errorf("node %d asks for %s", from, request)
			}
		})
		time.Sleep(time.Second)
		read := func(what string) ([]byte, error) {
			r, err := a.Stream(t.Context(), 2, what)
			if err != nil {
				return nil, err
			}
			defer r.Close()
			return io.ReadAll(r)
		}
		if got, err := read("big"); err != nil || !bytes.Equal(got, big) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if _, err := read("nothing"); err == nil || err.Error() != "node 1 asks for nothing" {
			t.Error(err)
		}
		if got, err := read("half"); err == nil || len(got) > 1000 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

func FuzzHello(f *testing.F) {
	h := hello{1, 2, forStream, 3, 4, 5, cluster, [8]byte{6}, "there", []byte("what")}
	f.Add(h.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHello(b)
		if err != nil {
			return
		}
		if got := h.append(nil); !bytes.Equal(got, b) {
			t.Errorf("%x became %x", b, got)
		}
	})
}

func FuzzVerdict(f *testing.F) {
	v := verdict{otherKey, 1, 2, "why"}
	f.Add(v.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseVerdict(b)
		if err != nil {
			return
		}
		if got := v.append(nil); !bytes.Equal(got, b) {
			t.Errorf("%x became %x", b, got)
		}
	})
}

// FuzzFrames reads what anybody may send: never more than the bound, and nothing that wasn't sent.
func FuzzFrames(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, kindPing, []byte("12345678")), kindMessage, []byte("m")))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		in := newFrames(bytes.NewReader(b))
		var again []byte
		for {
			k, body, err := in.next(1000)
			if err != nil {
				break
			}
			if len(body) > 1000 {
				t.Fatalf("a body of %d bytes", len(body))
			}
			again = appendFrame(again, k, body)
		}
		if !bytes.HasPrefix(b, again) {
			t.Errorf("read %x of %x", again, b)
		}
	})
}

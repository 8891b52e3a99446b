package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/door"
)

// passages are where a shard's switch takes merchants' connections that the nodes' doors pass on,
// each under the name of its link.
type passages struct {
	mu   sync.Mutex
	open map[string]*passage
}

func newPassages() *passages { return &passages{open: make(map[string]*passage)} }

// listen is cardswitch.Deps's: addresses of merchants are passages, those of issuers are TCP.
func (p *passages) listen(address string) (net.Listener, error) {
	name, ok := strings.CutPrefix(address, cardswitch.PassedAddress)
	if !ok {
		return net.Listen("tcp", address)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[name] != nil {
		return nil, fmt.Errorf("%s is passed on to another already", name)
	}
	one := &passage{of: p, name: name, came: make(chan net.Conn), closed: make(chan struct{})}
	p.open[name] = one
	return one, nil
}

// has tells whether a switch waits for connections of a link.
func (p *passages) has(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open[name] != nil
}

var errNotHere = errors.New("the shard isn't active here")

// bring gives a connection to the switch.
func (p *passages) bring(name string, conn net.Conn) error {
	p.mu.Lock()
	one := p.open[name]
	p.mu.Unlock()
	if one == nil {
		return errNotHere
	}
	select {
	case one.came <- conn:
		return nil
	case <-one.closed:
		return errNotHere
	}
}

// passage is a listener.
type passage struct {
	of     *passages
	name   string
	came   chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (p *passage) Accept() (net.Conn, error) {
	select {
	case conn := <-p.came:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *passage) Close() error {
	p.once.Do(func() {
		close(p.closed)
		p.of.mu.Lock()
		defer p.of.mu.Unlock()
		delete(p.of.open, p.name)
	})
	return nil
}

func (p *passage) Addr() net.Addr { return nowhere(p.name) }

type nowhere string

func (nowhere) Network() string  { return "passed" }
func (n nowhere) String() string { return string(n) }

// visitor is what a door says of a connection that it passes on, or that is its own.
type visitor struct {
	Link     string `json:"link"`               // center/link, or aboutKeys
	From     string `json:"from"`               // the merchant's address
	Envelope string `json:"envelope,omitempty"` // how the merchant's messages are encrypted
	SignedOn bool   `json:"signed_on,omitempty"`
}

// aboutKeys is said in the place of a link by a door that is to be told of merchants' keys.
const aboutKeys = "keys"

// visiting is a connection that a door passes on, with the merchant's address, envelope and
// session.
type visiting struct {
	net.Conn
	from net.Addr
	visitor
}

func (v *visiting) RemoteAddr() net.Addr { return v.from }

// Envelope is how the merchant's messages are encrypted on their way to the door.
func (v *visiting) Envelope() string { return v.visitor.Envelope }

// SignedOn tells whether the merchant has signed on before.
func (v *visiting) SignedOn() bool { return v.visitor.SignedOn }

// CloseWrite ends what this side sends.
func (v *visiting) CloseWrite() error {
	side, ok := v.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return side.CloseWrite()
}

// takes is wire's: whether a connection can be passed on to the switch now.
func (n *node) takes(what string) error {
	v, err := readVisitor(what)
	if err == nil && !n.passages.has(v.Link) {
		return errNotHere
	}
	return err
}

func readVisitor(what string) (v visitor, err error) {
	if json.Unmarshal([]byte(what), &v) != nil {
		return v, errors.New("not what a door says")
	}
	return v, nil
}

// take is wire's: a connection that another node's door passes on.
func (n *node) take(from uint64, what string, conn net.Conn) error {
	v, err := readVisitor(what)
	if err != nil {
		return err
	}
	return n.passages.welcome(from, v, conn)
}

// welcome gives a connection of a node's door to the switch.
func (p *passages) welcome(node uint64, v visitor, conn net.Conn) error {
	if v.Link == aboutKeys {
		return p.bring(v.Link, &visiting{conn, nowhere(fmt.Sprintf("node %d", node)), v})
	}
	from, err := net.ResolveTCPAddr("tcp", v.From)
	if err != nil {
		return errors.New("not what a door says")
	}
	return p.bring(v.Link, &visiting{conn, from, v})
}

// place is the node where the shard is active, as far as this one knows.
func (n *node) place() uint64 { return n.replica.Status().Leader }

// openWay is the door's: a merchant's connection to the shard's switch, here or at another node.
func (n *node) openWay(ctx context.Context, v door.Visitor) (net.Conn, error) {
	return n.openPassage(ctx, visitor{v.Center + "/" + v.Link, v.From.String(), v.Envelope,
		v.SignedOn})
}

// openOrders is the door's: its own connection, to be told of merchants' keys.
func (n *node) openOrders(ctx context.Context) (net.Conn, error) {
	return n.openPassage(ctx, visitor{Link: aboutKeys})
}

func (n *node) openPassage(ctx context.Context, v visitor) (net.Conn, error) {
	own := n.config.Load().Cluster.Node
	if to := n.place(); to != own {
		what, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		return n.wire.Wire().Pass(ctx, to, string(what))
	}
	ours, theirs, err := pair()
	if err != nil {
		return nil, err
	}
	if err := n.passages.welcome(own, v, theirs); err != nil {
		return nil, errors.Join(err, ours.Close(), theirs.Close())
	}
	return ours, nil
}

// pair is two ends of one connection within this process.
func pair() (a, b net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	ends := [2]net.Conn{}
	for i, fd := range fds {
		unix.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "pair")
		var e error
		ends[i], e = net.FileConn(f)
		err = errors.Join(err, e, f.Close())
	}
	return ends[0], ends[1], err
}

// doorMetrics are the door's counts.
type doorMetrics struct {
	door                         *door.Door
	passed, again, dropped, told *prometheus.Desc
	wrong                        *prometheus.Desc
}

func newDoorMetrics(d *door.Door) *doorMetrics {
	one := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("cardswitch_door_"+name, help, []string{"shard"}, nil)
	}
	told := prometheus.NewDesc("cardswitch_door_keys_told",
		"1 if the first shard can tell the door of merchants' keys.", nil, nil)
	wrong := prometheus.NewDesc("cardswitch_door_wrong_codes_total",
		"Answers of merchants to echo tests and sign-offs of the door whose code is wrong or missing.",
		nil, nil)
	return &doorMetrics{d, one("passed_total", "Messages of merchants that were passed to a shard."),
		one("again_total", "Those passed again, after the shard had moved to another node."),
		one("dropped_total", "Those left unanswered, because too much waited for a shard."), told, wrong}
}

// Describe is Prometheus's.
func (m *doorMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.passed, m.again, m.dropped, m.told, m.wrong} {
		to <- d
	}
}

// Collect is Prometheus's.
func (m *doorMetrics) Collect(to chan<- prometheus.Metric) {
	told := 0.0
	if m.door.Obeying() {
		told = 1
	}
	to <- prometheus.MustNewConstMetric(m.told, prometheus.GaugeValue, told)
	to <- prometheus.MustNewConstMetric(m.wrong, prometheus.CounterValue,
		float64(m.door.WrongCodes()))
	for _, c := range m.door.Counts() {
		for d, n := range map[*prometheus.Desc]uint64{m.passed: c.Passed, m.again: c.Again,
			m.dropped: c.Dropped} {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), c.Shard)
		}
	}
}

package cardswitch_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/store"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/link/linktest"
	"cardswitch/switch/security/securitytest"
)

// The tests of this package run the whole switch in a bubble of testing/synctest: its own clock,
// connections in memory, a disk in memory that can be cut off. A test plays both centers by hand.

const (
	merchantAt = "127.0.0.1:7101"
	primaryAt  = "127.0.0.1:7201"
	standbyAt  = "127.0.0.1:7202"
	card       = "3530111333300000"
	acquirer   = "12345678901"
)

// yard is a switch with what it needs around it.
type yard struct {
	t      *testing.T
	net    *linktest.Net
	disk   store.FS
	dir    string
	config cardswitch.Config
	d      *spec.Dialect
	deps   cardswitch.Deps // what a test adds
	early  cardswitch.EarlyKeys

	doors      []net.Listener        // of the issuer, where a test starts the switch again
	shop, bank *securitytest.Partner // nil: no security

	sw      *cardswitch.Switch
	metrics *prometheus.Registry
	stop    context.CancelFunc
	stopped chan error
}

func newYard(t *testing.T, change func(*cardswitch.Config)) *yard {
	t.Helper()
	y := &yard{t: t, net: linktest.New(1 << 16), disk: store.Memory(), dir: t.TempDir()}
	routes := filepath.Join(y.dir, "routes.yaml")
	text := "ranges:\n  - {prefix: \"353011\", destinations: [issuer-a]}\n"
	if err := os.WriteFile(routes, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := cardswitch.Defaults()
	c.Institution = "99999000001"
	c.Data = cardswitch.DataConfig{Dir: "data", KeyFile: filepath.Join(y.dir, "data.key"),
		CreateKey: true, RetentionDays: 30}
	c.Routing.Files = []string{routes}
	c.Centers = []cardswitch.CenterConfig{
		{Name: "hq-1", Role: cardswitch.RoleMerchant, Acquirers: []string{acquirer},
			Links: []cardswitch.LinkConfig{{Name: "a", Listen: merchantAt,
				From: []string{"127.0.0.0/8"}}}},
		{Name: "issuer-a", Role: cardswitch.RoleIssuer, Institution: "00000000017",
			Links: []cardswitch.LinkConfig{{Name: "primary", Dial: primaryAt},
				{Name: "standby", Order: 1, Dial: standbyAt}}},
	}
	if change != nil {
		change(&c)
	}
	c.Complete()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	y.config = c
	var err error
	if y.d, err = dialect.Builtin(c.Centers[0].Dialect); err != nil {
		t.Fatal(err)
	}
	return y
}

// start starts the switch; the issuer's listeners must stand already.
func (y *yard) start() {
	y.t.Helper()
	y.metrics = prometheus.NewRegistry()
	deps := y.deps
	deps.Disk, deps.Dial, deps.Metrics = y.disk, y.net.Dial, y.metrics
	if deps.Listen == nil {
		deps.Listen = y.net.Listen
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	sw, err := cardswitch.New(y.config, deps)
	if err != nil {
		y.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	y.sw, y.stop, y.stopped = sw, stop, make(chan error, 1)
	go func() { y.stopped <- sw.Run(ctx) }()
}

// open begins a scene with the issuer's primary link alone.
func (y *yard) open() (bank, shop *peer) {
	y.t.Helper()
	y.doors = []net.Listener{y.listen(primaryAt)}
	y.t.Cleanup(func() { y.doors[0].Close() })
	y.start()
	bank = y.issuer(y.doors[0], "primary")
	time.Sleep(time.Second)
	return bank, y.merchant()
}

// openBoth begins one with both of its links, and no merchant yet.
func (y *yard) openBoth() (primary, standby *peer) {
	y.t.Helper()
	y.doors = []net.Listener{y.listen(primaryAt), y.listen(standbyAt)}
	for _, door := range y.doors {
		y.t.Cleanup(func() { door.Close() })
	}
	y.start()
	primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
	time.Sleep(time.Second)
	return primary, standby
}

// close ends the scene.
func (y *yard) close(peers ...*peer) {
	y.t.Helper()
	y.end()
	for _, p := range peers {
		p.conn.Close()
	}
}

func (y *yard) end() {
	y.t.Helper()
	y.stop()
	if err := <-y.stopped; err != nil {
		y.t.Fatal(err)
	}
}

// crash ends the process as a power failure would: the disk keeps what was synced, and perhaps a
// part of what was not. What the old process does afterwards reaches nobody.
func (y *yard) crash(peers ...*peer) {
	y.t.Helper()
	after := store.Crashed(y.disk, 1)
	for _, p := range peers {
		p.conn.Close()
	}
	y.end()
	y.disk = after
}

// peer is one end of a connection, played by hand.
type peer struct {
	y       *yard
	conn    net.Conn
	name    string
	partner *securitytest.Partner
}

// issuer waits for the switch's connection at an address and signs it on.
func (y *yard) issuer(l net.Listener, name string) *peer {
	y.t.Helper()
	conn, err := l.Accept()
	if err != nil {
		y.t.Fatal(err)
	}
	p := &peer{y: y, conn: conn, name: name, partner: y.bank}
	m := p.read("1804")
	if got := value(m, 24); got != "801" {
		y.t.Fatalf("%s: function code %s, want a sign-on", name, got)
	}
	p.answer(m, map[int]string{39: "800"})
	return p
}

func (y *yard) listen(at string) net.Listener {
	y.t.Helper()
	l, err := y.net.Listen(at)
	if err != nil {
		y.t.Fatal(err)
	}
	return l
}

// merchant connects and signs on.
func (y *yard) merchant() *peer {
	y.t.Helper()
	conn, err := y.net.DialFrom(context.Background(), "127.0.0.1", merchantAt)
	if err != nil {
		y.t.Fatal(err)
	}
	p := &peer{y: y, conn: conn, name: "merchant", partner: y.shop}
	p.send("1804", map[int]string{11: "000001", 12: "261122120000", 24: "801",
		93: "99999000001", 94: acquirer})
	if m := p.read("1814"); value(m, 39) != "800" {
		y.t.Fatalf("sign-on answered %s", value(m, 39))
	}
	return p
}

// sale is the elements of a sale with this trace number and amount.
func sale(stan, amount int) map[int]string {
	return map[int]string{2: card, 3: "000000", 4: fmt.Sprintf("%012d", amount),
		11: fmt.Sprintf("%06d", stan), 12: "261122120000", 22: "210101213140", 24: "200",
		26: "5411", 32: acquirer, 37: fmt.Sprintf("RRN%09d", stan), 41: "TERM0001",
		42: "MERCHANT0000001", 43: `SHOP\STREET\TOKYO\1500001    JPN`, 49: "392",
		59: fmt.Sprintf("cookie-%d", stan)}
}

// reversal is the elements of the merchant's reversal of a sale.
func reversal(stan, of, amount int) map[int]string {
	e := sale(stan, amount)
	e[24], e[25] = "400", "4000"
	e[37] = fmt.Sprintf("RRN%09d", of)
	e[56] = "1200" + fmt.Sprintf("%06d", of) + "261122120000" + "11" + acquirer
	delete(e, 22)
	return e
}

func (p *peer) frame(mti string, elements map[int]string, base *spec.Message) []byte {
	p.y.t.Helper()
	var e spec.Edit
	e.Reset()
	m, err := spec.ParseMTI(mti)
	if err != nil {
		p.y.t.Fatal(err)
	}
	e.SetMTI(m)
	for n, v := range elements {
		if e.Set(n, []byte(v)); v == "" {
			e.Remove(n)
		}
	}
	out, fault := p.y.d.Append(nil, base, &e)
	if !fault.OK() {
		p.y.t.Fatalf("%s: build %s: %v", p.name, mti, fault)
	}
	return out
}

func (p *peer) write(frame []byte) {
	p.y.t.Helper()
	if p.partner != nil {
		frame = p.partner.Seal(frame)
	}
	p.writeBare(frame)
}

// writeBare writes a message as it is.
func (p *peer) writeBare(frame []byte) {
	p.y.t.Helper()
	out := binary.BigEndian.AppendUint16(nil, uint16(len(frame)))
	if _, err := p.conn.Write(append(out, frame...)); err != nil {
		p.y.t.Fatalf("%s: %v", p.name, err)
	}
}

func (p *peer) send(mti string, elements map[int]string) {
	p.y.t.Helper()
	p.write(p.frame(mti, elements, nil))
}

// answer answers a message: its elements, changed by these.
func (p *peer) answer(m *spec.Message, elements map[int]string) {
	p.y.t.Helper()
	p.write(p.frame(m.MTI().Response().String(), elements, m))
}

// next reads one message; nil if none comes within the time.

// standing is how the switch is, for a test that waits in vain.
func (y *yard) standing() string {
	if y.sw == nil {
		return "there is none yet"
	}
	text := fmt.Sprintf("%+v\nowed %+v\n", y.sw.Status(), y.sw.Queues())
	for _, c := range y.sw.Links().Centers {
		for _, l := range c.Lines {
			text += fmt.Sprintf("%s/%s %s, best %s, sick %v, limit %d, %+v\n", c.Name, l.Name, l.State,
				c.Best, l.Sick, l.Limit, l.Counters)
		}
	}
	return text
}

// read reads one message and demands its type.
func (p *peer) read(mti string) *spec.Message {
	p.y.t.Helper()
	m := p.next(time.Minute)
	if m == nil {
		p.y.t.Fatalf("%s: no %s came\n%s", p.name, mti, p.y.standing())
	}
	if m.MTI().String() != mti {
		p.y.t.Fatalf("%s: a %s came (action %s), want %s", p.name, m.MTI(), value(m, 39), mti)
	}
	return m
}

// quiet demands that nothing comes for a while; echo tests are answered.
func (p *peer) quiet(d time.Duration) {
	p.y.t.Helper()
	if m := p.next(d); m != nil {
		p.y.t.Fatalf("%s: a %s came, want silence", p.name, m.MTI())
	}
}

func value(m *spec.Message, n int) string { return string(m.Append(nil, n)) }

// want demands values of elements.
func want(t *testing.T, m *spec.Message, elements map[int]string) {
	t.Helper()
	for n, v := range elements {
		if got := value(m, n); got != v {
			t.Errorf("%s: element %d is %q, want %q", m.MTI(), n, got, v)
		}
	}
}

// next reads one message; nil if none comes within the time. Echo tests are answered on the way.
func (p *peer) next(within time.Duration) *spec.Message {
	p.y.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(within))
	for {
		var header [2]byte
		if _, err := io.ReadFull(p.conn, header[:]); err != nil {
			return nil
		}
		frame := make([]byte, binary.BigEndian.Uint16(header[:]))
		if _, err := io.ReadFull(p.conn, frame); err != nil {
			p.y.t.Fatalf("%s: %v", p.name, err)
		}
		m := new(spec.Message)
		if fault := p.y.d.Index(m, frame); !fault.OK() {
			p.y.t.Fatalf("%s: read: %v", p.name, fault)
		}
		if p.partner != nil {
			if err := p.partner.Check(m); err != nil {
				p.y.t.Errorf("%s: %v", p.name, err)
			}
		}
		if value(m, 24) != "831" || m.MTI().IsResponse() {
			return m
		}
		p.answer(m, map[int]string{39: "800"})
	}
}

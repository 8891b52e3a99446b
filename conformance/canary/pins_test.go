package canary

import (
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"cardswitch/conformance/ground"
	"cardswitch/conformance/load/sealed"
	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/security/securitytest"
)

// zone is a center that has codes and PINs, played by hand.
type zone struct {
	*securitytest.Partner
	t    *testing.T
	conn net.Conn
	stan int
}

// send writes a message, sealed.
func (z *zone) send(mti string, elements map[int]string, base *spec.Message) {
	z.t.Helper()
	var e spec.Edit
	e.Reset()
	m, err := spec.ParseMTI(mti)
	if err != nil {
		z.t.Fatal(err)
	}
	e.SetMTI(m)
	if base != nil {
		e.Remove(52)
	}
	for n, v := range elements {
		e.Set(n, []byte(v))
	}
	out, fault := z.Dialect.Append(nil, base, &e)
	if !fault.OK() {
		z.t.Fatal(fault.Err())
	}
	if _, err := z.conn.Write(ground.Framed(z.Seal(out))); err != nil {
		z.t.Error(err)
	}
}

// next reads a message; nil at the end.
func (z *zone) next() *spec.Message {
	var head [2]byte
	if _, err := io.ReadFull(z.conn, head[:]); err != nil {
		return nil
	}
	frame := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(z.conn, frame); err != nil {
		return nil
	}
	m := z.Index(frame)
	if err := z.Check(m); err != nil {
		z.t.Error(err)
	}
	return m
}

// ask sends a message of the merchant and demands an action code.
func (z *zone) ask(mti string, elements map[int]string, action string) {
	z.t.Helper()
	z.send(mti, elements, nil)
	if a := z.next(); a == nil || string(a.Append(nil, 39)) != action {
		z.t.Fatalf("a %s isn't answered %s but %v", mti, action, a)
	}
}

func (z *zone) sale(c card, pin string) map[int]string {
	z.stan++
	e := map[int]string{2: c.pan, 3: "000000", 4: fmt.Sprintf("%012d", 1000+z.stan),
		11: fmt.Sprintf("%06d", z.stan), 12: "261122120000", 14: "2912", 22: "510101511344",
		24: "200", 26: "5411", 32: acquirerA, 37: fmt.Sprintf("REF%09d", z.stan), 41: "TERM0001",
		42: "MERCHANT0000001", 43: `SHOP\STREET\TOKYO\1500001    JPN`, 49: "392"}
	if pin != "" {
		e[52] = string(z.Encipher(pin, c.pan))
	}
	return e
}

// pins are the secrets of a day: clear PINs, and their blocks in both zones.
type pins struct {
	mu     sync.Mutex
	canary *Canary
	blocks int
}

func (p *pins) block(name string, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.canary.Bytes(name, b)
	p.blocks++
}

// serve is an issuer: it approves, save sales of ..02, to which it says nothing, and of ..03,
// to which it says something with a wrong code.
func (z *zone) serve(p *pins) {
	for m := z.next(); m != nil; m = z.next() {
		if m.Has(52) {
			p.block("a PIN block of the issuer's zone", m.Append(nil, 52))
		}
		amount, _ := m.Number(4)
		switch {
		case m.MTI().Class() == 8:
			z.send("1814", map[int]string{39: "800"}, m)
		case m.MTI().Class() == 4:
			z.send("1430", map[int]string{39: "400"}, m)
		case amount%100 == 2:
		case amount%100 == 3:
			real := *z.Partner
			real.Padding = 2
			forger := &zone{Partner: &real, t: z.t, conn: z.conn}
			forger.send(m.MTI().Response().String(), map[int]string{38: "A00001", 39: "000"}, m)
		default:
			z.send(m.MTI().Response().String(), map[int]string{38: "A00001", 39: "000"}, m)
		}
	}
}

// secure gives a center security and its other end.
func secure(t *testing.T, g *ground.Ground, c *cardswitch.CenterConfig,
	p securitytest.Partner) *zone {
	t.Helper()
	c.Security = &cardswitch.SecurityConfig{Generations: true, PIN: &cardswitch.PINConfig{
		Format: p.PIN}, MAC: &cardswitch.MACConfig{}}
	p.T, p.Center, p.Dialect, p.Generations = t, c.Name, dialectNamed(t, c.Dialect), true
	p.Padding, p.Size = 1, 8
	p.NewKeys()
	return &zone{Partner: &p, t: t}
}

// A day with PINs, good and bad, and codes: no PIN, no PIN block of either zone and no key is seen
// on the disk, in the log or at the operators' door.
func TestNoPINIsShown(t *testing.T) {
	g, dir, log := ground.New(), t.TempDir(), &diary{}
	w := &wallet{canary: New(), random: rand.New(rand.NewPCG(9564, 1))}
	c := config(t, dir)
	c.Centers = []cardswitch.CenterConfig{c.Centers[0], c.Centers[3]}
	c.Routing.Files = ground.Config(t, dir, `ranges:
  - {prefix: "`+sakuraBIN+`", destinations: [sakura]}
`).Routing.Files
	ring := g.Enroll(t, c, sealed.Secret{})
	shop := secure(t, g, &c.Centers[0], securitytest.Partner{Ring: ring, PIN: 3})
	bank := secure(t, g, &c.Centers[1], securitytest.Partner{Ring: ring, PIN: 0})
	secrets := &pins{canary: w.canary}
	door, err := g.Listen("sakura.test:1")
	if err != nil {
		t.Fatal(err)
	}
	defer door.Close()
	looking := &places{t: t, canary: w.canary}
	for range 2 {
		n := g.StartNode(t, c, slog.New(slog.NewJSONHandler(log,
			&slog.HandlerOptions{Level: slog.LevelDebug})))
		if bank.conn, err = door.Accept(); err != nil {
			t.Fatal(err)
		}
		served := make(chan struct{})
		go func() { bank.serve(secrets); close(served) }()
		time.Sleep(200 * time.Millisecond)
		if shop.conn, err = g.Dial(t.Context(), "hq-a.test:1"); err != nil {
			t.Fatal(err)
		}
		shop.day(w, secrets)
		txns := transactions(t, n)
		looking.api(n.Socket, w.card(sakuraBIN, 16).pan, txns)
		shop.conn.Close()
		n.Stop()
		bank.conn.Close()
		<-served
	}
	found, err := w.canary.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
	looking.tables(c.Data.Dir)
	looking.look("the log", log.text.Bytes())
	if secrets.blocks < 20 || !strings.Contains(log.text.String(), "PIN block can't") {
		t.Errorf("%d PIN blocks were seen, the log has %d bytes", secrets.blocks, log.text.Len())
	}
}

// day is the traffic of one.
func (z *zone) day(w *wallet, p *pins) {
	z.t.Helper()
	z.stan = z.stan / 100 * 100
	z.ask("1804", map[int]string{11: "000001", 12: "261122120000", 24: "801", 93: "99999000001",
		94: acquirerA}, "800")
	sale := func() (card, map[int]string) {
		c, pin := w.card(sakuraBIN, 16), w.digits(12)
		w.canary.Digits("a PIN", pin)
		e := z.sale(c, pin)
		p.block("a PIN block of the merchant's zone", []byte(e[52]))
		return c, e
	}
	_, first := sale()
	z.ask("1200", first, "000")
	z.ask("1201", first, "000")
	_, silent := sale()
	z.ask("1200", silent, "911")
	_, forged := sale()
	z.ask("1200", forged, "911")
	wrong := z.sale(w.card(sakuraBIN, 16), w.digits(4)) // a short one: more of the block is fill
	p.block("a PIN block of the merchant's zone", []byte(wrong[52]))
	wrong[2] = w.card(sakuraBIN, 16).pan
	z.ask("1200", wrong, "126")
	_, elsewhere := sale()
	elsewhere[2] = w.card("999912", 16).pan
	z.ask("1200", elsewhere, "908")
	_, advice := sale()
	advice[25], advice[38], advice[39] = "1006", "OFF001", "000"
	z.ask("1220", advice, "900")
	_, altered := sale()
	var e spec.Edit
	e.Reset()
	e.SetMTI(0x1200)
	for n, v := range altered {
		e.Set(n, []byte(v))
	}
	frame, _ := z.Dialect.Append(nil, nil, &e)
	frame = z.Seal(frame)
	frame[len(frame)-1] ^= 1
	if _, err := z.conn.Write(ground.Framed(frame)); err != nil {
		z.t.Fatal(err)
	}
	if a := z.next(); a == nil || string(a.Append(nil, 39)) != "916" {
		z.t.Fatalf("an altered message is answered %v", a)
	}
	z.stan += 100
}

func dialectNamed(t *testing.T, name string) *spec.Dialect {
	t.Helper()
	d, err := dialect.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// transactions are the numbers of all in the journal.
func transactions(t *testing.T, n *ground.Node) (txns []uint64) {
	t.Helper()
	err := n.Journal().Replay(1, func(r *journal.Record) error {
		if r.Txn == 0 || r.Txn == r.Seq {
			txns = append(txns, r.Seq)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return txns
}

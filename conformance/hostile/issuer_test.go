package hostile

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ground"
)

// bank is the issuer that misbehaves, played by hand.
type bank struct {
	net.Listener
	format *format.Format
}

func (y *yard) listen(t *testing.T) *bank {
	t.Helper()
	l, err := y.ground.Listen("evil.test:1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f, err := format.Named("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	return &bank{l, f}
}

func (b *bank) accept(t *testing.T) *ground.Peer {
	t.Helper()
	if l, ok := b.Listener.(*net.TCPListener); ok {
		_ = l.SetDeadline(time.Now().Add(patience))
	}
	conn, err := b.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &ground.Peer{Conn: conn, Format: b.format}
}

// open is the switch with the bad issuer signed on, and a merchant with cards of it.
func (y *yard) open(t *testing.T) (b *bank, issuer, customer *ground.Peer) {
	t.Helper()
	b = y.listen(t)
	y.configure(t, evilBank("evil"), merchant("customer", badID))
	issuer = b.accept(t)
	m, err := issuer.Next(patience)
	if err != nil || m.Get(24) != "801" {
		t.Fatalf("%v, %v; want a sign-on", m, err)
	}
	if err := issuer.Send(format.Answer(m, "800")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the issuer is signed on", func() bool {
		return y.line("evil").State == "signed-on"
	})
	customer, err = y.ground.Call("customer.test:1", "ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { customer.Close() })
	if err := customer.SignOn(badID); err != nil {
		t.Fatal(err)
	}
	return b, issuer, customer
}

// request reads on until a message of this type comes; echo tests are answered.
func request(t *testing.T, p *ground.Peer, mti string) *format.Message {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		m, err := p.Next(time.Until(end))
		if err != nil {
			t.Fatalf("want %s: %v", mti, err)
		}
		if m.MTI == mti {
			return m
		}
		if m.MTI == "1804" {
			if err := p.Send(format.Answer(m, "800")); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// answered demands an action code for the customer's sale.
func answered(t *testing.T, p *ground.Peer, stan int, actions ...string) {
	t.Helper()
	a := request(t, p, "1210")
	if a.Get(11) != fmt.Sprintf("%06d", stan) || !slices.Contains(actions, a.Get(39)) {
		t.Fatalf("%s answered %s, want %06d and %v", a.Get(11), a.Get(39), stan, actions)
	}
}

// Each case has trace numbers of its own: the same one in the same second would be a repeat, and
// get the answer of another case.
func issuerCases(y *yard) map[string]func(*testing.T) {
	cases := map[string]func(*testing.T){
		"garbage for an answer":         y.garbledBank,
		"an answer given twice":         y.twice,
		"a flood of answers to nothing": y.bankFlood,
		"another center's trace number": y.thief,
		"never reads what we send":      y.deafBank,
		"never signs on":                y.muteBank,
		"floods of connections dropped": y.fickleBank,
		"another certificate":           y.falseBank,
		"frames of one byte a time":     y.slowBank,
	}
	for what, c := range map[string]struct {
		stan  int
		bytes []byte
		cause string
	}{
		"a length of zero from an issuer": {11, []byte{0, 0}, "empty frame"},
		"a huge length from an issuer":    {12, []byte{0xff, 0xf0, '1'}, "frame too long"},
	} {
		cases[what] = func(t *testing.T) { y.brokenBank(t, c.stan, c.bytes, c.cause) }
	}
	return cases
}

// brokenBank loses the framing while a request waits: the merchant is told, the rest is reversed.
func (y *yard) brokenBank(t *testing.T, stan int, b []byte, cause string) {
	_, issuer, customer := y.open(t)
	if err := customer.Send(sale(stan, cards()[1], badID)); err != nil {
		t.Fatal(err)
	}
	request(t, issuer, "1200")
	put(issuer, b)
	y.ended(t, "evil", cause)
	answered(t, customer, stan, "911")
	if n := y.metric(t, "cardswitch_events_total", "evil", "reversal"); n == 0 {
		t.Error("no reversal is owed for what nobody knows")
	}
}

func (y *yard) garbledBank(t *testing.T) {
	_, issuer, customer := y.open(t)
	r := rand.New(rand.NewPCG(3, 4))
	if err := customer.Send(sale(13, cards()[1], badID)); err != nil {
		t.Fatal(err)
	}
	m := request(t, issuer, "1200")
	old := frame(t, issuer, format.Answer(m, "000"))
	copy(old[2:], "0210") // an answer of 1987
	put(issuer, old)
	for range 300 {
		b := make([]byte, 1+r.IntN(200))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		put(issuer, ground.Framed(b))
	}
	put(issuer, ground.Framed([]byte("1210 "+cards()[1])))
	eventually(t, "all of it is counted", func() bool {
		return y.line("evil").Counters.Faulty == 302
	})
	if err := issuer.Send(format.Answer(m, "116")); err != nil {
		t.Fatal(err)
	}
	answered(t, customer, 13, "116", "911") // the real one counts, if it came in time
}

func (y *yard) twice(t *testing.T) {
	_, issuer, customer := y.open(t)
	before := y.metric(t, "cardswitch_events_total", "evil", "unasked")
	for stan := 100; stan < 120; stan++ {
		if err := customer.Send(sale(stan, cards()[1], badID)); err != nil {
			t.Fatal(err)
		}
		m := request(t, issuer, "1200")
		one, two := format.Answer(m, "116"), format.Answer(m, "000").Set(38, "123456")
		put(issuer, slices.Concat(frame(t, issuer, one), frame(t, issuer, two)))
		answered(t, customer, stan, "116") // the first counts, and no second comes
	}
	eventually(t, "the second ones are counted", func() bool {
		return y.metric(t, "cardswitch_events_total", "evil", "unasked") == before+20
	})
	if a, err := customer.Ask(format.New("1804").Set(11, "000099").Set(12, "261122120000").
		Set(24, "831").Set(93, "99999000001").Set(94, badID), patience); err != nil ||
		a.MTI != "1814" {
		t.Errorf("behind the answers: %v, %v", a, err)
	}
}

func (y *yard) bankFlood(t *testing.T) {
	_, issuer, customer := y.open(t)
	y.unasked(t, issuer, "evil", badID)
	if err := customer.Send(sale(14, cards()[1], badID)); err != nil {
		t.Fatal(err)
	}
	if err := issuer.Send(format.Answer(request(t, issuer, "1200"), "116")); err != nil {
		t.Fatal(err)
	}
	answered(t, customer, 14, "116")
}

// thief answers requests that another issuer has: it knows all of their elements, and guesses the
// trace numbers. Nothing of it may reach a merchant.
func (y *yard) thief(t *testing.T) {
	_, issuer, _ := y.open(t)
	before := y.metric(t, "cardswitch_events_total", "evil", "unasked")
	sent := 0
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		var all []byte
		for stan := range 500 { // the good merchant's sale that waits at this moment is among them
			m := format.Answer(sale(stan, cards()[0], goodID), "116")
			all = append(all, frame(t, issuer, m)...)
			sent++
		}
		put(issuer, all)
	}
	eventually(t, "all are counted", func() bool {
		return y.metric(t, "cardswitch_events_total", "evil", "unasked") == before+float64(sent)
	})
}

// deafBank takes nothing from its socket: the window bounds what waits for it.
func (y *yard) deafBank(t *testing.T) {
	_, issuer, customer := y.open(t)
	if err := issuer.Conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	var most atomic.Int64
	for round := range 8 {
		for stan := range 200 {
			put(customer, frame(t, customer, sale(1000+round*200+stan, cards()[1], badID)))
		}
		for range 200 {
			a := request(t, customer, "1210")
			if !slices.Contains([]string{"907", "910", "911", "912"}, a.Get(39)) {
				t.Fatalf("answered %s", a.Get(39))
			}
			line := y.line("evil")
			for _, l := range line.Links {
				most.Store(max(most.Load(), int64(l.InFlight)))
			}
		}
		if y.line("evil").Counters.Ended["echo missed"] > 0 {
			break
		}
	}
	if most.Load() > 64 {
		t.Errorf("%d requests in flight, the window is 64", most.Load())
	}
	y.ended(t, "evil", "echo missed", "silence", "write stall")
	if n := y.metric(t, "cardswitch_events_total", "evil", "timeout"); n == 0 {
		t.Error("no time-out is counted")
	}
}

func (y *yard) muteBank(t *testing.T) {
	b := y.listen(t)
	y.configure(t, evilBank("evil"), merchant("customer", badID))
	b.accept(t)
	customer, err := y.ground.Call("customer.test:1", "ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { customer.Close() })
	if err := customer.SignOn(badID); err != nil {
		t.Fatal(err)
	}
	if err := customer.Send(sale(16, cards()[1], badID)); err != nil {
		t.Fatal(err)
	}
	answered(t, customer, 16, "910", "912")
	y.ended(t, "evil", "echo missed", "silence")
}

// fickleBank drops every connection at once; we must not storm it.
func (y *yard) fickleBank(t *testing.T) {
	b := y.listen(t)
	var taken atomic.Int64
	go func() {
		for {
			conn, err := b.Accept()
			if err != nil {
				return
			}
			taken.Add(1)
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	}()
	y.configure(t, evilBank("evil"))
	y.ended(t, "evil", "read failed", "peer closed", "write failed")
	time.Sleep(time.Second)
	if n := taken.Load(); n > 8 {
		t.Errorf("%d connections within a second or so", n)
	}
}

func (y *yard) slowBank(t *testing.T) {
	_, issuer, customer := y.open(t)
	if err := customer.Send(sale(15, cards()[1], badID)); err != nil {
		t.Fatal(err)
	}
	for _, c := range frame(t, issuer, format.Answer(request(t, issuer, "1200"), "116")) {
		put(issuer, []byte{c})
	}
	answered(t, customer, 15, "116")
}

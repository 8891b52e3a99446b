package issuer

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/wire"
)

// peer is the other end of a link, written with nothing but a connection and a channel.
type peer struct {
	*wire.Conn
	in chan *format.Message
}

func open(t *testing.T, nc net.Conn) peer {
	t.Helper()
	f, err := format.Named("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	p := peer{in: make(chan *format.Message, 100)}
	p.Conn, err = wire.Open(nc, wire.Options{
		Format:   f,
		Received: func(_ *wire.Conn, m *format.Message) { p.in <- m },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func (p peer) ask(t *testing.T, m *format.Message) *format.Message {
	t.Helper()
	if err := p.Send(m); err != nil {
		t.Fatal(err)
	}
	return p.next(t)
}

func (p peer) next(t *testing.T) *format.Message {
	t.Helper()
	select {
	case m := <-p.in:
		return m
	case <-time.After(time.Minute):
		t.Fatal("no message came")
		return nil
	}
}

func (p peer) nothing(t *testing.T) {
	t.Helper()
	select {
	case m := <-p.in:
		t.Fatalf("unexpected %v", m)
	case <-time.After(50 * time.Millisecond):
	}
}

func dial(t *testing.T, i *Issuer, link string) peer {
	t.Helper()
	before := i.Stats().Connections
	nc, err := net.Dial("tcp", i.Address(link))
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, nc)
	for end := time.Now().Add(time.Minute); i.Stats().Connections == before; {
		if time.Now().After(end) {
			t.Fatal("the center doesn't see the connection")
		}
		time.Sleep(time.Millisecond)
	}
	return p
}

func start(t *testing.T, o Options, rules string) *Issuer {
	t.Helper()
	var err error
	if o.Rules, err = ParseRules(strings.NewReader(rules)); err != nil {
		t.Fatal(err)
	}
	if o.Links == nil {
		o.Links = []Link{{Listen: "127.0.0.1:0"}, {Listen: "127.0.0.1:0"}}
	}
	i, err := Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

func network(function string) *format.Message {
	return format.New("1804").Set(11, "000001").Set(12, "260301101112").Set(24, function).
		Set(93, "88888000001").Set(94, "99999000001")
}

func sale(stan, amount string) *format.Message {
	return format.New("1200").Set(2, "3528000000000007").Set(3, "000000").Set(4, amount).
		Set(11, stan).Set(12, "260301101112").Set(24, "200").Set(32, "12345678901").
		Set(37, "RRN000"+stan).Set(49, "392").Set(59, "cookie")
}

func TestSignOnEchoSignOff(t *testing.T) {
	i := start(t, Options{RequireSignOn: true}, "[]")
	p := dial(t, i, "primary")
	if a := p.ask(t, sale("000009", "000000001000")); a.Get(39) != "910" {
		t.Errorf("before sign-on: %v", a)
	}
	for _, function := range []string{SignOn, Echo} {
		a := p.ask(t, network(function))
		if a.MTI != "1814" || a.Get(39) != "800" || a.Get(94) != "99999000001" {
			t.Errorf("%s: %v", function, a)
		}
	}
	if !i.SignedOn("primary") || i.SignedOn("standby") {
		t.Error("the wrong link is signed on")
	}
	if a := p.ask(t, sale("000001", "000000001000")); a.Get(39) != "000" || a.Get(59) != "cookie" {
		t.Errorf("sale: %v", a)
	}
	p.ask(t, network(SignOff))
	if a := p.ask(t, sale("000002", "000000001000")); a.Get(39) != "910" {
		t.Errorf("after sign-off: %v", a)
	}
	if n := len(i.Ledger().All()); n != 1 {
		t.Errorf("%d postings, want 1", n)
	}
}

// A question asked on one link and repeated on another is posted once.
func TestLinksShareTheLedger(t *testing.T) {
	i := start(t, Options{}, "- {when: {mti: 1200}, do: {answer: never}}")
	p, s := dial(t, i, "primary"), dial(t, i, "standby")
	if err := p.Send(sale("000001", "000000001000")); err != nil {
		t.Fatal(err)
	}
	p.nothing(t)
	i.SetRules(nil)
	a := s.ask(t, sale("000001", "000000001000").As("1201"))
	if a.MTI != "1210" || a.Get(39) != "000" {
		t.Errorf("repeat: %v", a)
	}
	if c := i.Ledger().Counts(); c.Asked != 1 || c.Repeats != 1 {
		t.Errorf("%+v", c)
	}
}

func TestRulesOnTheWire(t *testing.T) {
	i := start(t, Options{}, `
- {name: no funds, when: {mti: 1200, de4: suffix 13}, do: {action: 116, set: {44: no funds}}}
- {name: half,     when: {de4: "000000002000"}, do: {amount: 700}}
- {name: twice,    when: {de4: suffix 22}, do: {answer: twice, drop: [59]}}
- {name: garbage,  when: {de4: suffix 33}, do: {answer: garbage}}
- {name: deaf,     when: {de4: suffix 44}, do: {ignore: true}}
- {name: late,     when: {de4: suffix 55}, do: {delay: 20ms..30ms}}
- {name: rest,     when: {de2: prefix 9}, do: {action: 111}}
`)
	p := dial(t, i, "primary")
	if a := p.ask(t, sale("000001", "000000000113")); a.Get(39) != "116" || a.Has(38) ||
		a.Get(44) != "no funds" {
		t.Errorf("no funds: %v", a)
	}
	if a := p.ask(t, sale("000002", "000000002000")); a.Get(39) != "002" ||
		a.Get(4) != "000000000700" || a.Get(30) != "000000002000000000000000" {
		t.Errorf("half: %v", a)
	}
	first, second := p.ask(t, sale("000003", "000000000122")), p.next(t)
	if first.String() != second.String() || first.Has(59) {
		t.Errorf("twice: %v, %v", first, second)
	}
	for _, m := range []*format.Message{
		sale("000004", "000000000133"), sale("000005", "000000000144"),
	} {
		if err := p.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	p.nothing(t)
	begun := time.Now()
	p.ask(t, sale("000006", "000000000155"))
	if d := time.Since(begun); d < 20*time.Millisecond {
		t.Errorf("late came after %v", d)
	}
	if n := len(i.Ledger().Of("RRN000000005")); n != 0 {
		t.Error("a message that was not even read is posted")
	}
	if n := len(i.Ledger().Of("RRN000000004")); n != 1 {
		t.Error("garbage in the answer took the posting away")
	}
}

func TestReversal(t *testing.T) {
	i := start(t, Options{UnknownOriginal: "914"}, "[]")
	p := dial(t, i, "primary")
	original := sale("000001", "000000001000")
	p.ask(t, original)
	reversal := sale("000002", "000000001000").As("1420").Set(37, original.Get(37)).
		Set(24, "400").Set(56, ledger.Original(original))
	a := p.ask(t, reversal)
	if a.MTI != "1430" || a.Get(39) != "400" || a.Get(56) != reversal.Get(56) {
		t.Errorf("reversal: %v", a)
	}
	if a := p.ask(t, reversal.As("1421")); a.Get(39) != "400" {
		t.Errorf("repeat: %v", a)
	}
	if x := i.Ledger().Of(original.Get(37))[0]; x.Live != 0 || x.Undone != 1 {
		t.Errorf("posting: %+v", x)
	}
	unknown := reversal.Clone().As("1420").Set(11, "000003").
		Set(56, ledger.Original(sale("000099", "1")))
	if a := p.ask(t, unknown); a.Get(39) != "914" {
		t.Errorf("unknown original: %v", a)
	}
}

// The other role: the center dials, signs on by itself and tests the line.
func TestDialingIssuer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	i := start(t, Options{
		Links: []Link{{Dial: l.Addr().String()}}, SignOn: true, EchoAfter: 10 * time.Millisecond,
	}, "[]")
	for range 2 { // it comes back after a cut
		nc, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		p := open(t, nc)
		for _, function := range []string{SignOn, Echo} {
			m := p.next(t)
			if m.MTI != "1804" || m.Get(24) != function {
				t.Fatalf("%v, want function %s", m, function)
			}
			if err := p.Send(format.Answer(m, "800")); err != nil {
				t.Fatal(err)
			}
		}
		if a := i.Stats(); a.Connections == 0 {
			t.Error("no connection counted")
		}
		p.Cut()
	}
}

func TestParseRulesRefuses(t *testing.T) {
	for _, text := range []string{
		"- {when: {de0: 1}}", "- {when: {de129: 1}}", "- {when: {de4: between x}}",
		"- {do: {answer: maybe}}", "- {do: {action: 12}}", "- {do: {cut: now}}",
		"- {doo: {action: 116}}", "- {do: {delay: 5 minutes}}", "- {do: {delay: 5ms..1ms}}",
	} {
		if _, err := ParseRules(strings.NewReader(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}

func TestOptionsRefuse(t *testing.T) {
	for _, o := range []Options{
		{},
		{Links: []Link{{Name: "a"}}},
		{Links: []Link{{Listen: "127.0.0.1:0", Dial: "127.0.0.1:1"}}},
		{Links: []Link{{Name: "a", Listen: "x:0"}, {Name: "a", Listen: "x:0"}}},
		{Dialect: "none", Links: []Link{{Listen: "127.0.0.1:0"}}},
	} {
		if i, err := Start(context.Background(), o); err == nil {
			i.Close()
			t.Errorf("%+v was taken", o.Links)
		}
	}
}

package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/issuer"
	"cardswitch/conformance/wire"
)

const templates = `
message sale 1200
  2   {pan}
  3   0
  4   1000
  11  {stan}
  12  {now}
  32  {acquirer}
  37  {rrn}
  49  392
`

const card = "3528120000000016"

// relay is the least host that has both roles: it passes requests on under its own trace number
// and brings the answers back.
type relay struct {
	t        *testing.T
	merchant net.Listener
	bank     *wire.Conn
	spoil    func(*format.Message) // changes answers on their way
	mu       sync.Mutex
	stan     int
	waiting  map[string]func(*format.Message)
}

func startRelay(t *testing.T, bank string, spoil func(*format.Message)) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &relay{t: t, merchant: l, spoil: spoil,
		waiting: make(map[string]func(*format.Message))}
	nc, err := net.Dial("tcp", bank)
	if err != nil {
		t.Fatal(err)
	}
	r.bank = r.open(nc, func(_ *wire.Conn, m *format.Message) {
		r.mu.Lock()
		home := r.waiting[m.Get(11)]
		delete(r.waiting, m.Get(11))
		r.mu.Unlock()
		if home != nil {
			home(m)
		}
	})
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			r.open(nc, r.ask)
		}
	}()
	return r
}

func (r *relay) open(nc net.Conn, received func(*wire.Conn, *format.Message)) *wire.Conn {
	f, _ := format.Named("ascii-katakana")
	c, err := wire.Open(nc, wire.Options{Format: f, Received: received})
	if err != nil {
		r.t.Error(err)
	}
	r.t.Cleanup(c.Close)
	return c
}

func (r *relay) ask(c *wire.Conn, m *format.Message) {
	if m.MTI == "1804" {
		c.Send(format.Answer(m, "800"))
		return
	}
	own := m.Get(11)
	r.mu.Lock()
	r.stan++
	stan := fmt.Sprintf("%06d", r.stan)
	r.waiting[stan] = func(a *format.Message) {
		a.Set(11, own)
		if r.spoil != nil {
			r.spoil(a)
		}
		c.Send(a)
	}
	r.mu.Unlock()
	r.bank.Send(m.Set(11, stan))
}

// through plays a text against a relay in both roles.
func through(t *testing.T, text string, spoil func(*format.Message)) *Report {
	t.Helper()
	scenarios, err := Parse("test.scn", templates+text)
	if err != nil {
		t.Fatal(err)
	}
	target := Target{
		Name:      "relay",
		Dialect:   "ascii-katakana",
		Patience:  time.Minute,
		Merchants: map[string]Door{"shop": {Dial: "later"}},
		Issuers:   map[string]Door{"bank": {Listen: "127.0.0.1:0"}},
		Values: map[string]string{"pan": card, "acquirer": "12345678901",
			"switch": "99999000001", "institution": "12345678901"},
	}
	var r *relay
	target.DialFunc = func(context.Context, string) (net.Conn, error) {
		return net.Dial("tcp", r.merchant.Addr().String())
	}
	s, err := Open(context.Background(), target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	r = startRelay(t, s.Address("bank"), spoil)
	return s.Run(context.Background(), scenarios)
}

const good = `
scenario: a sale
connect shop as merchant
connect bank as issuer
sign-on shop
send shop 1200 like sale as s
  4   1234
  43  kana:ｱｵﾔﾏ
  52  hex:0011223344556677
expect bank 1200 as r
  4   1234
  3   000000
  37  {s.37}
  43  {s.43}
  52  {s.52}
  11  not {s.11}
  55  *A
answer bank 000
  38  A1
expect shop 1210 within 50s
  11  *E
  4   *E
  38  "A1    "
  38  prefix A as approval
  39  one-of 000 001
  52  *A
expect shop nothing for 20ms

scenario: three at once, answered backwards
connect shop as merchant
connect bank as issuer
send shop 1200 like sale as one
send shop 1200 like sale as two
expect bank 1200 as b2
  where 37 {two.37}
expect bank 1200 as b1
answer bank 116 to b2
answer bank 000 to b1
expect shop 1210
  where 39 000
  37  {one.37}
expect shop 1210
  39  116
  37  {two.37}
`

func TestBothRoles(t *testing.T) {
	r := through(t, good, nil)
	if !r.OK() || r.Count(Passed) != 2 {
		var b bytes.Buffer
		r.Write(&b)
		t.Fatal(b.String())
	}
}

// Every way in which a host can be wrong is noticed, and the report says where.
func TestFailuresAreNoticed(t *testing.T) {
	sale := `
scenario: x
connect shop as merchant
connect bank as issuer
send shop 1200 like sale
expect bank 1200
answer bank 000
expect shop 1210 within 50s
`
	unread := sale[:strings.Index(sale, "expect shop")]
	for name, c := range map[string]struct {
		text  string
		spoil func(*format.Message)
		want  string
	}{
		"other value": {sale + "  39 116\n", nil, `element 39: is "000", expected 116`},
		"not echoed": {sale + "  37 *E\n",
			func(m *format.Message) { m.Set(37, "X           ") }, "must be echoed"},
		"echo dropped": {sale + "  37 *E\n",
			func(m *format.Message) { m.Remove(37) }, "must be echoed, but is absent"},
		"missing":    {sale + "  44 *M\n", nil, "mandatory, but absent"},
		"unwanted":   {sale + "  39 *A\n", nil, "must be absent"},
		"other MTI":  {sale, func(m *format.Message) { m.As("1230") }, "a 1230 came"},
		"no pattern": {sale + "  4 between 1-9\n", nil, "element 4: is"},
		"silence": {strings.NewReplacer("answer bank 000", "wait 1ms", "50s", "100ms").Replace(sale),
			nil, "nothing came in time"},
		"too much":    {unread + "wait 1s\n", nil, "got what nobody expected: 1210"},
		"not nothing": {unread + "expect shop nothing for 50s\n", nil, "got 1210"},
		"hidden card": {sale + "  2 prefix 4\n", nil,
			"element 2: is 352812******0016, expected another"},
		"still open": {sale + "expect shop closed within 20ms\n", nil, "still open"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := through(t, c.text, c.spoil)
			if r.OK() || r.Results[0].Outcome != Failed {
				t.Fatal("it passed")
			}
			var b bytes.Buffer
			r.Write(&b)
			if !strings.Contains(b.String(), c.want) || !strings.Contains(b.String(), "test.scn:") {
				t.Errorf("%q is missing from\n%s", c.want, b.String())
			}
			if strings.Contains(b.String(), card) {
				t.Error("the report shows a card number")
			}
		})
	}
}

// The merchant's role alone, against another implementation of a host.
func TestAgainstAnIssuer(t *testing.T) {
	rules, err := issuer.ParseRules(strings.NewReader(
		"- {when: {de4: suffix 13}, do: {action: 116}}"))
	if err != nil {
		t.Fatal(err)
	}
	host, err := issuer.Start(context.Background(), issuer.Options{
		Dialect: "bcd-left", Links: []issuer.Link{{Listen: "127.0.0.1:0"}}, Rules: rules,
		Framing: wire.Framing{Length: "ascii4"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	scenarios, err := Load(fstest.MapFS{
		"templates.scn": {Data: []byte(templates)},
		"sale.scn": {Data: []byte(`
scenario: repeats and reversals
connect shop as merchant
sign-on shop
send shop 1200 like sale as s
expect shop 1210
  39 000
  38 *M as approval
repeat shop
expect shop 1210
  38 {approval}
send shop 1420 like sale
  37 {s.37}
  56 {s.original}
expect shop 1430
  39 400
send shop 1200 like sale
  4 113
expect shop 1210
  39 116
sign-off shop
close shop
expect shop closed
scenario: needs an issuer's door
connect bank as issuer
echo bank
`)},
	}, "*.scn")
	if err != nil {
		t.Fatal(err)
	}
	target := Target{
		Dialect: "bcd-left", Framing: wire.Framing{Length: "ascii4"},
		Merchants: map[string]Door{"host": {Dial: host.Address("primary")}},
		Values: map[string]string{"pan": card, "acquirer": "12345678901",
			"switch": "99999000001", "institution": "12345678901"},
	}
	r, err := Run(context.Background(), target, scenarios)
	if err != nil {
		t.Fatal(err)
	}
	if r.Count(Passed) != 1 || r.Count(Skipped) != 1 {
		var b bytes.Buffer
		r.Write(&b)
		t.Fatal(b.String())
	}
	var b bytes.Buffer
	var back Report
	if err := r.JSON(&b); err != nil || json.Unmarshal(b.Bytes(), &back) != nil || !back.OK() {
		t.Error("the report doesn't survive JSON")
	}
}

func TestParseNamesEveryFault(t *testing.T) {
	_, err := Parse("x.scn", `send shop 1200
scenario:
connect shop as bank
send nobody 1200 like nothing
expect shop
  4 1000
scenario: two
  4 1000
connect shop as merchant
fly shop
wait long
expect shop nothing
bytes shop xyz
send shop 1200
  129 x
  4
  where 4 1000
expect shop 1210
  without 4
answer shop 000 to ghost
`)
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{
		"x.scn:1:", "x.scn:2: the scenario has no title", "x.scn:3:", "x.scn:4: nobody",
		"x.scn:4: no template", "x.scn:5:", "x.scn:8:", "x.scn:10:", "x.scn:11:", "x.scn:12:",
		"x.scn:13:", "x.scn:15:", "x.scn:16:", "x.scn:17:", "x.scn:19:", "x.scn:20:",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing from\n%v", want, err)
		}
	}
}

// Package capture records all that goes over the links of a switch, and looks for what nobody on
// the network may see.
package capture

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/format"
	"cardswitch/conformance/ground"
	"cardswitch/conformance/issuer"
	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/pos"
	"cardswitch/conformance/wire"
	cardswitch "cardswitch/switch"
)

// link is one link of the switch, with what travelled over it in clear.
type link struct {
	name, dialect, door, behind string
	framing                     wire.Framing
	padding, legacy             bool
	share                       string

	mu    sync.Mutex
	clear [][]byte
}

func links() []*link {
	return []*link{
		{name: "hq-a/a", dialect: "ascii-binary", door: "a.relay:1", behind: "a.test:1",
			framing: wire.Framing{TPDU: true}, share: wire.ShareRequired},
		{name: "hq-b/a", dialect: "ebcdic", door: "b.relay:1", behind: "b.test:1", padding: true,
			framing: wire.Framing{Length: "ascii4"}},
		{name: "sakura/primary", dialect: "ascii-binary", door: "s1.relay:1", behind: "s1.test:1",
			framing: wire.Framing{Header: "49534f30313233"}},
		{name: "sakura/standby", dialect: "ascii-binary", door: "s2.relay:1", behind: "s2.test:1",
			framing: wire.Framing{Header: "49534f30313233"}, padding: true},
		{name: "fuji/primary", dialect: "bcd-right", door: "f1.relay:1", behind: "f1.test:1",
			framing: wire.Framing{Length: "binary4", Inclusive: true}, share: wire.ShareOffered,
			legacy: true},
	}
}

func secret() sealed.Secret { return sealed.Secret("of the captured links") }

// envelope is the simulator's end.
func (l *link) envelope() *wire.Envelope {
	return &wire.Envelope{Link: l.name, Padding: l.padding, Share: l.share, Legacy: l.legacy,
		Keys:    map[uint16]envelope.Key{1: secret().Key(l.name, 1)},
		Observe: l.observe}
}

func (l *link) observe(clear []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear = append(l.clear, slices.Clone(clear))
}

func (l *link) messages() [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.clear)
}

// config is the switch's end.
func (l *link) config() cardswitch.LinkConfig {
	_, name, _ := strings.Cut(l.name, "/")
	share := l.share
	if share == "" {
		share = cardswitch.ShareNever
	}
	return cardswitch.LinkConfig{Name: name,
		Framing: cardswitch.FramingConfig{Length: l.framing.Length, Inclusive: l.framing.Inclusive,
			TPDU: l.framing.TPDU, Header: l.framing.Header},
		Envelope: &cardswitch.EnvelopeConfig{Padding: l.padding, Share: share,
			Legacy: l.legacy}}
}

func config(t *testing.T, all []*link) cardswitch.Config {
	c := ground.Config(t, t.TempDir(), `ranges:
  - {prefix: "352812", destinations: [sakura]}
  - {prefix: "453912", destinations: [fuji]}
`)
	merchant := func(l *link, acquirer string) {
		name, _, _ := strings.Cut(l.name, "/")
		in := l.config()
		in.Listen, in.From = l.behind, []string{"127.0.0.0/8"}
		c.Centers = append(c.Centers, cardswitch.CenterConfig{Name: name,
			Role: cardswitch.RoleMerchant, Dialect: l.dialect, Acquirers: []string{acquirer},
			AnswerTime: 700 * time.Millisecond, Links: []cardswitch.LinkConfig{in}})
	}
	bank := func(institution string, lines ...*link) {
		name, _, _ := strings.Cut(lines[0].name, "/")
		b := cardswitch.CenterConfig{Name: name, Role: cardswitch.RoleIssuer,
			Dialect: lines[0].dialect, Institution: institution,
			AnswerTime: 300 * time.Millisecond,
			Echo: cardswitch.EchoConfig{After: 300 * time.Millisecond,
				Wait: 2 * time.Second, Misses: 3},
			SAF: &cardswitch.SAFConfig{First: 50 * time.Millisecond,
				Wait: 300 * time.Millisecond, BackoffMax: 500 * time.Millisecond}}
		for n, l := range lines {
			out := l.config()
			out.Dial, out.Order = l.door, n
			b.Links = append(b.Links, out)
		}
		c.Centers = append(c.Centers, b)
	}
	merchant(all[0], "12345678901")
	merchant(all[1], "10987654321")
	bank("88888000001", all[2], all[3])
	bank("88888000002", all[4])
	return c
}

func banks(t *testing.T, g *ground.Ground, all []*link) []*issuer.Issuer {
	t.Helper()
	rules, err := issuer.ParseRules(strings.NewReader(`
- {name: no funds, when: {mti: one-of 1100 1200, de4: suffix 3}, do: {action: 116}}
- {name: a part,   when: {mti: one-of 1100 1200, de4: suffix 5}, do: {amount: 10}}
- {name: mute,     when: {mti: 1200, de4: suffix 1}, chance: 0.3, do: {answer: never}}
- {name: late,     when: {mti: 1200, de4: suffix 9}, chance: 0.3, do: {delay: 450ms}}
- {name: twice,    chance: 0.02, do: {answer: twice}}
- {name: advice,   when: {mti: one-of 1220 1420}, chance: 0.2, do: {answer: never}}
`))
	if err != nil {
		t.Fatal(err)
	}
	var list []*issuer.Issuer
	for name, lines := range map[string][]*link{"sakura": all[2:4], "fuji": all[4:]} {
		o := issuer.Options{Name: name, Dialect: lines[0].dialect, Framing: lines[0].framing,
			Rules: rules, Seed: 5, ListenFunc: g.Listen}
		for _, l := range lines {
			o.Links = append(o.Links, issuer.Link{Listen: l.behind, Envelope: l.envelope()})
		}
		i, err := issuer.Start(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(i.Close)
		list = append(list, i)
	}
	return list
}

func shop(t *testing.T, g *ground.Ground, l *link, acquirer string) *pos.POS {
	t.Helper()
	p, err := pos.Start(context.Background(), pos.Options{
		Name: l.name, Dialect: l.dialect, Framing: l.framing, Acquirer: acquirer,
		Addresses: []string{l.door}, Connections: 2, InFlight: 8, Total: 250, Seed: 11,
		DialFunc: g.Dial, AnswerTime: 200 * time.Millisecond, Settle: 20 * time.Second,
		Envelope: l.envelope(),
		Cards:    []pos.Range{{Prefix: "352812"}, {Prefix: "453912"}},
		Mix: pos.Mix{Sale: 50, Return: 10, Authorization: 15, Completion: 10, Offline: 10,
			Cancel: 10},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

// A day of business of every kind, over links of several dialects and framings: the capture of all
// of it has not one type, card, terminal, amount or reference number in it (crypto.md section 8,
// requirement 30).
func TestNothingOfAMessageIsOnTheWire(t *testing.T) {
	g, r, all := ground.New(), &relay{}, links()
	for _, l := range all {
		r.between(t, g, l.door, l.behind, l.framing)
	}
	issuers := banks(t, g, all)
	c := config(t, all)
	g.Enroll(t, c, secret())
	stop := g.Start(t, c)
	shops := []*pos.POS{shop(t, g, all[0], "12345678901"), shop(t, g, all[1], "10987654321")}
	var working sync.WaitGroup
	for _, p := range shops {
		working.Go(func() {
			if err := p.Run(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	working.Wait()
	travelled(t, all) // what is repeated is repeated in its own time
	for _, p := range shops {
		p.Close()
	}
	stop()
	for _, i := range issuers {
		if s := i.Stats(); s.Refused+s.Unreadable > 0 {
			t.Errorf("%+v", s)
		}
		i.Close()
	}
	r.running.Wait()

	n := newNeedles()
	types := kinds(t, n, all)
	size := search(t, r, all, n)
	t.Logf("%d values of elements and %d windows of %v, in %d bytes", n.count, len(n.windows),
		types, size)
}

// travelled waits until messages of every type have.
func travelled(t *testing.T, all []*link) {
	t.Helper()
	var types map[string]int
	for range 1200 {
		types = kinds(t, newNeedles(), all)
		missing := slices.ContainsFunc(strings.Fields("1100 1110 1200 1201 1210 1220 1221 1230 "+
			"1420 1421 1430 1804 1814"), func(mti string) bool { return types[mti] == 0 })
		if !missing {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("not every type of message travelled in two minutes: %v", types)
}

// kinds counts the messages by their types, and takes what is in them for needles.
func kinds(t *testing.T, n *needles, all []*link) map[string]int {
	t.Helper()
	types := make(map[string]int)
	for _, l := range all {
		f, err := format.Named(l.dialect)
		if err != nil {
			t.Fatal(err)
		}
		for _, clear := range l.messages() {
			types[n.message(t, f, l.framing, clear)]++
		}
	}
	return types
}

// search looks through all frames, and sees that all messages are among them.
func search(t *testing.T, r *relay, all []*link, n *needles) (sum int) {
	t.Helper()
	sealed := make(map[string]int)
	for _, s := range r.streams {
		var session []byte
		next, direction := uint64(0), byte(0)
		for k, frame := range s.frames(t) {
			sum += len(frame)
			if k == 0 { // a hello
				session, direction = frame[8:16], frame[3]
			}
			for _, what := range n.found(header(t, s, frame, session, next, direction)) {
				t.Errorf("%s, frame %d: %s", s.door, k, what)
			}
			if k > 0 {
				next++
			}
			if frame[1]&0xf == 0 {
				sealed[s.door]++
			}
		}
	}
	for _, l := range all {
		if len(l.clear) < 4 || sealed[l.door] != len(l.clear) {
			t.Errorf("%s: %d messages, %d frames", l.name, len(l.clear), sealed[l.door])
		}
		planted(t, n, l.clear)
	}
	return sum
}

// planted proves that the search would find any message among noise.
func planted(t *testing.T, n *needles, clear [][]byte) {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	for _, m := range clear {
		noise := make([]byte, 200)
		random.Read(noise)
		if len(n.found(append(noise, m...))) < len(m)-window+1 {
			t.Fatal("the search doesn't find a message in clear")
		}
	}
}

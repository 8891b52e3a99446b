package canary

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"cardswitch/conformance/ground"
	"cardswitch/conformance/issuer"
	cardswitch "cardswitch/switch"
)

// diary is a log that a test can read.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (d *diary) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(b)
}

const (
	sakuraBIN, fujiBIN = "352812", "453912"
	acquirerA          = "12345678901"
	acquirerB          = "10987654321"
	acquirerC          = "11223344556"
)

// behave is what the issuers do; CARD becomes the number of the card that is asked about.
const behave = `
- {when: {de4: suffix 13}, do: {action: 116, drop: [2], set: {44: "NO FUNDS CARD", 63: "CARD"}}}
- {when: {mti: 1200, de4: suffix 44}, do: {ignore: true}}
- {when: {mti: 1200, de4: suffix 55}, do: {delay: 1200ms}}
- {when: {de4: suffix 22}, do: {answer: twice, set: {63: "CARD"}}}
- {when: {mti: 1220, de4: suffix 66}, do: {action: 914, set: {44: "CARD"}}}
- {when: {mti: 1220, de4: suffix 77}, do: {ignore: true}}
`

func config(t *testing.T, dir string) cardswitch.Config {
	c := ground.Config(t, dir, `ranges:
  - {prefix: "`+sakuraBIN+`", destinations: [sakura]}
  - {prefix: "`+fujiBIN+`", destinations: [fuji]}
`)
	merchant := func(name, dialect, acquirer string) cardswitch.CenterConfig {
		return cardswitch.CenterConfig{Name: name, Role: cardswitch.RoleMerchant,
			Dialect: dialect, Acquirers: []string{acquirer}, AnswerTime: 2 * time.Second,
			FormatNotification: name == "hq-c",
			Links: []cardswitch.LinkConfig{{Name: "a", Listen: name + ".test:1",
				From: []string{"127.0.0.0/8"}}}}
	}
	bank := func(name, dialect string) cardswitch.CenterConfig {
		return cardswitch.CenterConfig{Name: name, Role: cardswitch.RoleIssuer, Dialect: dialect,
			AnswerTime: time.Second,
			SAF: &cardswitch.SAFConfig{First: 50 * time.Millisecond,
				Wait: 300 * time.Millisecond, BackoffMax: 500 * time.Millisecond, AlarmAfter: 2},
			Links: []cardswitch.LinkConfig{{Name: "a", Dial: name + ".test:1"}}}
	}
	c.Centers = []cardswitch.CenterConfig{merchant("hq-a", "ascii-binary", acquirerA),
		merchant("hq-b", "ebcdic", acquirerB), merchant("hq-c", "bcd-left", acquirerC),
		bank("sakura", "ascii-binary"), bank("fuji", "bcd-right")}
	return c
}

func banks(t *testing.T, g *ground.Ground, w *wallet) {
	t.Helper()
	for name, dialect := range map[string]string{"sakura": "ascii-binary", "fuji": "bcd-right"} {
		rules, err := issuer.ParseRules(strings.NewReader(
			strings.ReplaceAll(behave, "CARD", w.shown[name].pan)))
		if err != nil {
			t.Fatal(err)
		}
		b, err := issuer.Start(context.Background(), issuer.Options{Name: name, Dialect: dialect,
			Rules: rules, ListenFunc: g.Listen, Links: []issuer.Link{{Listen: name + ".test:1"}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
	}
}

// signedOn waits for both issuers.
func signedOn(t *testing.T, n *ground.Node) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		up := 0
		for _, c := range n.Links().Centers {
			if c.Role == cardswitch.RoleIssuer && c.Lines[0].State == "signed-on" {
				up++
			}
		}
		if up == 2 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the issuers never sign on")
		}
	}
}

// A day of business, good and bad, through a switch that logs all it can, with a restart: no place
// shows a card, a track, a PIN block or a security code.
func TestNothingIsShown(t *testing.T) {
	g, dir, log := ground.New(), t.TempDir(), &diary{}
	w := &wallet{canary: New(), random: rand.New(rand.NewPCG(8583, 1993))}
	w.canary.Text("a security code", securityCode)
	w.shown = map[string]card{"sakura": w.card(sakuraBIN, 16), "fuji": w.card(fujiBIN, 16)}
	banks(t, g, w)
	secret := w.card(sakuraBIN, 16).pan
	handler := slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})
	looking := &places{t: t, canary: w.canary}
	c := config(t, dir)
	merchants := []*center{{dialect: "ascii-binary", door: "hq-a.test:1", acquirer: acquirerA, t: t},
		{dialect: "ebcdic", door: "hq-b.test:1", acquirer: acquirerB, t: t},
		{dialect: "bcd-left", door: "hq-c.test:1", acquirer: acquirerC, t: t}}
	for day := range 2 {
		n := g.StartNode(t, c, slog.New(handler))
		signedOn(t, n)
		for _, m := range merchants {
			m.open(g)
			m.trade(w, sakuraBIN, w.shown["sakura"])
			m.trade(w, fujiBIN, w.shown["fuji"])
		}
		time.Sleep(1500 * time.Millisecond) // time-outs, late answers, deliveries, alarms
		txns := looking.values(n, secret)
		looking.api(n.Socket, secret, txns)
		if day == 1 {
			looking.program(n.Socket, secret, txns)
		}
		for _, m := range merchants {
			m.Close()
		}
		n.Stop()
		found, err := w.canary.Folder(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			t.Error(f)
		}
	}
	looking.tables(c.Data.Dir)
	if log.text.Len() < 1000 {
		t.Errorf("a log of %d bytes shows nothing", log.text.Len())
	}
	looking.look("the log", log.text.Bytes())
	t.Logf("%d bytes looked through for %d needles", looking.looked, len(w.canary.needles))
}

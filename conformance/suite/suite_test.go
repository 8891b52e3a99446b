package suite

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/ground"
	"cardswitch/conformance/issuer"
	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/scenario"
	"cardswitch/conformance/wire"
	cardswitch "cardswitch/switch"
)

const (
	doorAddress = "127.0.0.1:7101"
	bankAddress = "127.0.0.1:7201"
)

// host is the switch with one merchant's and one issuer's door.
func host(t *testing.T, merchant, issuer string) cardswitch.Config {
	t.Helper()
	c := ground.Config(t, t.TempDir(),
		"ranges:\n  - {prefix: \"352812\", destinations: [bank]}\n")
	c.Centers = []cardswitch.CenterConfig{
		{Name: "shop", Role: cardswitch.RoleMerchant, Dialect: merchant,
			Acquirers: []string{"12345678901"}, AnswerTime: 700 * time.Millisecond,
			Links: []cardswitch.LinkConfig{{Name: "a", Listen: doorAddress,
				From: []string{"127.0.0.0/8"}}}},
		{Name: "bank", Role: cardswitch.RoleIssuer, Dialect: issuer, Institution: "88888000001",
			AnswerTime: 500 * time.Millisecond,
			SAF: &cardswitch.SAFConfig{First: 100 * time.Millisecond,
				Wait: 300 * time.Millisecond, BackoffMax: time.Second},
			Negative: &cardswitch.NegativeConfig{},
			Reconciliation: &cardswitch.ReconciliationConfig{Date: cardswitch.DatePeer,
				Starts: cardswitch.StartsPeer},
			Links: []cardswitch.LinkConfig{{Name: "primary", Dial: bankAddress}}},
	}
	return c
}

// The switch passes its own suite, with the two sides speaking the same dialect and different ones.
func TestSwitch(t *testing.T) {
	scenarios, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"ascii-katakana", "ascii-katakana"}, {"bcd-left", "ebcdic"},
		{"ascii-hex", "bcd-right-f"}, {"ebcdic-500", "ascii-binary"},
	} {
		t.Run(c[0]+" to "+c[1], func(t *testing.T) {
			t.Parallel()
			g := ground.New()
			target := scenario.Target{
				Name:       "cardswitch",
				Merchants:  map[string]scenario.Door{"shop": {Dial: doorAddress, Dialect: c[0]}},
				Issuers:    map[string]scenario.Door{"bank": {Listen: bankAddress, Dialect: c[1]}},
				DialFunc:   g.Dial,
				ListenFunc: g.Listen,
				Values:     values(),
				Does:       []string{"linked", "partial", "days", "negative"},
			}
			s, err := scenario.Open(context.Background(), target)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			g.Start(t, host(t, c[0], c[1]))
			r := s.Run(context.Background(), scenarios)
			var b bytes.Buffer
			if err := r.Write(&b); err != nil {
				t.Fatal(err)
			}
			skipped := 8 + 11 // what needs keys, or an issuer
			if c[0] != "ascii-katakana" {
				skipped++
			}
			if !r.OK() || r.Count(scenario.Skipped) != skipped {
				t.Error(b.String())
			}
		})
	}
}

// The simulated issuer passes what is asked of an issuer's center, and what of everybody.
func TestIssuer(t *testing.T) {
	scenarios, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	g := ground.New()
	rules, err := issuer.ParseRules(strings.NewReader(
		"- {when: {de2: \"3528120000000024\"}, do: {action: 121}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	center, err := issuer.Start(context.Background(), issuer.Options{Rules: rules,
		UnknownOriginal: "914", Links: []issuer.Link{{Name: "primary", Listen: bankAddress}},
		DialFunc: g.Dial, ListenFunc: g.Listen, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(center.Close)
	v := values()
	v["declined"] = "3528120000000024"
	r, err := scenario.Run(context.Background(), scenario.Target{Name: "issuer",
		Merchants: map[string]scenario.Door{"shop": {Dial: bankAddress}}, DialFunc: g.Dial,
		Values: v, Does: []string{"decides", "declines", "partial"}}, scenarios)
	if err != nil {
		t.Fatal(err)
	}
	if passed := r.Count(scenario.Passed); !r.OK() || passed != 18 {
		var b bytes.Buffer
		_ = r.Write(&b)
		t.Errorf("%d passed, want 18\n%s", passed, b.String())
	}
}

// Stand-in is told to the issuer in whatever dialect the two sides speak.
func TestSwitchStandsIn(t *testing.T) {
	scenarios, err := scenario.Load(standInFiles{}, "messages.scn", "standin.scn")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{"ascii-katakana", "ascii-katakana"}, {"bcd-left", "ebcdic"}} {
		t.Run(c[0]+" to "+c[1], func(t *testing.T) {
			g := ground.New()
			s, err := scenario.Open(context.Background(), scenario.Target{Name: "cardswitch",
				Merchants: map[string]scenario.Door{"shop": {Dial: doorAddress, Dialect: c[0]}},
				Issuers:   map[string]scenario.Door{"bank": {Listen: bankAddress, Dialect: c[1]}},
				DialFunc:  g.Dial, ListenFunc: g.Listen, Values: values()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			config := host(t, c[0], c[1])
			config.Centers[1].StandIn = &cardswitch.StandInConfig{ReportDeclines: true,
				Rules: filepath.Join("testdata", "standin.yaml"), Back: time.Second}
			g.Start(t, config)
			r := s.Run(context.Background(), scenarios)
			var b bytes.Buffer
			if err := r.Write(&b); err != nil {
				t.Fatal(err)
			}
			if !r.OK() || r.Count(scenario.Skipped) != 0 {
				t.Error(b.String())
			}
		})
	}
}

// standInFiles are the suite's with those that not every host passes.
type standInFiles struct{}

// Open is fs.FS's.
func (standInFiles) Open(name string) (fs.File, error) {
	if f, err := Files().Open(name); err == nil {
		return f, nil
	}
	return os.DirFS("testdata").Open(name)
}

// In envelopes it passes what is about keys, and trade goes on.
func TestSwitchInEnvelopes(t *testing.T) {
	scenarios, err := scenario.Load(Files(), "messages.scn", "keys.scn", "sale.scn")
	if err != nil {
		t.Fatal(err)
	}
	g, secret := ground.New(), sealed.Secret("of the suite")
	door := func(link, center string) scenario.Door {
		return scenario.Door{KBPK: secret.Protection(center), Envelope: &wire.Envelope{Link: link,
			Keys: map[uint16]envelope.Key{1: envelope.Key(secret.Key(link, 1))}}}
	}
	shop, bank := door("shop/a", "shop"), door("bank/primary", "bank")
	shop.Dial, bank.Listen = doorAddress, bankAddress
	s, err := scenario.Open(context.Background(), scenario.Target{
		Name: "cardswitch", Dialect: "ascii-katakana", DialFunc: g.Dial, ListenFunc: g.Listen,
		Merchants: map[string]scenario.Door{"shop": shop},
		Issuers:   map[string]scenario.Door{"bank": bank},
		Values:    values(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	c := host(t, "ascii-katakana", "ascii-katakana")
	for i := range c.Centers {
		c.Centers[i].Links[0].Envelope = &cardswitch.EnvelopeConfig{}
	}
	c.Centers[0].AnswerTime, c.Centers[1].AnswerTime = 9*time.Second, 8*time.Second
	c.Centers[1].KeyChange = cardswitch.KeyChangeUs
	g.Enroll(t, c, secret)
	g.StartNode(t, c, slog.New(slog.NewTextHandler(io.Discard, nil)))
	r := s.Run(context.Background(), scenarios)
	if !r.OK() || r.Count(scenario.Skipped) != 0 {
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			t.Fatal(err)
		}
		t.Error(b.String())
	}
}

func values() map[string]string {
	return map[string]string{
		"pan": "3528120000000016", "unrouted": "6200000000000005",
		"acquirer": "12345678901", "stranger": "10987654321",
		"institution": "12345678901", "switch": "99999000001",
	}
}

package suite

import (
	"bytes"
	"context"
	"testing"
	"time"

	"cardswitch/conformance/ground"
	"cardswitch/conformance/scenario"
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
				Values: map[string]string{
					"pan": "3528120000000016", "unrouted": "6200000000000005",
					"acquirer": "12345678901", "stranger": "10987654321",
					"institution": "12345678901", "switch": "99999000001",
				},
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
			skipped := 0 // what needs katakana
			if c[0] != "ascii-katakana" {
				skipped = 1
			}
			if !r.OK() || r.Count(scenario.Skipped) != skipped {
				t.Error(b.String())
			}
		})
	}
}

package ground_test

import (
	"context"
	"testing"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ground"
	"cardswitch/conformance/load/sealed"
	cardswitch "cardswitch/switch"
)

// A merchant signs on to a whole switch through an envelope, before and after a change of key.
func TestSignOnInAnEnvelope(t *testing.T) {
	g, secret := ground.New(), sealed.Secret("of this test")
	c := ground.Config(t, t.TempDir(), "ranges:\n  - {prefix: \"352812\", destinations: [sakura]}\n")
	c.Centers = []cardswitch.CenterConfig{
		{Name: "hq", Role: cardswitch.RoleMerchant, Acquirers: []string{"10000000001"},
			Links: []cardswitch.LinkConfig{{Name: "a", Listen: "hq.test:1",
				From: []string{"127.0.0.0/8"}, Envelope: &cardswitch.EnvelopeConfig{}}}},
		{Name: "sakura", Role: cardswitch.RoleIssuer,
			Links: []cardswitch.LinkConfig{{Name: "a", Dial: "sakura.test:1"}}},
	}
	ring := g.Enroll(t, c, secret)
	g.Start(t, c)
	end := sealed.NewEnd(secret)
	for generation := range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		conn, err := g.Dial(ctx, "hq.test:1")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		in, err := end.Dial(conn, "hq/a")
		if err != nil {
			t.Fatal(err)
		}
		f, err := format.Named("ascii-binary")
		if err != nil {
			t.Fatal(err)
		}
		p := &ground.Peer{Conn: in, Format: f}
		if err := p.SignOn("10000000001"); err != nil {
			t.Fatalf("generation %d: %v", generation+1, err)
		}
		if err := secret.Enroll(t.Context(), ring, "hq/a"); err != nil {
			t.Fatal(err)
		}
	}
}

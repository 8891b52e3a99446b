// Package rekey changes the keys of all links while they carry all that they can.
package rekey

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"cardswitch/conformance/ground"
	"cardswitch/conformance/load"
	"cardswitch/conformance/load/cards"
	"cardswitch/conformance/load/issuer"
	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/load/stage"
	"cardswitch/hsm/keyring"
	cardswitch "cardswitch/switch"
)

const lanes, outstanding = 4, 128

// staged is a switch between a load generator and two issuers, every link in an envelope.
func staged(t *testing.T, secret sealed.Secret) (*ground.Node, *issuer.Issuer, string) {
	t.Helper()
	node, banks, address, _ := stageWith(t, secret, 10*time.Second)
	return node, banks, address
}

// stageWith is the same with the keys of the switch, and so long a wait for network management.
func stageWith(t *testing.T, secret sealed.Secret, wait time.Duration) (*ground.Node,
	*issuer.Issuer, string, *keyring.Ring) {
	t.Helper()
	banks, err := issuer.Listen([]string{"127.0.0.1:0", "127.0.0.1:0"}, secret)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- banks.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-served })
	var routes strings.Builder
	routes.WriteString("ranges:\n")
	names := []string{"issuer-0", "issuer-1"}
	for _, r := range cards.Ranges() {
		routes.WriteString("  - {prefix: \"" + r.Prefix + "\", destinations: [" +
			names[r.Issuer] + "]}\n")
	}
	g := ground.New()
	c := ground.Config(t, t.TempDir(), routes.String())
	free, err := stage.Ports(1)
	if err != nil {
		t.Fatal(err)
	}
	merchants := free[0]
	c.Centers = []cardswitch.CenterConfig{{Name: "merchants", Role: cardswitch.RoleMerchant,
		Acquirers: load.Acquirers(lanes), Window: 65536, KeyChange: cardswitch.KeyChangeUs,
		Links: []cardswitch.LinkConfig{{Name: "a", Listen: "merchants.test:1",
			From: []string{"127.0.0.0/8"}, Envelope: &cardswitch.EnvelopeConfig{}}}}}
	for i, name := range names {
		g.Place(name+".test:1", banks.Addresses()[i])
		c.Centers = append(c.Centers, cardswitch.CenterConfig{Name: name,
			Role: cardswitch.RoleIssuer, ForwardingID: true, Window: 65536,
			KeyChange: cardswitch.KeyChangeUs, Echo: cardswitch.EchoConfig{Wait: wait},
			Links: []cardswitch.LinkConfig{{Name: "l0", Dial: name + ".test:1",
				Envelope: &cardswitch.EnvelopeConfig{}}}})
	}
	g.Place("merchants.test:1", merchants)
	ring := g.Enroll(t, c, secret)
	node := g.StartNode(t, c, slog.New(slog.NewTextHandler(io.Discard, nil)))
	return node, banks, merchants, ring
}

// Every key of every link is changed again and again under full load: no sale is declined, lost or
// posted twice, and no connection ends.
func TestKeysChangeUnderFullLoad(t *testing.T) {
	secret := sealed.Secret("of this test")
	node, banks, address := staged(t, secret)
	ctx, stop := context.WithCancel(t.Context())
	changes := make(chan int, 1)
	go func() {
		n := 0
		defer func() { changes <- n }()
		for ctx.Err() == nil {
			for _, link := range []string{"merchants/a", "issuer-0/l0", "issuer-1/l0"} {
				slot, _ := keyring.LinkSlot(link)
				asked, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				err := node.ChangeKey(asked, keyring.By{Who: "test", Role: "test", Why: "it can"}, slot)
				cancel()
				switch {
				case err == nil:
					n++
				case ctx.Err() == nil && !strings.Contains(err.Error(), "signed on"): // not begun yet
					t.Errorf("%s: %v", link, err)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	ended := func() { // before the load itself ends its connections
		for _, center := range node.Links().Centers {
			for _, line := range center.Lines {
				for cause, n := range line.Counters.Ended {
					t.Errorf("%s: %d connections ended: %s", center.Name, n, cause)
				}
			}
		}
		stop()
	}
	report, err := load.Run(t.Context(), load.Config{Address: address, Connections: lanes,
		Outstanding: outstanding, WarmUp: 500 * time.Millisecond, Duration: 4 * time.Second,
		Drain: 20 * time.Second, Destination: "99999000001", Link: "merchants/a", Secret: secret,
		Measured: ended})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	n := <-changes
	posted := banks.Report()
	if !report.Clean() {
		t.Errorf("the load: %+v", report)
	}
	if posted.Postings != report.Approved || posted.Amount != report.Amount ||
		posted.Duplicates+posted.Reversals+posted.Malformed+posted.Unexpected != 0 {
		t.Errorf("the issuers: %+v of %d sales", posted, report.Approved)
	}
	t.Logf("%d changes of keys, %d sales", n, report.Sent)
	if n < 3 { // one of each link; it is as many as the machine has time for
		t.Errorf("only %d keys were changed", n)
	}
}

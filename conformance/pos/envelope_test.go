package pos

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"cardswitch/conformance/envelope"
	"cardswitch/conformance/issuer"
	"cardswitch/conformance/wire"
)

func linkKey(g uint16) envelope.Key { return bytes.Repeat([]byte{0xa0 + byte(g)}, 32) }

func covered(g uint16) *wire.Envelope {
	return &wire.Envelope{Link: "SHOP-1", Padding: true, Share: wire.ShareOffered,
		Keys: map[uint16]envelope.Key{g: linkKey(g)}}
}

// A merchant and a bank trade in envelopes while their link keys change, and lose nothing.
func TestTradeInEnvelopesOverNewKeys(t *testing.T) {
	theirs, ours := covered(1), covered(1)
	i := bank(t, issuer.Options{Links: []issuer.Link{{Listen: "127.0.0.1:0", Envelope: theirs},
		{Listen: "127.0.0.1:0", Envelope: theirs}}}, "")
	p := shop(t, i, Options{Total: 2000, Envelope: ours, Connections: 4})
	var changes sync.WaitGroup
	changes.Go(func() {
		for g := uint16(2); g < 8; g++ {
			for _, e := range []*wire.Envelope{theirs, ours} {
				if err := e.Install(g, linkKey(g)); err != nil {
					t.Error(err)
				}
			}
			for _, e := range []*wire.Envelope{ours, theirs} {
				if err := e.Switch(g); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	if err := p.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	changes.Wait()
	s, b := p.Stats(), i.Stats()
	if s.Refused+b.Refused+s.Repeats+s.Unknown+s.Unreadable > 0 || b.Connections < 4 {
		t.Errorf("%+v and %+v", s, b)
	}
	counted(t, p, i)
}

// With another key neither gets a word out, both say so, and the merchant doesn't storm the bank.
func TestTheWrongLinkKey(t *testing.T) {
	var log bytes.Buffer
	theirs, ours := covered(1), covered(1)
	ours.Keys[1] = linkKey(2)
	i := bank(t, issuer.Options{Links: []issuer.Link{{Listen: "127.0.0.1:0", Envelope: theirs}},
		Logger: slog.New(slog.NewJSONHandler(&log, nil))}, "")
	p, err := Start(context.Background(), Options{Addresses: []string{i.Address("primary")},
		Connections: 1, Envelope: ours})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	began := time.Now()
	for end := began.Add(time.Minute); i.Stats().Refused < 2 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	wait, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	err = p.Ready(wait)
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
	i.Close()
	most := 12 * int(time.Since(began)/time.Second+1)
	if n := i.Stats(); n.Refused < 2 || int(n.Refused) > most || n.Network+n.Unreadable > 0 {
		t.Errorf("%+v", n)
	}
	if !strings.Contains(log.String(), "an envelope is refused") ||
		strings.Contains(log.String(), "a1a1") {
		t.Error(log.String())
	}
}

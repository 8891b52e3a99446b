package link

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"
)

// The same over real sockets: what is sent comes back, in order, plain and under TLS.
func TestLoopback(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "switch", "switch")
	a.issue(t, "shop", "shop.example")
	for name, secure := range map[string]*TLS{"plain": nil, "TLS": a.tls("switch", "shop.example")} {
		t.Run(name, func(t *testing.T) {
			r := &tape{}
			r.received = func(l *Link, in []Inbound) {
				for i := range in {
					l.Queue(1, in[i].Frame, in[i].Prefix)
				}
				l.Flush()
			}
			n, err := New(Config{Logger: slog.New(slog.DiscardHandler), Centers: []CenterConfig{
				merchant("m", func(c *CenterConfig) {
					c.Links[0].Listen, c.Links[0].TLS = "127.0.0.1:0", secure
				})}}, r)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			if err := n.Start(ctx); err != nil {
				t.Fatal(err)
			}
			defer n.Wait()
			defer cancel()
			c, err := net.Dial("tcp", n.Center("m").Lines()[0].Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if secure != nil {
				c = tls.Client(c, a.peer(t, "shop"))
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(30 * time.Second))
			var sent []byte
			for _, m := range numbered(20_000) {
				sent = append(sent, frame(m)...)
			}
			go c.Write(sent)
			got := make([]byte, len(sent))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != string(sent) {
				t.Errorf("what came back isn't what was sent: %v", err)
			}
		})
	}
}

// Package ground runs a whole switch in a test's own process, on ports that are free.
//
// A configuration names addresses as it would anywhere; the ground gives each name a port of this
// machine and lets both ends find it, so that tests run side by side.
package ground

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyring"
	cardswitch "cardswitch/switch"
)

// Ground maps the addresses of a configuration to ports.
type Ground struct {
	mu sync.Mutex
	at map[string]string

	// Of the switches; nil before Enroll.
	module hsm.Module
	keys   *keyring.Ring
}

// New returns an empty ground.
func New() *Ground { return &Ground{at: make(map[string]string)} }

// Listen takes the port of an address, a free one the first time and the same ever after.
func (g *Ground) Listen(name string) (net.Listener, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	address := g.at[name]
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err == nil {
		g.at[name] = l.Addr().String()
	}
	return l, err
}

// Dial waits for somebody to have listened at an address and connects.
func (g *Ground) Dial(ctx context.Context, name string) (net.Conn, error) {
	for {
		g.mu.Lock()
		address := g.at[name]
		g.mu.Unlock()
		if address != "" {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Config is a configuration whose data and routes lie in dir. routes is the text of the table.
func Config(t *testing.T, dir, routes string) cardswitch.Config {
	t.Helper()
	file := filepath.Join(dir, "routes.yaml")
	if err := os.WriteFile(file, []byte(routes), 0o600); err != nil {
		t.Fatal(err)
	}
	c := cardswitch.Defaults()
	c.Institution = "99999000001"
	c.Data = cardswitch.DataConfig{Dir: filepath.Join(dir, "data"),
		KeyFile: filepath.Join(dir, "data.key"), CreateKey: true, RetentionDays: 30}
	c.Routing.Files = []string{file}
	return c
}

// Start runs a switch and returns what stops it; the test's end does so too.
func (g *Ground) Start(t *testing.T, c cardswitch.Config) (stop func()) {
	t.Helper()
	c.Complete()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := cardswitch.New(c, cardswitch.Deps{Listen: g.Listen, Dial: g.Dial, Keys: g.keys,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// Place gives an address of the configuration a port that somebody else listens on, or will.
func (g *Ground) Place(name, address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at[name] = address
}

package cardswitch

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/store"
	"cardswitch/switch/link"
	"cardswitch/switch/link/linktest"
)

// Where nothing is agreed about security, what stands beside the doors costs no allocation.
func TestNoSecurityNoAllocation(t *testing.T) {
	n, dir := linktest.New(1<<16), t.TempDir()
	c := sample()
	routes := filepath.Join(dir, "routes.yaml")
	text := "ranges:\n  - {prefix: \"353011\", destinations: [issuer-sakura]}\n"
	if err := os.WriteFile(routes, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Routing.Files = []string{routes}
	c.Data.Dir, c.Data.KeyFile = "data", filepath.Join(dir, "data.key")
	s, err := New(c, Deps{Disk: store.Memory(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Listen: n.Listen, Dial: func(context.Context, string) (net.Conn, error) {
			return nil, io.ErrClosedPipe
		}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() { stop(); <-done }()
	conn, err := n.DialFrom(ctx, "127.0.0.1", "127.0.0.1:7101")
	for end := time.Now().Add(time.Minute); err != nil && time.Now().Before(end); { // not open yet
		time.Sleep(10 * time.Millisecond)
		conn, err = n.DialFrom(ctx, "127.0.0.1", "127.0.0.1:7101")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var l *link.Link
	for range 6000 {
		if all := s.network.Links(); len(all) > 0 {
			l = all[0]
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if l == nil {
		t.Fatal("no connection")
	}
	in := []link.Inbound{inbound(t)}
	to := new(arrivals)
	var at *center
	for _, seat := range s.tables.Load().seats {
		at = seat.center
	}
	allocations := testing.AllocsPerRun(200, func() {
		s.read(l, in, nil, to)
		if s.inspectAside(l, in) || !to.list[0].trusted() {
			t.Fatal("it is inspected")
		}
		if b, why := s.acceptPIN(at, at, &to.list[0]); b != nil || why != 0 {
			t.Fatal("its PIN is taken")
		}
		s.leaveZone(at, at, nil)
		if at.shield.Load() != nil || s.goesAside(at, nil) {
			t.Fatal("it is protected")
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations a message", allocations)
	}
}

// inbound is a sale with a PIN as it comes.
func inbound(t *testing.T) (in link.Inbound) {
	t.Helper()
	d, err := dialect.Builtin("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	var e spec.Edit
	e.Reset()
	e.SetMTI(0x1200)
	for n, v := range map[int]string{2: "3530111333300000", 3: "000000", 4: "000000001000",
		11: "000042", 12: "261122120000", 32: "12345678901", 41: "TERM0001",
		52: "\x01\x02\x03\x04\x05\x06\x07\x08"} {
		e.Set(n, []byte(v))
	}
	frame, fault := d.Append(nil, nil, &e)
	if !fault.OK() {
		t.Fatal(fault.Err())
	}
	in.Frame = frame
	in.Fault = d.Index(&in.Message, frame)
	return in
}

package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// A connection that is passed on is the taker's: bytes go both ways, and it ends with either side
// or with the node.
func TestPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTown(t)
		came := make(chan net.Conn, 1)
		a := o.node(1, nil)
		b := o.node(2, func(c *Config) {
			c.Takes = func(what string) error {
				if what == "not now" {
					return errors.New("later")
				}
				return nil
			}
			c.Take = func(from uint64, what string, conn net.Conn) error {
				if what == "no" {
					return errors.New("not here")
				}
				if from != 1 || what != "shop" {
					t.Errorf("node %d passes %q", from, what)
				}
				came <- conn
				return nil
			}
		})
		time.Sleep(time.Second)
		pass := func(what string) net.Conn {
			t.Helper()
			conn, err := a.Pass(context.Background(), 2, what)
			if err != nil {
				t.Fatal(err)
			}
			return conn
		}
		if _, err := a.Pass(context.Background(), 2, "not now"); err == nil {
			t.Error("passed to who takes none now")
		}
		refused := pass("no")
		if _, err := refused.Read(make([]byte, 1)); err == nil {
			t.Error("a connection that is refused stands")
		}
		_ = refused.Close()
		near := pass("shop")
		far := <-came
		for from, to := range map[net.Conn]net.Conn{near: far, far: near} {
			go func() { _, _ = from.Write([]byte("hello")) }()
			got := make([]byte, 5)
			if _, err := io.ReadFull(to, got); err != nil || string(got) != "hello" {
				t.Fatalf("%q, %v", got, err)
			}
		}
		_ = near.Close()
		if _, err := far.Read(make([]byte, 1)); err == nil {
			t.Error("the other end stands")
		}
		_ = far.Close()
		near = pass("shop")
		far = <-came
		go func() { _, _ = far.Read(make([]byte, 1)); _ = far.Close() }()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if _, err := near.Read(make([]byte, 1)); err == nil {
			t.Error("it outlives the node")
		}
		_ = near.Close()
	})
}

// Who takes no connections says so, and a stranger passes none.
func TestPassIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTown(t)
		a := o.node(1, nil)
		o.node(2, nil)
		time.Sleep(time.Second)
		if _, err := a.Pass(context.Background(), 2, "shop"); err == nil {
			t.Error("taken")
		}
		if _, err := a.Pass(context.Background(), 9, "shop"); err == nil {
			t.Error("passed to nobody")
		}
	})
}

// Groups share an address: who dials gets to the one that it names, or nowhere.
func TestGroups(t *testing.T) {
	g, err := ListenGroups("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := g.listener.Addr().String()
	for _, name := range []string{"east", "west"} {
		l, err := g.Listen(name)("")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				text := make([]byte, 3)
				_, _ = io.ReadFull(conn, text)
				fmt.Fprintf(conn, "%s heard %s", name, text)
				_ = conn.Close()
			}
		}()
	}
	if _, err := g.Listen("east")(""); err == nil {
		t.Error("a group listens twice")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for name, want := range map[string]string{"east": "east heard abc", "west": "west heard abc",
		"north": ""} {
		conn, err := g.Dial(name)(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte("abc"))
		got, _ := io.ReadAll(conn)
		if string(got) != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		_ = conn.Close()
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

// The line that names a group is read to its end, and what follows is left where it is.
func FuzzReadGroup(f *testing.F) {
	f.Add("cardswitch group east\nrest")
	f.Add("cardswitch group \n")
	f.Add("\x16\x03\x01")
	f.Fuzz(func(t *testing.T, text string) {
		ours, theirs := net.Pipe()
		go func() {
			_, _ = theirs.Write([]byte(text))
			theirs.Close()
		}()
		defer ours.Close()
		name, ok := readGroup(ours)
		if !ok {
			return
		}
		rest, _ := io.ReadAll(ours)
		if groupMagic+name+"\n"+string(rest) != text {
			t.Errorf("%q and %q of %q", name, rest, text)
		}
	})
}

package torture_test

import (
	"io"
	"net"
	"testing"
	"time"

	"cardswitch/conformance/torture"
)

// through opens a connection through a proxy: both ends of it.
func through(t *testing.T) (p *torture.Proxy, near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if p, err = torture.OpenProxy(l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if near, err = net.Dial("tcp", p.Address()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{near, far} {
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(30 * time.Second))
	}
	return p, near, far
}

// passes sends a word and reads it at the other end.
func passes(t *testing.T, from, to net.Conn, word string) {
	t.Helper()
	if _, err := io.WriteString(from, word); err != nil {
		t.Fatal(err)
	}
	arrives(t, to, word)
}

func arrives(t *testing.T, at net.Conn, word string) {
	t.Helper()
	got := make([]byte, len(word))
	if _, err := io.ReadFull(at, got); err != nil || string(got) != word {
		t.Fatalf("%q arrives as %q, %v", word, got, err)
	}
}

// gone waits for the end of a connection; what comes before is returned.
func gone(t *testing.T, c net.Conn) string {
	t.Helper()
	got, err := io.ReadAll(c)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Fatal("the connection still stands")
	}
	return string(got)
}

func TestWhatIsNotHurtPasses(t *testing.T) {
	_, near, far := through(t)
	passes(t, near, far, "there")
	passes(t, far, near, "and back")
	near.Close()
	if got := gone(t, far); got != "" {
		t.Errorf("%q came", got)
	}
}

func TestCutEndsBothEnds(t *testing.T) {
	p, near, far := through(t)
	passes(t, near, far, "there")
	p.Hurt(torture.Cut, 0)
	gone(t, near)
	gone(t, far)
}

func TestHeldBytesArriveInOrder(t *testing.T) {
	p, near, far := through(t)
	p.Hurt(torture.Hold, time.Hour)
	for _, word := range []string{"one ", "two ", "three"} {
		io.WriteString(near, word)
	}
	far.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	if n, _ := far.Read(make([]byte, 10)); n > 0 {
		t.Error("a held link lets something through")
	}
	far.SetReadDeadline(time.Now().Add(30 * time.Second))
	p.Heal()
	arrives(t, far, "one two three")
}

func TestSwallowedBytesNeverArrive(t *testing.T) {
	p, near, far := through(t)
	passes(t, near, far, "before")
	p.Hurt(torture.Swallow, 50*time.Millisecond)
	io.WriteString(near, "lost")
	if got := gone(t, far); got != "" {
		t.Errorf("%q arrived all the same", got)
	}
	gone(t, near)
}

func TestTrickledBytesAllArrive(t *testing.T) {
	p, near, far := through(t)
	p.Hurt(torture.Trickle, time.Hour)
	passes(t, near, far, string(make([]byte, 1000)))
}

func TestRefusedUntilItsEnd(t *testing.T) {
	p, near, _ := through(t)
	p.Hurt(torture.Refuse, time.Hour)
	gone(t, near)
	again, err := net.Dial("tcp", p.Address())
	if err == nil {
		again.SetDeadline(time.Now().Add(30 * time.Second))
		gone(t, again)
	}
	p.Heal()
	healed, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer healed.Close()
	healed.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	if _, err := healed.Read(make([]byte, 1)); err == nil || !err.(net.Error).Timeout() {
		t.Errorf("it is still refused: %v", err)
	}
}

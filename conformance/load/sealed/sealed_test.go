package sealed_test

import (
	"bytes"
	"net"
	"testing"

	"cardswitch/conformance/load/sealed"
)

// pair is both ends of one connection over loopback.
func pair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		taken <- c
	}()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	b = <-taken
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// Thousands of messages both ways at once arrive as they were, in whatever pieces they are read.
func TestMessagesArriveAsTheyWere(t *testing.T) {
	a, b := pair(t)
	secret := sealed.Secret("of this run")
	answered := make(chan *sealed.Conn, 1)
	go func() {
		c, err := sealed.NewEnd(secret).Accept(b)
		if err != nil {
			t.Error(err)
		}
		answered <- c
	}()
	dialled, err := sealed.NewEnd(secret).Dial(a, "merchants/a")
	if err != nil {
		t.Fatal(err)
	}
	accepted := <-answered
	const messages = 3000
	var all []byte
	for i := range messages {
		all = append(all, 0, byte(1+i%200))
		all = append(all, bytes.Repeat([]byte{byte(i)}, 1+i%200)...)
	}
	go func() {
		if _, err := dialled.Write(all); err != nil {
			t.Error(err)
		}
	}()
	got := make([]byte, 0, len(all)+100)
	for len(got) < len(all) {
		n, err := accepted.Read(got[len(got):min(cap(got), len(got)+777)])
		if err != nil {
			t.Fatal(err)
		}
		got = got[:len(got)+n]
	}
	if !bytes.Equal(got, all) {
		t.Error("something else arrived")
	}
}

func TestAnotherSecretIsRefused(t *testing.T) {
	a, b := pair(t)
	go sealed.NewEnd(sealed.Secret("another")).Accept(b)
	if _, err := sealed.NewEnd(sealed.Secret("this")).Dial(a, "x/y"); err == nil {
		t.Error("agreed with who has another secret")
	}
}

package main

import (
	"net"
	"os"
	"testing"
	"time"
)

// TestSocketsAreHandedOver: who connects while nobody accepts is taken by whoever goes on with it;
// after an end that is no restart he is refused, and so he is where nobody listens any more.
func TestSocketsAreHandedOver(t *testing.T) {
	s := &sockets{files: make(map[string]*os.File)}
	ports := []string{"127.0.0.1:0", "127.0.0.2:0"}
	at := make([]string, len(ports))
	doors := make([]net.Listener, len(ports))
	for i, address := range ports {
		l, err := s.listen(address)
		if err != nil {
			t.Fatal(err)
		}
		doors[i], at[i] = l, l.Addr().String()
	}
	dial := func(i int) (net.Conn, error) { return net.DialTimeout("tcp", at[i], time.Minute) }
	s.keep()
	for _, l := range doors {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	waiting, err := dial(0)
	if err != nil {
		t.Fatalf("refused between two programs: %v", err)
	}
	defer waiting.Close()
	next := &sockets{files: s.files}
	next.only(map[string]bool{ports[0]: true})
	if _, err := dial(1); err == nil {
		t.Error("an address that nobody listens on any more takes connections")
	}
	l, err := next.listen(ports[0])
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil || conn.RemoteAddr().String() != waiting.LocalAddr().String() {
		t.Fatalf("the next one doesn't take who waited: %v", err)
	}
	conn.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(0); err == nil {
		t.Error("an end that is no restart leaves the socket open")
	}
}

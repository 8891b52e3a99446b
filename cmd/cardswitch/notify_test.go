package main

import (
	"context"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func listenAsSystemd(t *testing.T) *net.UnixConn {
	name := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return socket
}

func heard(t *testing.T, socket *net.UnixConn) string {
	t.Helper()
	if err := socket.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 256)
	n, err := socket.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n])
}

func TestNotify(t *testing.T) {
	socket := listenAsSystemd(t)
	n := newNotifier()
	if err := n.say("READY=1"); err != nil {
		t.Fatal(err)
	}
	if got := heard(t, socket); got != "READY=1" {
		t.Errorf("heard %q", got)
	}
	if err := n.reloading(); err != nil {
		t.Fatal(err)
	}
	if got := heard(t, socket); !regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=\d+$`).
		MatchString(got) {
		t.Errorf("heard %q", got)
	}
}

// A switch that isn't well lets its watchdog starve, so that systemd starts it again.
func TestWatchdog(t *testing.T) {
	socket := listenAsSystemd(t)
	t.Setenv("WATCHDOG_USEC", "2000")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := make(chan bool)
	well := make(chan bool)
	go newNotifier().watch(ctx, func() bool { asked <- true; return <-well })
	<-asked
	well <- false
	<-asked // it was asked again and has said nothing so far
	if err := socket.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := socket.Read(make([]byte, 64)); err == nil {
		t.Errorf("heard %d bytes of a switch that isn't well", n)
	}
	well <- true
	if got := heard(t, socket); !strings.HasPrefix(got, "WATCHDOG=1") {
		t.Errorf("heard %q", got)
	}
}

func TestNotifyOutsideOfSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := newNotifier().say("READY=1"); err != nil {
		t.Error(err)
	}
}

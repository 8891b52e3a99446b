package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// notifier tells systemd how the service is (sd_notify). Outside of systemd it does nothing.
type notifier struct{ socket string }

func newNotifier() notifier { return notifier{os.Getenv("NOTIFY_SOCKET")} }

// say sends one state, as READY=1. That nobody listens is no reason to stop.
func (n notifier) say(state string) error {
	if n.socket == "" {
		return nil
	}
	name := n.socket
	if strings.HasPrefix(name, "@") { // an abstract socket
		name = "\x00" + name[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell systemd %s: %w", state, err)
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}

// reloading begins a reload, or a restart; systemd wants the monotonic time of its start.
func (n notifier) reloading() error {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return n.say(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d",
		time.Duration(now.Nano()).Microseconds()))
}

// watch pets the watchdog as long as alive holds, at half the time that systemd allows.
func (n notifier) watch(ctx context.Context, alive func() bool) {
	us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || us <= 0 || n.socket == "" {
		return
	}
	ticker := time.NewTicker(time.Duration(us) * time.Microsecond / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if alive() {
				_ = n.say("WATCHDOG=1")
			}
		}
	}
}

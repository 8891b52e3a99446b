package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A switch that dies while a file is sent to it leaves a broken pipe: that is a failure, not the
// end of a pager that somebody closed.
func TestASwitchThatGoesAwayIsNoSuccess(t *testing.T) {
	err := (&client{socket: "x"}).unreachable(fmt.Errorf("write: %w", syscall.EPIPE))
	if errors.Is(err, syscall.EPIPE) {
		t.Error("it counts as a closed pager")
	}
	var f *failure
	if !errors.As(err, &f) || f.Code != exitUnreachable {
		t.Errorf("%v", err)
	}
}

func TestWatchedReading(t *testing.T) {
	var to bytes.Buffer
	w := &watched{Reader: strings.NewReader(strings.Repeat("x", 1000)), to: &to, of: 4000,
		began: time.Now().Add(-time.Second)}
	if _, err := io.CopyN(io.Discard, w, 1000); err != nil {
		t.Fatal(err)
	}
	line := w.line(2 * time.Second)
	if line != "[#####...............]  25% 0.0 MB at 0.0 MB/s, 6s left" {
		t.Errorf("%q", line)
	}
	w.of = 0
	if line := w.line(time.Second); strings.Contains(line, "%") {
		t.Errorf("of an unknown size: %q", line)
	}
	_, _ = io.ReadAll(w)
	if !strings.Contains(to.String(), "25%") || !strings.HasSuffix(to.String(), "\n") {
		t.Errorf("%q", to.String())
	}
}

package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/soft"
)

func TestCapsAreTold(t *testing.T) {
	master, err := keyblock.RandomKey(keyblock.AES, 32, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := soft.New(master, hsm.Test)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, c := range []struct {
		production bool
		forbidden  int
	}{{false, 0}, {true, 3}} {
		var out bytes.Buffer
		tellCaps(slog.New(slog.NewTextHandler(&out, nil)), m, c.production)
		text := out.String()
		if n := strings.Count(text, "production forbids"); n != c.forbidden ||
			n != strings.Count(text, "hint=") {
			t.Errorf("production %v: %d are forbidden: %s", c.production, n, text)
		}
		if lines := strings.Count(text, "\n"); lines != len(hsm.Operations()) ||
			!strings.Contains(text, `operation="translate a PIN" clear="in the process"`) {
			t.Errorf("%d lines: %s", lines, text)
		}
	}
}

package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/soft"
	cardswitch "cardswitch/switch"
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

func TestLegacyLinksAreNamed(t *testing.T) {
	var out bytes.Buffer
	links := []cardswitch.LinkConfig{{Name: "a"},
		{Name: "b", Envelope: new(cardswitch.EnvelopeConfig)},
		{Name: "c", Envelope: &cardswitch.EnvelopeConfig{Legacy: true}}}
	tellLegacy(slog.New(slog.NewTextHandler(&out, nil)), &cardswitch.Config{
		Centers: []cardswitch.CenterConfig{{Name: "sakura", Links: links}}})
	if text := out.String(); strings.Count(text, "\n") != 1 ||
		!strings.Contains(text, "level=WARN") || !strings.Contains(text, "center=sakura link=c") {
		t.Errorf("it says: %s", text)
	}
}

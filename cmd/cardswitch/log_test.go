package main

import (
	"errors"
	"strings"
	"testing"

	cardswitch "cardswitch/switch"
)

func TestMaskCards(t *testing.T) {
	for text, want := range map[string]string{
		"card 3528000000000007 declined":       "card 352800******0007 declined",
		"3528000000000007":                     "352800******0007",
		"a,3528000000000007,4539120000000008.": "a,352800******0007,453912******0008.",
		"3528000000000008 fails its digit":     "3528000000000008 fails its digit",
		"stan 000123, rrn 609012345678":        "stan 000123, rrn 609012345678",
		"":                                     "",
	} {
		if got := maskCards(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// The net under the log catches a card number by every door that text can come through.
func TestLoggerMasks(t *testing.T) {
	const card = "3528000000000007"
	for _, format := range []string{"json", "text"} {
		var b strings.Builder
		log := newLogger(&b, cardswitch.LogConfig{Level: "info", Format: format})
		log.Info("about "+card, "card", card, "error", errors.New("bad "+card))
		log.WithGroup("g").Info("x", "y", card)
		log.Debug("never said")
		if strings.Contains(b.String(), card) || strings.Count(b.String(), "352800******0007") != 4 {
			t.Errorf("%s: %s", format, b.String())
		}
		if strings.Contains(b.String(), "never") {
			t.Error("the level is not heeded")
		}
	}
}

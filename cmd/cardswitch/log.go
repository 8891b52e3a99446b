package main

import (
	"io"
	"log/slog"

	"cardswitch/spec"
	cardswitch "cardswitch/switch"
)

// newLogger writes as the configuration says. Card numbers have types that mask themselves; should
// one come as plain text all the same, say in another library's error, this is the last net.
func newLogger(w io.Writer, config cardswitch.LogConfig) *slog.Logger {
	var level slog.Level
	// Validate has seen the level; what it doesn't know stays info.
	_ = level.UnmarshalText([]byte(config.Level))
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: maskAttr}
	if config.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func maskAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(maskCards(a.Value.String()))
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(maskCards(err.Error()))
		}
	}
	return a
}

// maskCards masks each run of 13 to 19 digits with a right check digit.
func maskCards(text string) string {
	out := []byte(text)
	for from := 0; from < len(out); {
		to := from
		for to < len(out) && out[to] >= '0' && out[to] <= '9' {
			to++
		}
		if length := to - from; length >= 13 && length <= 19 {
			if pan, err := spec.ParsePAN(text[from:to]); err == nil && pan.Luhn() {
				copy(out[from:to], pan.String())
			}
		}
		from = to + 1
	}
	return string(out)
}

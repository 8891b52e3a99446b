package security_test

import (
	"bytes"
	"testing"

	"cardswitch/spec"
	"cardswitch/switch/txn"
)

// Nothing but what the partner sealed passes, and what passes can be protected again.
func FuzzInspect(f *testing.F) {
	g, p, x := setup(f, agreements()[0], "ascii-binary", true)
	sealed := map[string]bool{}
	for _, wide := range []bool{false, true} {
		frame := x.Seal(message(f, p.Dialect, 0x1200, wide))
		sealed[string(frame)] = true
		f.Add(frame)
		f.Add(bytes.Replace(frame, []byte("1200"), []byte("1804"), 1))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		x.T = t
		var m spec.Message
		if !p.Dialect.Index(&m, frame).OK() {
			return
		}
		if found := g.Inspect(t.Context(), p, &m); found.Reason == txn.None && !sealed[string(frame)] {
			t.Errorf("%X passes", frame)
		}
		out, why, err := g.Protect(t.Context(), nil, p, frame, nil)
		if why != txn.None {
			return
		}
		if err = x.Check(x.Index(out)); err != nil && m.MTI().Class() != 8 {
			t.Errorf("%X is protected as %X: %v", frame, out, err)
		}
	})
}

package security_test

import (
	"testing"

	"cardswitch/switch/security"
	"cardswitch/switch/txn"
)

func BenchmarkInspect(b *testing.B) {
	for _, a := range agreements() {
		b.Run(a.name, func(b *testing.B) {
			g, p, x := setup(b, a, "ascii-binary", true)
			m := x.Index(x.Seal(message(b, p.Dialect, 0x1200, true)))
			b.ReportAllocs()
			for b.Loop() {
				if f := g.Inspect(b.Context(), p, m); f.Reason != txn.None {
					b.Fatal(f.Err)
				}
			}
		})
	}
}

func BenchmarkProtect(b *testing.B) {
	for _, a := range agreements() {
		b.Run(a.name, func(b *testing.B) {
			g, p, _ := setup(b, a, "ascii-binary", true)
			plain, out := message(b, p.Dialect, 0x1200, true), []byte(nil)
			b.ReportAllocs()
			for b.Loop() {
				var why txn.Reason
				var err error
				if out, why, err = g.Protect(b.Context(), out[:0], p, plain, nil); why != txn.None {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTranslate(b *testing.B) {
	g, p, x := zones(b, 0, 0)
	m := withPIN(b, x[0], "1234", pan)
	keys := g.Inspect(b.Context(), p[0], m).Keys
	out := []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		block, why := g.Accept(p[0], p[1], m, &security.Finding{Keys: keys})
		if why == txn.None {
			out, why, _ = g.Protect(b.Context(), out[:0], p[1], m.Raw(), block)
		}
		if why != txn.None {
			b.Fatal(why)
		}
	}
}

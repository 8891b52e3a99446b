package spec_test

import (
	"testing"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/spec/sample"
)

// financial is the sample message in a built-in dialect.
func financial(tb testing.TB, name string) (*spec.Dialect, []byte) {
	tb.Helper()
	d, err := dialect.Builtin(name)
	if err != nil {
		tb.Fatal(err)
	}
	raw, fault := d.Append(nil, nil, sample.Financial())
	if !fault.OK() {
		tb.Fatal(fault)
	}
	return d, raw
}

func BenchmarkIndex(b *testing.B) {
	for _, name := range []string{"ascii-binary", "bcd-left", "ebcdic"} {
		b.Run(name, func(b *testing.B) {
			d, raw := financial(b, name)
			var m spec.Message
			b.ReportAllocs()
			for b.Loop() {
				if fault := d.Index(&m, raw); !fault.OK() {
					b.Fatal(fault)
				}
			}
		})
	}
}

// BenchmarkIndexPatch is what a forwarded request costs: index it, and write it with our own STAN.
func BenchmarkIndexPatch(b *testing.B) {
	d, raw := financial(b, "ascii-binary")
	var m spec.Message
	var e spec.Edit
	out := make([]byte, 0, 1024)
	b.ReportAllocs()
	for stan := uint64(0); b.Loop(); stan++ {
		fault := d.Index(&m, raw)
		e.Reset()
		e.SetNumber(11, stan%1000000)
		var second spec.Fault
		out, second = d.Append(out[:0], &m, &e)
		if !fault.OK() || !second.OK() {
			b.Fatal(fault, second)
		}
	}
}

func BenchmarkTranslate(b *testing.B) {
	d, raw := financial(b, "ascii-binary")
	to, _ := financial(b, "bcd-left")
	var m spec.Message
	d.Index(&m, raw)
	out := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		var fault spec.Fault
		if out, fault = to.Append(out[:0], &m, nil); !fault.OK() {
			b.Fatal(fault)
		}
	}
}

// BenchmarkSafe is what the journal asks of a request: its image without what may not be kept.
func BenchmarkSafe(b *testing.B) {
	for _, name := range []string{"ascii-binary", "bcd-left", "ebcdic"} {
		b.Run(name, func(b *testing.B) {
			d, raw := financial(b, name)
			var m spec.Message
			d.Index(&m, raw)
			out, cuts := make([]byte, 0, 1024), []byte(nil)
			b.ReportAllocs()
			for b.Loop() {
				out, cuts = m.AppendKept(out[:0], cuts[:0])
			}
		})
	}
}

// BenchmarkDelta is what the journal asks of an answer: what it changes in the request.
func BenchmarkDelta(b *testing.B) {
	d, raw := financial(b, "ascii-binary")
	var request, answer spec.Message
	d.Index(&request, raw)
	var e spec.Edit
	e.SetMTI(0x1210)
	e.KeepOnly(spec.Elements(2, 3, 4, 7, 11, 12, 32, 37, 41, 42, 49))
	e.Set(38, []byte("123456"))
	e.SetNumber(39, 0)
	out, fault := d.Append(nil, &request, &e)
	if !fault.OK() {
		b.Fatal(fault)
	}
	d.Index(&answer, out)
	delta := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		delta, _ = spec.AppendDelta(delta[:0], nil, &request, &answer)
	}
}

package envelope

import (
	"bytes"
	"fmt"
	"testing"
)

func BenchmarkSeal(b *testing.B) {
	for _, size := range []int{200, 415, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) { benchSeal(b, Policy{}, size) })
	}
	b.Run("415 padded", func(b *testing.B) { benchSeal(b, Policy{Padding: true}, 415) })
	b.Run("415 TDES", func(b *testing.B) { benchSeal(b, Policy{Suites: []Suite{TDES}}, 415) })
}

func benchSeal(b *testing.B, p Policy, size int) {
	i, _ := pair(b, p, p)
	message := bytes.Repeat([]byte{'m'}, size)
	buf := make([]byte, 0, 2048)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := i.Sealer().Seal(buf, message); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range []int{200, 415, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) { benchOpen(b, Policy{}, size) })
	}
	b.Run("415 padded", func(b *testing.B) { benchOpen(b, Policy{Padding: true}, 415) })
	b.Run("415 TDES", func(b *testing.B) { benchOpen(b, Policy{Suites: []Suite{TDES}}, 415) })
}

// benchOpen opens one frame again and again, at the same place.
func benchOpen(b *testing.B, p Policy, size int) {
	i, a := pair(b, p, p)
	sealed := seal(b, i, string(bytes.Repeat([]byte{'m'}, size)))
	frame := make([]byte, len(sealed))
	at := &a.opener.channel.header.sequence
	place := *at
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		copy(frame, sealed)
		*at, a.opener.channel.blocks = place, 0
		if _, err := a.Opener().Open(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHandshake(b *testing.B) {
	for name, p := range map[string]Policy{"plain": {}, "share": {Share: ShareRequired}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				pair(b, p, p)
			}
		})
	}
}

func BenchmarkInstall(b *testing.B) {
	i, _ := pair(b, Policy{}, Policy{})
	prf := prfOf(8)
	b.ReportAllocs()
	for b.Loop() {
		if err := i.Install(8, prf); err != nil {
			b.Fatal(err)
		}
		i.sealer.pending.wipe()
		i.opener.pending.wipe()
		i.last, i.span = 7, 0
	}
}

package keyblock

import "testing"

// BenchmarkUnwrap is what a key that a partner sends costs.
func BenchmarkUnwrap(b *testing.B) {
	for _, v := range []Version{VersionB, VersionD, VersionE} {
		b.Run(string(v), func(b *testing.B) {
			block, want := samples(b)[v], anything()
			f, _ := v.form()
			b.ReportAllocs()
			for b.Loop() {
				_, key, err := Unwrap(kbpkOf(f.cipher), block, want)
				if err != nil {
					b.Fatal(err)
				}
				key.Wipe()
			}
		})
	}
}

func BenchmarkWrap(b *testing.B) {
	kbpk, h := kbpkOf(AES), pinKey(VersionD, AES)
	key, err := NewKey(AES, raw32)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Wrap(kbpk, h, key, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

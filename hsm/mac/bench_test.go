package mac_test

import (
	"testing"

	"cardswitch/hsm/mac"
)

// BenchmarkSum is what a code over a message of 512 bytes costs.
func BenchmarkSum(b *testing.B) {
	for _, spec := range []mac.Spec{
		{Algorithm: mac.Retail, Padding: mac.Padding2, Size: 8},
		{Algorithm: mac.TDESCMAC, Size: 8},
		{Algorithm: mac.AESCMAC, Size: 16},
	} {
		b.Run(spec.Algorithm.String(), func(b *testing.B) {
			m := prepared(b, spec, []byte("0123456789abcdef"))
			message, code := make([]byte, 512), make([]byte, 0, 16)
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				code = m.Sum(code[:0], message)
			}
		})
	}
}
